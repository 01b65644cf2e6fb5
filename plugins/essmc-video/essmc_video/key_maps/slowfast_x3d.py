"""Key maps of PySlowFast's X3D, for whole classifiers, both ways.

Theirs normalises every convolutional shortcut: build ours with ``shortcut_norm="always"`` for such a checkpoint.
"""

from __future__ import annotations

from essmc_video.key_maps.slowfast_blocks import network

TO_OURS, TO_THEIRS = network(
    (
        ("s1.pathway0_stem.conv_xy", "backbone.conv1.spatial"),
        ("s1.pathway0_stem.conv", "backbone.conv1.temporal"),
        ("s1.pathway0_stem.bn", "backbone.conv1.bn"),
        ("head.conv_5", "head.widen"),
        ("head.conv_5_bn", "head.widen_bn"),
        ("head.lin_5", "head.hidden"),
        ("head.lin_5_bn", "head.hidden_bn"),
        ("head.projection", "head.out"),
    )
)

"""Key maps of PySlowFast's C2D, I3D and Slow, for whole classifiers, both ways."""

from __future__ import annotations

from essmc_video.key_maps.slowfast_blocks import network

TO_OURS, TO_THEIRS = network(
    (
        ("s1.pathway0_stem.conv", "backbone.conv1.a"),
        ("s1.pathway0_stem.bn", "backbone.conv1.a_bn"),
        ("head.projection", "head.out"),
    )
)

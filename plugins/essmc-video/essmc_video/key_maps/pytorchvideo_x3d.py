"""Key maps of pytorchvideo's X3D, for whole classifiers, both ways."""

from __future__ import annotations

from essmc_video.key_maps.pytorchvideo_blocks import KeyMap, blocks, whole

# Their stem calls the spatial convolution conv_t and the temporal one conv_xy.
_FRONTS = (
    ("blocks.0.conv.conv_t", "backbone.conv1.spatial"),
    ("blocks.0.conv.conv_xy", "backbone.conv1.temporal"),
    ("blocks.0.norm", "backbone.conv1.bn"),
    *((f"blocks.{index}", f"backbone.conv{index + 1}") for index in range(1, 5)),
    ("blocks.5.pool.pre_conv", "head.widen"),
    ("blocks.5.pool.pre_norm", "head.widen_bn"),
    ("blocks.5.pool.post_conv", "head.hidden"),
    ("blocks.5.pool.post_norm", "head.hidden_bn"),
    ("blocks.5.proj", "head.out"),
)
_LAYERS = (
    ("branch1_conv", "short_cut"),
    ("branch1_norm", "short_cut_bn"),
    ("branch2.conv_a", "conv_branch.a"),
    ("branch2.norm_a", "conv_branch.a_bn"),
    ("branch2.conv_b", "conv_branch.b"),
    ("branch2.norm_b.0", "conv_branch.b_bn"),
    ("branch2.norm_b.1.block.0", "conv_branch.b_se.fc1"),
    ("branch2.norm_b.1.block.2", "conv_branch.b_se.fc2"),
    ("branch2.conv_c", "conv_branch.c"),
    ("branch2.norm_c", "conv_branch.c_bn"),
)
_INSIDE, _INSIDE_BACK = blocks(_LAYERS)

TO_OURS: KeyMap = (*(whole(theirs, ours) for theirs, ours in _FRONTS), *_INSIDE)
TO_THEIRS: KeyMap = (*(whole(ours, theirs) for theirs, ours in _FRONTS), *_INSIDE_BACK)

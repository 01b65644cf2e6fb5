"""Key maps of pytorchvideo's C2D, I3D, Slow, ir-CSN and R(2+1)D, for whole classifiers, both ways."""

from __future__ import annotations

from essmc_video.key_maps.pytorchvideo_blocks import KeyMap, blocks, whole

LAYERS = (
    ("branch1_conv", "short_cut"),
    ("branch1_norm", "short_cut_bn"),
    ("branch2.conv_a", "conv_branch.a"),
    ("branch2.norm_a", "conv_branch.a_bn"),
    ("branch2.conv_b", "conv_branch.b"),
    ("branch2.norm_b", "conv_branch.b_bn"),
    ("branch2.conv_c", "conv_branch.c"),
    ("branch2.norm_c", "conv_branch.c_bn"),
)
# R(2+1)D's second convolution is two.
FACTORISED_LAYERS = (
    *LAYERS[:4],
    ("branch2.conv_b.conv_t", "conv_branch.b1"),
    ("branch2.conv_b.norm", "conv_branch.b1_bn"),
    ("branch2.conv_b.conv_xy", "conv_branch.b2"),
    ("branch2.norm_b", "conv_branch.b2_bn"),
    *LAYERS[6:],
)


def _network(positions: tuple[int, ...], layers: tuple[tuple[str, str], ...]) -> tuple[KeyMap, KeyMap]:
    """Returns the pairs of a network, there and back.

    Args:
        positions: of its stages and its head among their ``blocks``.
        layers: their and our names inside a residual block.
    """
    fronts = (
        ("blocks.0.conv", "backbone.conv1.a"),
        ("blocks.0.norm", "backbone.conv1.a_bn"),
        *((f"blocks.{position}", f"backbone.conv{stage}") for stage, position in enumerate(positions[:-1], start=2)),
        (f"blocks.{positions[-1]}.proj", "head.out"),
    )
    inside, inside_back = blocks(layers)
    there = tuple(whole(theirs, ours) for theirs, ours in fronts)
    back = tuple(whole(ours, theirs) for theirs, ours in fronts)
    return (*there, *inside), (*back, *inside_back)


# Slow and CSN.
TO_OURS, TO_THEIRS = _network((1, 2, 3, 4, 5), LAYERS)
# C2D and I3D: the pooling between stages counts as a block.
POOLED_TO_OURS, POOLED_TO_THEIRS = _network((1, 3, 4, 5, 6), LAYERS)
# R(2+1)D.
FACTORISED_TO_OURS, FACTORISED_TO_THEIRS = _network((1, 2, 3, 4, 5), FACTORISED_LAYERS)

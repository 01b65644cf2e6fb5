"""Key maps of PySlowFast's residual stages, which all of its convolutional networks share."""

from __future__ import annotations

from essmc_video.key_maps.pytorchvideo_blocks import MOST_BLOCKS, KeyMap, part, whole

# Layers inside a branch have our names, except for X3D's squeeze-and-excitation.
LAYERS = (
    ("branch1", "short_cut"),
    ("branch1_bn", "short_cut_bn"),
    ("branch2.se", "conv_branch.b_se"),
    ("branch2", "conv_branch"),
)


def network(fronts: tuple[tuple[str, str], ...], paths: tuple[str, ...] = ("conv",)) -> tuple[KeyMap, KeyMap]:
    """Returns the pairs of a network, from their names to ours and back.

    Args:
        fronts: their and our names of what is in front of, between and behind the stages.
        paths: what our stages are called, without their number, for every path.
    """
    stages = tuple((rf"^s(\d)\.pathway{path}_res", rf"backbone.{ours}\1.res") for path, ours in enumerate(paths))
    stages_back = tuple((rf"^backbone\.{ours}(\d)\.res", rf"s\1.pathway{path}_res") for path, ours in enumerate(paths))
    # Blocks count from 0 in their names and from 1 in ours.
    names = (*((f"res{index}", f"res_{index + 1}") for index in range(MOST_BLOCKS)), *LAYERS)
    there = (*(whole(theirs, ours) for theirs, ours in fronts), *stages, *(part(*pair) for pair in names))
    back = (
        *(whole(ours, theirs) for theirs, ours in fronts),
        *(part(ours, theirs) for theirs, ours in names),
        *stages_back,
    )
    return there, back

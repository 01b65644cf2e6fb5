"""Key maps of TSN's and TSM's ResNets, for whole classifiers around a `Lift2D` of torchvision's ResNet, both ways.

Three ways of naming them are about: torchvision's own keys with ``fc``, those of the TSM authors, who put the shifted
convolution below ``net``, and mmaction2's. The last two say in their keys which blocks shift; ``to_authors`` and
``to_mmaction2`` therefore ask.
"""

from __future__ import annotations

from typing import Literal

KeyMap = tuple[tuple[str, str], ...]
Shifted = Literal["none", "all", "even"]

FROM_TORCHVISION: KeyMap = ((r"^fc\.", "head.out."), (r"^(?!head\.)", "backbone.backbone."))
TO_TORCHVISION: KeyMap = ((r"^head\.out\.", "fc."), (r"^backbone\.backbone\.", ""))

FROM_AUTHORS: KeyMap = (
    (r"^module\.", ""),
    (r"^new_fc\.", "head.out."),
    (r"^base_model\.", "backbone.backbone."),
    (r"\.conv1\.net\.", ".conv1."),
)

FROM_MMACTION2: KeyMap = (
    (r"^cls_head\.fc_cls\.", "head.out."),
    (r"^backbone\.", "backbone.backbone."),
    (r"\.conv(\d)\.conv\.net\.", r".conv\1."),
    (r"\.conv(\d)\.conv\.", r".conv\1."),
    (r"\.conv(\d)\.bn\.", r".bn\1."),
    (r"\.downsample\.conv\.", ".downsample.0."),
    (r"\.downsample\.bn\.", ".downsample.1."),
)

_BLOCKS = {"all": r"layer\d\.\d+", "even": r"layer\d\.\d*[02468]"}


def to_authors(shifted: Shifted = "all") -> KeyMap:
    """Returns the pairs to the authors' names.

    Args:
        shifted: which blocks of each stage shift: ``all``, the ``even`` ones (ResNet-101 and deeper), or ``none``.
    """
    return (
        *_nest_first_convolution(shifted, "net"),
        (r"^head\.out\.", "new_fc."),
        (r"^backbone\.backbone\.", "base_model."),
    )


def to_mmaction2(shifted: Shifted = "all") -> KeyMap:
    """Returns the pairs to mmaction2's names; ``shifted`` as in `to_authors`."""
    return (
        *_nest_first_convolution(shifted, "conv.net"),
        (r"\.conv(\d)\.(?!conv\.)", r".conv\1.conv."),
        (r"\.bn(\d)\.", r".conv\1.bn."),
        (r"\.downsample\.0\.", ".downsample.conv."),
        (r"\.downsample\.1\.", ".downsample.bn."),
        (r"^backbone\.backbone\.", "backbone."),
        (r"^head\.out\.", "cls_head.fc_cls."),
    )


def _nest_first_convolution(shifted: Shifted, below: str) -> KeyMap:
    if shifted == "none":
        return ()
    return ((rf"\.({_BLOCKS[shifted]})\.conv1\.", rf".\1.conv1.{below}."),)

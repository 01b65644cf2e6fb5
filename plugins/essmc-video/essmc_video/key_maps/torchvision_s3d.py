"""Key maps of torchvision's S3D, for whole classifiers, both ways.

torchvision classifies with a 1×1×1 convolution, whose weight holds the numbers of our linear layer's in another shape.
"""

from __future__ import annotations

import re

KeyMap = tuple[tuple[str, str], ...]

# torchvision counts through, pools included.
BLOCKS = (
    ("0", "block1.0"),
    ("2", "block2.1"),
    ("3", "block2.2"),
    ("5", "block3.1"),
    ("6", "block3.2"),
    ("8", "block4.1"),
    ("9", "block4.2"),
    ("10", "block4.3"),
    ("11", "block4.4"),
    ("12", "block4.5"),
    ("14", "block5.1"),
    ("15", "block5.2"),
)
# Layers below a block; the separable pairs first, since plain ones are the tails of their names.
SEPARABLE = (("0.0", "conv1"), ("0.1", "bn1"), ("1.0", "conv2"), ("1.1", "bn2"))
PLAIN = (("0", "conv"), ("1", "bn"))
IN_MIXED = (
    ("branch0", "branch0.0"),
    ("branch1.0", "branch1.0"),
    ("branch2.0", "branch2.0"),
    ("branch3.1", "branch3.1"),
)


def _layers() -> list[tuple[str, str]]:
    pairs = []
    for theirs, ours in BLOCKS:
        if ours in ("block1.0", "block2.2"):
            found = [(f".{layer}", f".{name}") for layer, name in SEPARABLE]
        elif ours == "block2.1":
            found = [(f".{layer}", f".{name}") for layer, name in PLAIN]
        else:
            found = [
                (f".{branch}.1.{layer}", f".{branch}.1.{name}")
                for branch in ("branch1", "branch2")
                for layer, name in SEPARABLE
            ]
            found += [(f".{a}.{layer}", f".{b}.{name}") for a, b in IN_MIXED for layer, name in PLAIN]
        pairs += [(f"features.{theirs}{layer}", f"backbone.{ours}{name}") for layer, name in found]
    return [*pairs, ("classifier.1", "head.out")]


FROM_TORCHVISION: KeyMap = tuple((rf"^{re.escape(theirs)}\.", f"{ours}.") for theirs, ours in _layers())
TO_TORCHVISION: KeyMap = tuple((rf"^{re.escape(ours)}\.", f"{theirs}.") for theirs, ours in _layers())

"""TAdaConv's S3D-G, whose names are ours: its state dicts hold every block twice, as ``Conv_1a`` and ``block1.0``."""

from __future__ import annotations

KeyMap = tuple[tuple[str, str], ...]

_BLOCKS = {
    "Conv_1a": "block1.0", "Conv_2b": "block2.1", "Conv_2c": "block2.2", "Mixed_3b": "block3.1", "Mixed_3c": "block3.2",
    "Mixed_4b": "block4.1", "Mixed_4c": "block4.2", "Mixed_4d": "block4.3", "Mixed_4e": "block4.4",
    "Mixed_4f": "block4.5", "Mixed_5b": "block5.1", "Mixed_5c": "block5.2",
}  # fmt: skip

AGAIN: KeyMap = tuple((rf"^(backbone\.)?{theirs}\.", rf"\g<1>{ours}.") for theirs, ours in _BLOCKS.items())
# What is there under our names as well is left out.
TO_OURS: KeyMap = ((r"^(?:backbone\.)?(?:Conv|Mixed)_\d[a-f]\..*$", ""),)

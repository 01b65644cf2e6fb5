"""Key maps of pytorchvideo's residual blocks, which all of its networks share."""

from __future__ import annotations

KeyMap = tuple[tuple[str, str], ...]

# The longest stage, of depth 152, has this many blocks; X3D's have fewer.
MOST_BLOCKS = 36


def whole(theirs: str, ours: str) -> tuple[str, str]:
    """Returns the pair that renames the front of a key."""
    return (rf"^{_escaped(theirs)}\.", f"{ours}.")


def part(theirs: str, ours: str) -> tuple[str, str]:
    """Returns the pair that renames a run of whole parts of a key."""
    return (rf"\.{_escaped(theirs)}\.", f".{ours}.")


def blocks(parts: tuple[tuple[str, str], ...], most: int = MOST_BLOCKS) -> tuple[KeyMap, KeyMap]:
    """Returns the pairs for what is inside a stage, from their names to ours and back.

    Args:
        parts: their and our names of a block's layers.
        most: number of blocks to write pairs for; they count from 0 and we from 1.
    """
    numbers = tuple((f"res_blocks.{index}", f"res_{index + 1}") for index in range(most))
    pairs = (*numbers, *parts)
    return tuple(part(theirs, ours) for theirs, ours in pairs), tuple(part(ours, theirs) for theirs, ours in pairs)


def _escaped(name: str) -> str:
    return name.replace(".", r"\.")

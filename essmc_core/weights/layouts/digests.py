"""One number for the names and shapes of a network, the number of its classes aside."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from essmc_core.foundation.atomic import write_text
from essmc_core.weights.layouts.layout import Shapes

# What a state dict may lack or hold more, by the version of the library that wrote it.
_INCIDENTAL = ("num_batches_tracked", "relative_position_index", "attn_mask")


def digest(shapes: Shapes, head: str) -> str:
    """Returns the digest of a state dict.

    Args:
        shapes: by name; counters of batches and tables that are computed do not count.
        head: path of the last layer; below it the first dimension, the number of classes, does not count.
    """
    lines = sorted(
        f"{name} {('*', *shape[1:]) if is_below(name, head) else shape}"
        for name, shape in shapes.items()
        if name.rpartition(".")[2] not in _INCIDENTAL
    )
    return hashlib.blake2b("\n".join(lines).encode(), digest_size=8).hexdigest()


def classes_of(shapes: Shapes, head: str) -> tuple[int, ...]:
    """Returns the numbers of classes of the layers below a path, in order; empty if there are none."""
    return tuple(shape[0] for name, shape in shapes.items() if is_below(name, head) and len(shape) > 1)


def is_below(name: str, head: str) -> bool:
    """Returns whether a tensor belongs to a layer."""
    return bool(head) and (name == head or name.startswith(f"{head}."))


def write_table(path: Path, networks: Iterable[tuple[str, str, Shapes]], *, without_heads: bool = False) -> None:
    """Writes the table of a layout.

    Args:
        path: a JSON file.
        networks: (name, path of the last layer, shapes by name) of each.
        without_heads: whether files that lack the last layer are recognised too.
    """
    table: dict[str, dict[str, list[str]]] = {}
    for name, head, shapes in networks:
        trunk = {key: shape for key, shape in shapes.items() if not is_below(key, head)}
        if len(trunk) < len(shapes):
            table.setdefault(head, {}).setdefault(digest(shapes, head), []).append(name)
        if without_heads:
            table.setdefault("", {}).setdefault(digest(trunk, ""), []).append(name)
    write_text(path, json.dumps(table, indent=0, sort_keys=True) + "\n")

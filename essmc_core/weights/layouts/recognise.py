"""Which known networks a state dict is of: those whose names and shapes are exactly its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from essmc_core.errors import WeightsMismatch
from essmc_core.weights.key_maps import NAMES
from essmc_core.weights.layouts.digests import classes_of, digest, is_below
from essmc_core.weights.layouts.layout import Again, AnyLayout, Derived, Layout, Shapes, Table
from essmc_core.weights.state_dict import map_keys, strip_wrappers

# Added to every name by a module that holds the network: Lightning's, and those of trainers.
_HOLDERS = ("model.", "net.", "network.", "encoder.", "_model.", "student.", "teacher.")
_OURS = ("backbone.", "head.")


@dataclass(frozen=True, slots=True)
class Match:
    """Networks whose names and shapes are those of a state dict, through a layout.

    Attributes:
        layout: the layout.
        networks: their names in its table; more than one where names and shapes do not tell them apart.
        head: path of the last layer in the table's names, empty if the file lacks it.
        classes: number of classes of each part of the head.
        tensors: how many tensors are covered: all of them.
        wrapper: what stands before every name: ``model.`` in Lightning's checkpoints.
        is_ours: whether the names are those of our classifier around a backbone of the table.
    """

    layout: Layout
    networks: tuple[str, ...]
    head: str
    classes: tuple[int, ...]
    tensors: int
    wrapper: str = ""
    is_ours: bool = False


def recognise(shapes: Shapes, layouts: Iterable[AnyLayout]) -> list[Match]:
    """Returns the networks that a state dict may be of, every tensor of it included.

    Args:
        shapes: of its tensors, by name.
        layouts: the layouts to try.
    """
    bare = strip_wrappers(shapes)
    known = [layout for layout in layouts if isinstance(layout, Layout)]
    tables: dict[Path, Table] = {}

    def table_of(layout: Layout) -> Table:
        # Projects that have a network in common share its table, and each wrapper is tried with all of them.
        if layout.table not in tables:
            tables[layout.table] = layout.read_table()
        return tables[layout.table]

    for wrapper, inner in unwrapped(bare):
        found = [match for layout in known for match in _matches(inner, layout, table_of, wrapper)]
        if found:
            return found
    return []


def unwrapped(shapes: Shapes) -> list[tuple[str, Shapes]]:
    """Returns a state dict as it is, and without what a module that holds the network puts before every name."""
    found: list[tuple[str, Shapes]] = [("", shapes)]
    for holder in _HOLDERS:
        if shapes and all(name.startswith(holder) for name in shapes):
            found.append((holder, strip_wrappers({name.removeprefix(holder): shape for name, shape in shapes.items()})))
    return found


def _matches(shapes: Shapes, layout: Layout, table_of: Callable[[Layout], Table], wrapper: str) -> Iterable[Match]:
    if layout.sign and not any(layout.sign in name for name in shapes):
        return
    renamed = renamed_by(shapes, layout)
    if renamed is None:
        return
    is_ours = layout.holds == "backbones" and all(name.startswith(_OURS) for name in renamed)
    for head, networks in table_of(layout).items():
        named = {_theirs(name, head): shape for name, shape in renamed.items()} if is_ours else renamed
        if (not head or any(is_below(name, head) for name in named)) and (names := networks.get(digest(named, head))):
            yield Match(layout, tuple(names), head, classes_of(named, head), len(shapes), wrapper, is_ours)


def _theirs(name: str, head: str) -> str:
    """Returns the name that a tensor of our classifier has in the network that its backbone is."""
    inner = name.removeprefix("head.fc.").removeprefix("head.out.")
    return name.removeprefix("backbone.") if inner == name else f"{head}.{inner}"


def renamed_by(shapes: Shapes, layout: Layout | Derived) -> Shapes | None:
    """Returns the shapes under the names that a layout's key map leads to, None if it does not fit them."""
    once = _once(shapes, layout.again)
    if not layout.key_map:
        return once
    try:
        renamed = map_keys(once, NAMES.pairs(layout.key_map))
    except WeightsMismatch:
        return None
    return None if renamed.keys() == shapes.keys() or len(renamed) < len(once) else renamed


def _once(shapes: Shapes, again: Again) -> Shapes:
    """Leaves out the names whose tensors, of the same shape, are there under the names that they stand for."""
    if not again:
        return shapes
    kept = {}
    for name, shape in shapes.items():
        other = name
        for pattern, replacement in again:
            other = re.sub(pattern, replacement, other)
        if other == name or shapes.get(other) != shape:
            kept[name] = shape
    return kept

"""Groups of tensors by the dotted parts of their names: a tree with sums."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from essmc_core.weights.contents.stored import StoredTensor


@dataclass(slots=True)
class Group:
    """The tensors below a prefix.

    Attributes:
        name: what distinguishes it from its parent: one part of the names, or several that always go together.
        tensors: how many there are.
        numel: their elements.
        groups: those inside.
    """

    name: str
    tensors: int = 0
    numel: int = 0
    groups: dict[str, Group] = field(default_factory=dict)


def grouped_tree(tensors: Mapping[str, StoredTensor], depth: int = 2) -> list[Group]:
    """Returns the groups of a state dict.

    Args:
        tensors: by name.
        depth: how many levels to return; those with a single group inside do not count.
    """
    root = Group("")
    for name, tensor in tensors.items():
        node = root
        # The last part names the tensor itself.
        for part in name.split(".")[:-1] or [name]:
            node = node.groups.setdefault(part, Group(part))
            node.tensors += 1
            node.numel += tensor.numel
    return [_trimmed(group, depth - 1) for group in root.groups.values()]


def _trimmed(group: Group, depth: int) -> Group:
    name = group.name
    while len(group.groups) == 1 and (inner := next(iter(group.groups.values()))).tensors == group.tensors:
        group, name = inner, f"{name}.{inner.name}"
    inside = {key: _trimmed(inner, depth - 1) for key, inner in group.groups.items()} if depth > 0 else {}
    return Group(name, group.tensors, group.numel, inside)


def lines(groups: list[Group], indent: int = 0) -> Iterator[tuple[str, int, int]]:
    """Yields (indented name, tensors, elements) of each group, depth first."""
    for group in groups:
        yield "  " * indent + group.name, group.tensors, group.numel
        yield from lines(list(group.groups.values()), indent + 1)

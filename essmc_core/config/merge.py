"""Deep merge: later values win, mappings merge key by key, everything else is replaced as a whole."""

from __future__ import annotations

from essmc_core.config.tree import Entry, MappingNode, Node


def merge(base: MappingNode, over: MappingNode) -> MappingNode:
    """Merges one tree over another.

    The operation is associative: a chain of bases means the same however it is split into files. To that end a mapping
    that replaced something (by ``_delete_``, or because its place held a scalar or list) still does so when the result
    is merged over a third tree.

    Args:
        base: the earlier tree.
        over: the later tree, which wins.
    """
    if over.replaces:
        return over
    entries = dict(base.entries)
    for key, entry in over.entries.items():
        below = entries.get(key)
        entries[key] = entry if below is None else Entry(entry.key_where, _merge_values(below.value, entry.value))
    return MappingNode(entries, over.where if over.entries else base.where, base.replaces)


def _merge_values(base: Node, over: Node) -> Node:
    if not isinstance(over, MappingNode):
        return over
    if isinstance(base, MappingNode):
        return merge(base, over)
    return MappingNode(over.entries, over.where, replaces=True)

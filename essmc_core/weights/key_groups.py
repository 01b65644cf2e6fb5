"""Names keys in groups, by the part of a network they share or by similar layers, with patterns that match them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from essmc_core.weights.state_dict import strip_key

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """Keys that one pattern matches.

    Attributes:
        label: the group in words: ``bn.running_var of 3 layers``, ``decoder (64 tensors)``, ``head.bias``.
        pattern: matches all of the keys, as ``allow_missing`` and ``allow_unused`` take it.
        keys: the keys.
    """

    label: str
    pattern: str
    keys: tuple[str, ...]


def key_groups(keys: Iterable[str], others: Collection[str] = ()) -> tuple[KeyGroup, ...]:
    """Groups keys by whole parts of the network or by similar layers, whichever gives fewer groups.

    Args:
        keys: the keys.
        others: keys that no group may include; those below a prefix that none of them has are one part.
    """
    listed = tuple(keys)
    by_layers = _grouped(listed, _tail, _layers)
    fronts = {".".join(parts[:depth]) for parts in (key.split(".") for key in others) for depth in range(len(parts))}
    by_parts = _grouped(listed, lambda key: _whole_part(key, fronts), _part)
    return by_parts if len(by_parts) < len(by_layers) else by_layers


def shown(groups: Sequence[KeyGroup]) -> str:
    """Returns groups as one line: ``bn.running_var of 3 layers, head.bias``."""
    rest = len(groups) - _SHOWN
    return ", ".join(group.label for group in groups[:_SHOWN]) + (f" and {rest} more groups" if rest > 0 else "")


def grouped(keys: Iterable[str], others: Collection[str] = ()) -> str:
    """Returns keys as one line of groups, see `key_groups`."""
    return shown(key_groups(keys, others))


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Returns whether a key matches a pattern, or is below a name that matches one."""
    name = strip_key(key)
    return any(fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern.rstrip('.')}.*") for pattern in patterns)


def _grouped(
    keys: Sequence[str], name: Callable[[str], str], make: Callable[[str, tuple[str, ...]], KeyGroup]
) -> tuple[KeyGroup, ...]:
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(name(key), []).append(key)
    return tuple(
        make(common, tuple(found)) if len(found) > 1 else KeyGroup(found[0], _literal(found[0]), tuple(found))
        for common, found in groups.items()
    )


def _tail(key: str) -> str:
    """Returns the end of a key that similar layers share: the tensor's name and the last name before it."""
    parts = key.split(".")
    names = [index for index, part in enumerate(parts[:-1]) if not part.isdigit()]
    return ".".join(re.sub(r"^\d+$", "*", part) for part in parts[names[-1] if names else 0 :])


def _layers(tail: str, keys: tuple[str, ...]) -> KeyGroup:
    stars = tail.count("*")
    pattern = "*".join(_literal(part) for part in tail.split("*"))
    # One of the layers may stand at the top, where nothing comes before its name.
    at_top = any(strip_key(key).count(".") == tail.count(".") for key in keys)
    return KeyGroup(f"{tail} of {len(keys)} layers", f"*{'' if at_top or stars else '.'}{pattern}", keys)


def _whole_part(key: str, fronts: Collection[str]) -> str:
    """Returns the shortest beginning of a key that none of the others has."""
    parts = key.split(".")
    return next(
        (front for depth in range(1, len(parts)) if (front := ".".join(parts[:depth])) not in fronts),
        key,
    )


def _part(front: str, keys: tuple[str, ...]) -> KeyGroup:
    return KeyGroup(f"{front} ({len(keys)} tensors)", f"{_literal(strip_key(f'{front}.'))}*", keys)


def _literal(text: str) -> str:
    return text.replace("[", "[[]")

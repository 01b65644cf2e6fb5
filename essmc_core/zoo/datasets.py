"""Names of data sets: the common spellings of those that results are published on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from essmc_core.foundation.names import matches

ALIASES: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "ImageNet-1k": ("in1k", "imagenet", "ilsvrc2012", "ilsvrc"),
    "ImageNet-21k": ("in21k", "imagenet22k", "in22k"),
    "Kinetics-400": ("k400",),
    "Kinetics-600": ("k600",),
    "Kinetics-700": ("k700",),
    "Something-Something V1": ("ssv1", "sthv1", "sthsthv1"),
    "Something-Something V2": ("ssv2", "sthv2", "sthsthv2"),
    "EPIC-KITCHENS-100": ("ek100", "epic100", "epickitchens"),
    "HMDB51": ("hmdb",),
    "UCF101": ("ucf",),
})  # fmt: skip


def is_dataset(name: str, pattern: str) -> bool:
    """Returns whether the name of a data set matches a pattern.

    Spellings are normalised: ``k400``, ``kinetics400`` and ``Kinetics-400`` are equal. A pattern with wildcards is
    matched with the name and its aliases; one without matches anywhere in the name, or a whole alias.

    Args:
        name: the data set's published name.
        pattern: what the user wrote.
    """
    aliases = ALIASES.get(name, ())
    if any(char in pattern for char in "*?["):
        return any(matches(spelling, pattern) for spelling in (name, _plain(name), *aliases))
    wanted = _plain(pattern)
    return bool(wanted) and (wanted in _plain(name) or wanted in aliases)


def spellings(names: Iterable[str]) -> list[str]:
    """Returns the names with their aliases, for suggestions."""
    return [spelling for name in names for spelling in (name, *ALIASES.get(name, ()))]


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())

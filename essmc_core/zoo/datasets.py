"""Names of data sets: the many spellings of those that results are published on."""

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
    """Returns whether a data set is what a user means.

    Spelling does not count: ``k400``, ``kinetics400`` and ``Kinetics-400`` are one. A pattern with wildcards is held
    against the name and its aliases as they are; one without matches anywhere in the name, and an alias as a whole.

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

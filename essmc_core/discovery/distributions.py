"""What installed metadata says of packs: entry points, version, source, and the range of cores they accept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

import importlib_metadata

from essmc_core.hooks import GROUP
from essmc_core.names import normalise_distribution

# Parsing the whole of METADATA as e-mail costs a third of a millisecond a pack; three header lines are wanted.
_HEADER = re.compile(r"^(Name|Version|Requires-Dist):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_CORE = re.compile(r"essmc[-_.]+core(?![\w.-])[ \t]*(.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution with entry points of ours.

    Attributes:
        name: normalised distribution name.
        version: installed version, ``unknown`` where the metadata has none.
        core_requirement: its requirement on essmc-core as written, empty where it has none.
        source: ``wheel``, ``editable``, ``vcs`` or ``local``.
        entry_points: in the order of their names.
    """

    name: str
    version: str
    core_requirement: str
    source: str
    entry_points: tuple[importlib_metadata.EntryPoint, ...]


def installed_packs() -> list[Installed]:
    """Returns the packs in the order of their names.

    A stale distribution that a newer one shadows on the path is left out, as it is by ``import``.
    """
    points_of: dict[int, list[importlib_metadata.EntryPoint]] = {}
    for point in importlib_metadata.entry_points(group=GROUP):
        points_of.setdefault(id(point.dist), []).append(point)
    packs = [_read(points) for points in points_of.values()]
    return sorted(packs, key=lambda pack: pack.name)


def _read(points: list[importlib_metadata.EntryPoint]) -> Installed:
    distribution = points[0].dist
    assert distribution is not None
    text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    name, version, requirement = points[0].name, "unknown", ""
    for key, value in _HEADER.findall(text.partition("\n\n")[0]):
        if key == "Name":
            name = value
        elif key == "Version":
            version = value
        elif _CORE.match(value):
            requirement = value
    ordered = tuple(sorted(points, key=lambda point: point.name))
    return Installed(normalise_distribution(name), version, requirement, _source(distribution), ordered)


def _source(distribution: Any) -> str:
    text = distribution.read_text("direct_url.json")
    if text is None:
        return "wheel"
    try:
        origin = json.loads(text)
    except ValueError:
        return "wheel"
    if "vcs_info" in origin:
        return "vcs"
    return "editable" if origin.get("dir_info", {}).get("editable") else "local"

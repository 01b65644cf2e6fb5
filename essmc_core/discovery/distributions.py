"""Reads the metadata of installed packs: entry points, version, source, and the versions of the core they accept.

No content of a distribution may abort the search: what cannot be read is reported and skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from essmc_core.discovery.entry_points import EntryPoint, MetadataError, parse_entry_points
from essmc_core.discovery.hooks import GROUP
from essmc_core.discovery.metadata_folders import MetadataFolder, metadata_folders
from essmc_core.foundation.error_text import brief
from essmc_core.foundation.names import natural_key, normalise_distribution
from essmc_core.location import Location

# Parsing METADATA as an e-mail takes a third of a millisecond per pack; only three headers are needed.
_HEADER = re.compile(r"^(Name|Version|Requires-Dist):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
_CORE = re.compile(r"essmc[-_.]+core(?![\w.-])[ \t]*(.*)", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_STEM = re.compile(r"(.+?)-(\d[^-]*)(?:-.*)?")
_SECTION = re.compile(rb"^\s*\[\s*%s\s*(?:\]|$)" % re.escape(GROUP.encode()), re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Installed:
    """One distribution with entry points in the group of packs.

    Attributes:
        name: normalised distribution name.
        version: installed version, ``unknown`` if neither metadata nor folder name state it.
        core_requirement: its requirement on essmc-core as written, empty if it has none.
        source: ``wheel``, ``editable``, ``vcs`` or ``local``.
        entry_points: in the order of their names.
        folder: its ``.dist-info``.
        remarks: irregularities of its metadata that are not errors.
        problem: why it cannot be used; None if it can.
        is_pack: whether it is known to be a pack; if its entry points cannot be read, that is a guess.
    """

    name: str
    version: str = "unknown"
    core_requirement: str = ""
    source: str = "wheel"
    entry_points: tuple[EntryPoint, ...] = ()
    folder: str = ""
    remarks: tuple[str, ...] = ()
    problem: Exception | None = None
    is_pack: bool = True


@dataclass(slots=True)
class _Found:
    """A distribution whose entry points were read."""

    metadata: MetadataFolder
    folder: str
    points: list[EntryPoint]
    problem: Exception | None = None
    is_pack: bool = True
    others: list[str] = field(default_factory=list)
    known: Installed | None = None


def installed_packs(known: Callable[[str], Installed | None] = lambda folder: None) -> list[Installed]:
    """Returns the packs in the order of their names, those whose metadata cannot be used included.

    A distribution that is shadowed by another one earlier on the path is left out, as ``import`` does.

    Args:
        known: returns what a folder of metadata says if that is known without reading it.
    """
    first: dict[str, str] = {}
    chosen: dict[str, _Found] = {}
    problems: list[Installed] = []

    def report(name: str, error: Exception) -> None:
        problems.append(Installed(name, problem=error, is_pack=False))

    for metadata in metadata_folders(report):
        folder = metadata.path
        key = _name_of_folder(folder)
        parent = os.path.dirname(folder)
        if first.setdefault(key, parent) != parent or (key in chosen and chosen[key].folder == folder):
            continue
        remembered = known(folder) if metadata.distribution is None else None
        found = _look(metadata) if remembered is None else _of_known(metadata, remembered)
        if key in chosen:
            chosen[key] = _newer(chosen[key], found or _Found(metadata, folder, []))
        elif found is not None:
            chosen[key] = found
    packs = [_read(found) for found in chosen.values() if found.points or found.problem]
    return sorted([*packs, *problems], key=lambda pack: pack.name)


def _look(metadata: MetadataFolder) -> _Found | None:
    """Reads the entry points; None if there are none in the group of packs."""
    folder = metadata.path
    file = os.path.join(folder, "entry_points.txt")
    try:
        data = metadata.read("entry_points.txt")
    except Exception as error:
        problem = MetadataError(f"entry_points.txt cannot be read: {brief(error)}", where=Location(file))
        return _Found(metadata, folder, [], problem, is_pack=False)
    if data is None or GROUP.encode() not in data.replace(b"\0", b""):
        return None
    if os.path.basename(folder).startswith("~"):
        problem = MetadataError("left over from an interrupted pip install", where=Location(folder), hint="delete it")
        return _Found(metadata, folder, [], problem, is_pack=False)
    try:
        text = data.decode("utf-8-sig", errors="surrogateescape")
        if "\0" in text:
            raise MetadataError("entry_points.txt is not UTF-8 text", where=Location(file))
        points = parse_entry_points(text, GROUP, file)
    except MetadataError as error:
        readable = data.replace(b"\0", b"").lstrip(b"\xff\xfe\xef\xbb\xbf")
        return _Found(metadata, folder, [], error, is_pack=_SECTION.search(readable) is not None)
    return _Found(metadata, folder, points) if points else None


def _of_known(metadata: MetadataFolder, known: Installed) -> _Found:
    return _Found(metadata, metadata.path, list(known.entry_points), known=known)


def _newer(one: _Found, other: _Found) -> _Found:
    """Returns the newer of two distributions of one name in one folder, as an interrupted upgrade leaves them."""
    older, newer = sorted((one, other), key=lambda found: natural_key(os.path.basename(found.folder)))
    newer.others = [*one.others, *other.others, older.folder]
    return newer


def _read(found: _Found) -> Installed:
    if found.known is not None and not found.others:
        return found.known
    remarks = [f"{other} is another version of it in the same folder; delete one" for other in found.others]
    folder_name, folder_version = _name_of_folder(found.folder), _name_and_version(found.folder)[1]
    name, version, requirement, problem = folder_name, "", "", found.problem
    try:
        data = found.metadata.read("METADATA")
        data = data if data is not None else found.metadata.read("PKG-INFO")
    except Exception as error:
        data = b""
        remarks.append(f"METADATA cannot be read ({brief(error)})")
    text = (data or b"").decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    headers = _HEADER.findall(text.partition("\n\n")[0])
    stated = dict(reversed(headers))
    for key, value in headers:
        if key == "Requires-Dist" and _CORE.match(value):
            requirement = value
    if "Name" not in stated:
        remarks.append(f"METADATA states no Name; its folder says {name}")
    elif _NAME.fullmatch(stated["Name"]):
        name = normalise_distribution(stated["Name"])
    else:
        message = f"METADATA states {stated['Name']!r}, which is no name of a distribution"
        problem = problem or MetadataError(message, where=Location(found.folder), hint=f"install {name} anew")
    version = stated.get("Version", "")
    if not version.isprintable() or " " in version or not version:
        remarks.append("METADATA states no Version" + (f"; its folder says {folder_version}" if folder_version else ""))
        version = folder_version or "unknown"
    source = _source(found, remarks)
    return Installed(
        name, version, requirement, source, tuple(found.points), found.folder, tuple(remarks), problem, found.is_pack
    )


def _source(found: _Found, remarks: list[str]) -> str:
    try:
        data = found.metadata.read("direct_url.json")
        origin = {} if data is None else json.loads(data)
        if not isinstance(origin, Mapping) or not isinstance(origin.get("dir_info", {}), Mapping):
            raise MetadataError("it is no mapping")
    # RecursionError and decoding errors included: whatever that file contains, the pack is installed.
    except Exception as error:
        remarks.append(f"direct_url.json cannot be read ({brief(error)})")
        return "wheel"
    if data is None:
        return "wheel"
    if "vcs_info" in origin:
        return "vcs"
    return "editable" if origin.get("dir_info", {}).get("editable") else "local"


def _name_of_folder(folder: str) -> str:
    return normalise_distribution(_name_and_version(folder)[0])


def _name_and_version(folder: str) -> tuple[str, str]:
    """Returns what a folder's name says; the version is empty if it says none."""
    stem = os.path.basename(folder)
    if stem == "EGG-INFO":
        stem = os.path.basename(os.path.dirname(folder))
    stem = stem.removesuffix(".dist-info").removesuffix(".egg-info")
    parts = _STEM.fullmatch(stem)
    return (parts[1], parts[2]) if parts else (stem, "")

"""Checks of what a distribution's metadata states."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from essmc_core.discovery.compatibility import accepts
from essmc_core.discovery.entry_points import MetadataError, parse_entry_points
from essmc_core.discovery.hooks import GROUP
from essmc_core.foundation.names import nearest
from essmc_core.foundation.version import __version__
from essmc_devkit.installation.check import check
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.installation.source import written_versions
from essmc_devkit.problem import Problem

_CORE = "essmc-core"


@check("installation.metadata")
def stated(pack: PackUnderTest) -> Iterator[Problem]:
    """Name, version, summary, description and range of Pythons are stated and valid."""
    fields = pack.fields
    if not fields.get("Name"):
        yield Problem("METADATA states no Name", "set `name` in [project]")
    try:
        Version(pack.version)
    except InvalidVersion:
        yield Problem(f"its version {pack.version!r} is none by PEP 440", 'set `version = "0.1.0"` in [project]')
    for place, written in written_versions(pack):
        if written != pack.version:
            yield Problem(
                f"{place} says that it is version {written}, the metadata {pack.version}",
                'state it once: `dynamic = ["version"]` in [project] reads it from the file',
            )
    if not str(fields.get("Summary") or "").strip() or fields.get("Summary") == "UNKNOWN":
        yield Problem("it has no summary", "set `description` in [project], one line", "warning")
    if not (fields.get("Description") or str(fields.get_payload() or "").strip()):
        yield Problem("it has no description", 'set `readme = "README.md"` in [project]', "warning")


@check("installation.python")
def python(pack: PackUnderTest) -> Iterator[Problem]:
    """The range of Pythons is stated and admits the one that runs."""
    written = str(pack.fields.get("Requires-Python") or "")
    if not written:
        yield Problem("it states no range of Pythons", 'set `requires-python = ">=3.10"` in [project]', "warning")
        return
    try:
        admits = SpecifierSet(written).contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        yield Problem(f"requires-python = {written!r} is no range of versions", 'write for example ">=3.10"')
        return
    if not admits:
        running = platform.python_version()
        yield Problem(f"it needs Python {written}, and {running} runs", "widen `requires-python`, or use that Python")


@check("installation.core-range")
def core_range(pack: PackUnderTest) -> Iterator[Problem]:
    """It requires the core, in a range that admits the one that runs and ends somewhere."""
    wanted = 'write "essmc-core>=0.1,<1" in `dependencies` of [project]'
    found = [one for one in _requirements(pack) if canonicalize_name(one.name) == _CORE and _applies(one)]
    if not found:
        yield Problem("it does not require essmc-core", wanted)
        return
    text = f"essmc-core{found[-1].specifier}"
    if not accepts(text, __version__):
        yield Problem(f"it needs {text}, and essmc-core {__version__} runs", "widen the range, or install that core")
    operators = {one.operator for one in found[-1].specifier}
    if not operators & {"<", "<=", "~=", "==", "==="}:
        yield Problem(f"{text} admits every later core, also those that take away what it uses", wanted, "warning")


@check("installation.requirements")
def requirements(pack: PackUnderTest) -> Iterator[Problem]:
    """What it requires can be read, is installed in versions that it admits, and an index can resolve it."""
    for text in pack.metadata.requires or ():
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            yield Problem(f"the requirement {text!r} cannot be read", "write `name>=1,<2` in `dependencies`")
            continue
        if wanted.url:
            yield Problem(
                f"it requires {wanted.name} from {wanted.url}, which package indexes refuse",
                "require a released version",
            )
        elif _applies(wanted) and canonicalize_name(wanted.name) != _CORE:
            yield from _unmet(wanted)


def _unmet(wanted: Requirement) -> Iterator[Problem]:
    try:
        version = metadata.version(wanted.name)
    except metadata.PackageNotFoundError:
        yield Problem(f"it requires {wanted.name}, which is not installed", f"pip install '{_plain(wanted)}'")
        return
    if not wanted.specifier.contains(version, prereleases=True):
        yield Problem(f"it requires {_plain(wanted)}, and {version} is installed", f"pip install '{_plain(wanted)}'")


def _plain(wanted: Requirement) -> str:
    return f"{wanted.name}{wanted.specifier}"


def _applies(wanted: Requirement) -> bool:
    return wanted.marker is None or wanted.marker.evaluate({"extra": ""})


def _requirements(pack: PackUnderTest) -> Iterator[Requirement]:
    for text in pack.metadata.requires or ():
        try:
            yield Requirement(text)
        except InvalidRequirement:
            continue


@check("installation.entry-points")
def entry_points(pack: PackUnderTest) -> Iterator[Problem]:
    """It has an entry point in the group of packs, and that names a module of its own."""
    text = pack.metadata.read_text("entry_points.txt") or ""
    table = f'[project.entry-points.{GROUP}]\n{pack.pack} = "package.module"'.replace("\n", ", ")
    try:
        points = parse_entry_points(text, GROUP, "entry_points.txt")
    except MetadataError as error:
        yield Problem(str(error.message), error.hint)
        return
    if not points:
        groups = [line.strip()[1:-1].strip() for line in text.splitlines() if line.strip()[:1] == "["]
        near = nearest(GROUP, groups, count=1) or [name for name in groups if GROUP in name]
        also = f"; it has one in group {near[0]!r}" if near else ""
        yield Problem(f"it has no entry point in group {GROUP!r}, so nobody finds it{also}", f"write {table}")
        return
    own = {name for name, _ in pack.modules()}
    for point in points:
        module = point.value.partition(":")[0].strip()
        if module not in own and not any(package.suffix == ".pth" for package in pack.packages):
            yield Problem(
                f"its entry point {point.name} names the module {module}, which is not among its files",
                f"name the module with its hooks in [project.entry-points.{GROUP}], and see that the wheel holds it",
            )

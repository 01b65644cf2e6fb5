"""Lock files: written as ``pylock.toml`` (PEP 751) or requirements for pip, and read from either."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement

from essmc_core.foundation.names import normalise_distribution
from essmc_core.foundation.toml_file import read_toml
from essmc_core.foundation.version import __version__
from essmc_core.installation.locking.closure import Needed
from essmc_core.installation.locking.errors import LockError
from essmc_core.installation.locking.hashes import IndexFile
from essmc_core.location import Location

_NAME = re.compile(r"pylock(\.[^.]+)?\.toml")
_EDITABLE = re.compile(r"#\s*(\S+) (\S+), ")


@dataclass(frozen=True, slots=True)
class Locked:
    """One distribution of a lock.

    Attributes:
        name: its normalised name.
        version: its version, empty if the file does not state it.
        commit: of a checkout, empty for others.
    """

    name: str
    version: str
    commit: str = ""


def is_pylock(path: Path) -> bool:
    """Returns whether a lock of this name is a ``pylock.toml``, and no file of requirements.

    Raises:
        LockError: pip would take it for neither.
    """
    if path.suffix == ".txt":
        return False
    if _NAME.fullmatch(path.name):
        return True
    raise LockError(f"pip reads no lock called {path.name}", hint="call it pylock.toml, pylock.NAME.toml or NAME.txt")


def pylock(needed: Sequence[Needed], files: Mapping[str, IndexFile], model: str) -> str:
    """Returns the text of a ``pylock.toml``.

    Args:
        needed: all distributions.
        files: those of an index, by name.
        model: what is locked, for readers.

    Raises:
        LockError: an archive or a distribution of an index has no hash.
    """
    major, minor = sys.version_info[:2]
    environment = f"sys_platform == '{sys.platform}' and platform_machine == '{platform.machine()}'"
    lines = [
        'lock-version = "1.0"',
        f"environments = [{_text(environment)}]",
        f'requires-python = "=={major}.{minor}.*"',
        f'created-by = "essmc-core {__version__}"',
    ]
    for one in needed:
        lines += ["", "[[packages]]", f"name = {_text(one.name)}", *_source(one, files)]
        if one.origin.kind in ("editable", "folder"):
            # The version of a folder may change, so the format has no place for it.
            lines += ["", "[packages.tool.essmc]", f"version = {_text(one.version)}"]
    return "\n".join([*lines, "", "[tool.essmc]", f"model = {_text(model)}", ""])


def requirements(needed: Sequence[Needed], files: Mapping[str, IndexFile], model: str) -> str:
    """Returns the text of a file of requirements; with hashes if all distributions have one, as pip wants it."""
    lines = [f"# What `essmc lock {model}` found, for Python {platform.python_version()} on {sys.platform}."]
    has_all = all(one.name in files for one in needed)
    if files and not has_all:
        lines.append("# Without hashes: pip wants one of each distribution, and folders and checkouts have none.")
    for one in needed:
        lines += _requirement(one, files[one.name].sha256 if has_all else "")
    return "\n".join([*lines, ""])


def read_lock(path: Path) -> list[Locked]:
    """Returns the distributions of a lock.

    Raises:
        LockError: it cannot be read, or is no lock.
    """
    where = Location(str(path))
    try:
        if not is_pylock(path):
            return list(_from_requirements(path))
        packages = read_toml(path).get("packages")
        if not isinstance(packages, list):
            raise LockError("it has no [[packages]], so it is no lock", where=where)
        return [_from_package(package) for package in packages]
    except OSError as error:
        raise LockError(f"cannot be read: {error.strerror or error}", where=where) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise LockError("a package of it has no name, or is no table", where=where) from error
    except LockError:
        raise
    except ValueError as error:
        raise LockError(f"not TOML: {error}", where=where) from error


def _source(one: Needed, files: Mapping[str, IndexFile]) -> list[str]:
    origin, version = one.origin, f"version = {_text(one.version)}"
    if origin.kind in ("editable", "folder"):
        editable = "true" if origin.kind == "editable" else "false"
        return [f"directory = {{path = {_text(origin.place)}, editable = {editable}}}"]
    if origin.kind == "vcs":
        system, _, url = origin.url.partition("+")
        asked = f", requested-revision = {_text(origin.revision)}" if origin.revision else ""
        return [
            version,
            f"vcs = {{type = {_text(system)}, url = {_text(url)}, commit-id = {_text(origin.commit)}{asked}}}",
        ]
    if origin.kind == "archive":
        file = IndexFile(origin.url, origin.digest.partition("=")[2])
        return [version, f"archive = {_file(one.name, file, named=False)}"]
    file = files.get(one.name, IndexFile("", ""))
    kind = "wheels" if file.url.endswith(".whl") else "sdist"
    table = _file(one.name, file, named=True)
    return [version, f"{kind} = [{table}]" if kind == "wheels" else f"{kind} = {table}"]


def _file(name: str, file: IndexFile, *, named: bool) -> str:
    if not file.sha256:
        raise LockError(f"{name} has no hash", hint="--no-hashes writes versions alone, to a file of requirements")
    parts = urlsplit(file.url)
    place = f"path = {_text(unquote(parts.path))}" if parts.scheme == "file" else f"url = {_text(file.url)}"
    own = f"name = {_text(unquote(parts.path).rpartition('/')[2])}, " if named else ""
    return f"{{{own}{place}, hashes = {{sha256 = {_text(file.sha256)}}}}}"


def _requirement(one: Needed, sha256: str) -> list[str]:
    origin = one.origin
    if origin.kind == "editable":
        return [f"# {one.name} {one.version}, from a folder:", f"-e {origin.place}"]
    if origin.kind == "folder":
        return [f"# {one.name} {one.version}, from a folder:", origin.place]
    if origin.kind == "vcs":
        return [f"{one.name} @ {origin.url}@{origin.commit}"]
    if origin.kind == "archive":
        return [f"{one.name} @ {origin.url}{f'#{origin.digest}' if origin.digest else ''}"]
    return [f"{one.name}=={one.version}" + (f" --hash=sha256:{sha256}" if sha256 else "")]


def _from_package(package: Mapping[str, Any]) -> Locked:
    own = package.get("tool", {}).get("essmc", {}).get("version", "")
    commit = package.get("vcs", {}).get("commit-id", "")
    return Locked(normalise_distribution(package["name"]), str(package.get("version", own)), str(commit))


def _from_requirements(path: Path) -> Iterator[Locked]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        folder = _EDITABLE.match(line)
        if folder is not None and line.endswith("from a folder:"):
            yield Locked(normalise_distribution(folder[1]), folder[2])
            continue
        text = line.partition(" --hash=")[0].strip()
        if not text or text.startswith(("#", "-", "/", ".")):
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise LockError(f"{text!r} is no requirement: {error}", where=Location(str(path), number)) from error
        versions = [one.version for one in requirement.specifier if one.operator == "=="]
        commit = (requirement.url or "").rpartition("@")[2] if "+" in (requirement.url or "") else ""
        yield Locked(normalise_distribution(requirement.name), versions[0] if versions else "", commit)


def _text(value: str) -> str:
    # What JSON escapes, TOML's basic strings escape likewise, and this one besides.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

"""Compares the files of an installed distribution with its RECORD."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Fault = Literal["missing", "changed", "extra", "unreadable"]
_LARGEST_RECORD = 64 << 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between what is installed and what was installed.

    Attributes:
        fault: ``missing``, ``changed``, ``extra`` for Python files that RECORD does not list, ``unreadable`` for a
            RECORD or a file that cannot be compared.
        path: the file, relative to the folder that the distribution is in.
        detail: what differs.
    """

    fault: Fault
    path: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    digest: str
    size: str


def compare_with_record(info: Path) -> list[Difference]:
    """Returns every difference between a distribution's files and its RECORD, in the order of their paths.

    Compiled files (``.pyc``) are left out, since Python writes them after the installation.

    Args:
        info: its ``.dist-info``.
    """
    try:
        rows = list(_rows(info / "RECORD"))
    except FileNotFoundError:
        return [Difference("unreadable", f"{info.name}/RECORD", "there is none, so nothing can be compared")]
    except (OSError, ValueError, csv.Error) as error:
        return [Difference("unreadable", f"{info.name}/RECORD", str(error) or type(error).__name__)]
    site = info.parent
    found = [difference for row in rows if (difference := _compared(site, row)) is not None]
    found += [Difference("extra", path, "not installed with it") for path in _extra(site, info, rows)]
    return sorted(found, key=lambda difference: (difference.path, difference.fault))


def _rows(path: Path) -> Iterator[_Row]:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_RECORD:
        raise ValueError(f"it is no regular file of at most {_LARGEST_RECORD >> 20} MiB")
    with open(path, encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            if not row:
                continue
            if len(row) != 3 or not row[0]:
                raise ValueError(f"line {number} is not `path,hash,size`")
            yield _Row(*row)


def _compared(site: Path, row: _Row) -> Difference | None:
    if row.path.endswith((".pyc", ".pyo")):
        return None
    path = _place(site, row.path)
    try:
        status = path.stat()
    # A name that no file can have is a ValueError.
    except (OSError, ValueError):
        return Difference("missing", row.path)
    if not stat.S_ISREG(status.st_mode):
        return Difference("changed", row.path, "no longer a regular file")
    if not row.digest:
        return None
    if row.size.isdecimal() and int(row.size) != status.st_size:
        return Difference("changed", row.path, f"{status.st_size:,} bytes instead of {int(row.size):,}")
    name, _, stated = row.digest.partition("=")
    if name.lower() not in hashlib.algorithms_guaranteed or name.lower().startswith("shake"):
        return Difference("unreadable", row.path, f"its hash is {name!r}, which is not known")
    try:
        actual = _digest(path, name.lower())
    except OSError as error:
        return Difference("unreadable", row.path, error.strerror or str(error))
    return None if actual == stated.rstrip("=") else Difference("changed", row.path, f"another {name}")


def _digest(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")


def _place(site: Path, name: str) -> Path:
    path = site / name
    # With `pip install --target` scripts are in the folder's own bin, while RECORD names the environment's.
    beside = site / "bin" / PurePosixPath(name).name
    return beside if name.startswith("../") and not path.exists() and beside.exists() else path


def _extra(site: Path, info: Path, rows: Iterable[_Row]) -> list[str]:
    """Returns the Python files in the distribution's packages that neither its RECORD nor another one lists."""
    listed = {os.path.normpath(row.path) for row in rows}
    tops = {PurePosixPath(row.path).parts[0] for row in rows if row.path.endswith(".py") and "/" in row.path}
    tops = {top for top in tops if top not in ("..", "bin", "Scripts") and (site / top).is_dir()}
    found = []
    for top in sorted(tops):
        for path in sorted((site / top).rglob("*.py")):
            name = os.path.relpath(path, site)
            if name not in listed:
                found.append(name)
    return _not_of_others(site, info, found) if found else []


def _not_of_others(site: Path, info: Path, names: list[str]) -> list[str]:
    """Leaves out the files of distributions that share a namespace package."""
    listed: set[str] = set()
    for other in site.glob("*.dist-info/RECORD"):
        if other.parent != info:
            try:
                listed |= {os.path.normpath(row.path) for row in _rows(other)}
            except (OSError, ValueError, csv.Error):
                continue
    return [PurePosixPath(*Path(name).parts).as_posix() for name in names if name not in listed]

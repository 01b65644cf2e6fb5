"""Where an index has the files of distributions, and their hashes, as pip reports them without installing anything."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.foundation.names import normalise_distribution
from essmc_core.installation.locking.closure import Needed
from essmc_core.installation.locking.errors import LockError
from essmc_core.installation.pip import PipFailed, pip_command, run_pip


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A wheel, or a source distribution where there is no fitting wheel.

    Attributes:
        url: its address; a file's begins with ``file://``.
        sha256: its hash.
    """

    url: str
    sha256: str


def files_of(needed: Sequence[Needed]) -> dict[str, IndexFile]:
    """Returns, by name, the files that pip would install of these versions here.

    Args:
        needed: distributions that came from an index.

    Raises:
        LockError: pip finds no index, or an index no longer has one of the versions.
        MissingDependency: there is no pip.
    """
    if not needed:
        return {}
    wanted = [f"{one.name}=={one.version}" for one in needed]
    with tempfile.TemporaryDirectory(prefix="essmc-lock-") as folder:
        report = Path(folder, "report.json")
        options = ["--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", str(report)]
        command = [*pip_command("install"), *options, *wanted]
        if "pip" not in command[:3]:
            raise LockError("uv reports no hashes", hint="python -m ensurepip brings pip; --no-hashes does without")
        try:
            run_pip(command, show=False)
        except PipFailed as error:
            raise LockError(
                f"the hashes of {len(wanted)} distributions are unknown: {error.message}",
                hint="--no-hashes writes versions alone, to a file of requirements",
            ) from error
        return _read(json.loads(report.read_text(encoding="utf-8")))


def _read(report: Mapping[str, Any]) -> dict[str, IndexFile]:
    found = {}
    for item in report.get("install", ()):
        info = item["download_info"]
        digest = info.get("archive_info", {}).get("hashes", {}).get("sha256")
        if digest:
            found[normalise_distribution(item["metadata"]["name"])] = IndexFile(info["url"], digest)
    return found

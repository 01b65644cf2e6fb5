"""Which code a configuration may run: the user's own project's, and what the user has agreed to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from essmc_core.errors import EssmcError
from essmc_core.foundation.atomic import write_text
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.settings import lenient_flag
from essmc_core.location import Location

AGREED = "trusted-code.json"
"""What was agreed to, in the cache folder: digests by path."""
VARIABLE = "ESSMC_TRUST"


class UntrustedCode(EssmcError, PermissionError):
    """A configuration names code from outside the current folder that nobody has agreed to run.

    Attributes:
        path: the file, or the folder of the package.
    """

    def __init__(self, path: Path, where: Location | None = None) -> None:
        super().__init__(
            f"the configuration runs {path}, which is outside the current folder",
            where=where,
            hint="read it, then give --trust once (ESSMC_TRUST=1 in Python); it is asked for again when it changes",
        )
        self.path = path


def require_trust(path: Path, where: Location | None = None) -> None:
    """Raises unless code lies below the current folder, or the user has agreed to it as it is now.

    Raises:
        UntrustedCode: neither holds.
    """
    resolved = path.resolve()
    if resolved.is_relative_to(Path.cwd().resolve()):
        return
    if lenient_flag(VARIABLE):
        trust(resolved)
    elif _agreed().get(str(resolved)) != _digest(resolved):
        raise UntrustedCode(resolved, where)


def trust(path: Path) -> None:
    """Remembers that the user agrees to run a file or package as it is now."""
    folder = cache_dir()
    folder.mkdir(parents=True, exist_ok=True)
    agreed = {**_agreed(), str(path.resolve()): _digest(path)}
    write_text(folder / AGREED, json.dumps(agreed, indent=1, sort_keys=True) + "\n")


def _agreed() -> dict[str, str]:
    try:
        stated = json.loads((cache_dir() / AGREED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stated if isinstance(stated, dict) else {}


def _digest(path: Path) -> str:
    """Returns the SHA-256 of a file, or of all Python files of a package with their names."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(path).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()

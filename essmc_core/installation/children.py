"""Runs functions of this room in clean processes, which see the packs of a folder and no settings of the user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from essmc_core.errors import EssmcError
from essmc_core.foundation.error_text import shortened

_SECONDS = 300.0
_ERROR = "essmc-child-error"


class ChildFailed(EssmcError, RuntimeError):
    """A separate process ended without an answer."""


def ask_child(function: str, *arguments: str, path: Sequence[str | Path] = (), packs: str | None = None) -> Any:
    """Returns the answer of a function that runs in a separate process, as plain data.

    Args:
        function: ``"package.module:name"`` of a function that takes texts and returns plain data.
        arguments: its arguments.
        path: folders that come before those of this process.
        packs: short names of the packs to use, as in ``ESSMC_PACKS``; all by default.

    Raises:
        ChildFailed: it raised, ended, or took more than five minutes; the message is that of its error, or the last
            line that it printed.
    """
    with tempfile.TemporaryDirectory(prefix="essmc-") as scratch:
        answer = Path(scratch, "answer.json")
        module, _, name = function.partition(":")
        code = (
            f"import sys; from {module} import {name} as ask; from {__name__} import answer; answer(ask, sys.argv[1:])"
        )
        done = _run([sys.executable, "-c", code, str(answer), *arguments], scratch, path, packs)
        try:
            found = json.loads(answer.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            lines = done.stderr.decode("utf-8", errors="replace").strip().splitlines()
            how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
            last = f": {shortened(lines[-1], 500)}" if lines else ""
            raise ChildFailed(f"the process ended without an answer ({how}){last}") from error
    if isinstance(found, dict) and _ERROR in found:
        raise ChildFailed(*found[_ERROR][:1], hint=found[_ERROR][1])
    return found


def _run(
    command: list[str], scratch: str, path: Sequence[str | Path], packs: str | None
) -> subprocess.CompletedProcess[bytes]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ESSMC_")}
    folders = [*map(str, path), *filter(None, sys.path)]
    environment = {**kept, "PYTHONPATH": os.pathsep.join(dict.fromkeys(folders)), "ESSMC_CACHE_DIR": scratch}
    # Bytecode in a folder that is to be compared or removed would be in the way.
    environment |= {"PYTHONDONTWRITEBYTECODE": "1"} | ({} if packs is None else {"ESSMC_PACKS": packs})
    try:
        return subprocess.run(
            command,
            env=environment, cwd=scratch, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise ChildFailed(f"the process took more than {_SECONDS:g} s") from error
    except OSError as error:
        raise ChildFailed(f"no process could be started: {error}") from error


def answer(function: Any, arguments: Sequence[str]) -> None:
    """Writes what a function returns, or the error that it raises, to the file that is the first argument."""
    try:
        found = function(*arguments[1:])
    except EssmcError as error:
        where = f"{error.where}: " if error.where else ""
        found = {_ERROR: [f"{where}{error.message}", error.hint]}
    Path(arguments[0]).write_text(json.dumps(found), encoding="utf-8")

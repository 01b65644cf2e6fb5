"""Runs pip of this Python, or uv where there is no pip; what it prints goes to standard error."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from importlib.util import find_spec

from essmc_core.errors import EssmcError, MissingDependency

_LAST_LINES = 12


class PipFailed(EssmcError, RuntimeError):
    """pip, or uv, could not do what it was asked."""


def pip_command(action: str) -> list[str]:
    """Returns the beginning of a command that changes the environment of this Python.

    Args:
        action: ``install``, ``uninstall`` or ``wheel``.

    Raises:
        MissingDependency: there is neither pip nor uv, or uv cannot do it.
    """
    if find_spec("pip") is not None:
        quiet = ["--disable-pip-version-check", "--no-input"]
        return [sys.executable, "-m", "pip", action, *quiet]
    uv = (
        [sys.executable, "-m", "uv"]
        if find_spec("uv") is not None
        else [found]
        if (found := shutil.which("uv"))
        else []
    )
    if not uv or action == "wheel":
        what = "there is neither pip nor uv" if not uv else "building wheels needs pip"
        raise MissingDependency(f"{what} in this environment", hint=f"{sys.executable} -m ensurepip, or install uv")
    return [*uv, "pip", action, "--python", sys.executable]


def run_pip(command: Sequence[str], *, show: bool = True) -> None:
    """Runs a command of pip.

    Args:
        command: all of it.
        show: whether its output is shown while it runs, on standard error.

    Raises:
        PipFailed: it failed; the message ends with its last lines.
    """
    last: deque[str] = deque(maxlen=_LAST_LINES)
    try:
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            for line in process.stdout or ():
                last.append(line.rstrip())
                if show:
                    print(line, end="", file=sys.stderr, flush=True)
    except OSError as error:
        raise PipFailed(f"{command[0]} cannot be run: {error}") from error
    if process.returncode:
        said = "\n    ".join(filter(None, last))
        name = "pip" if command[1:3] == ["-m", "pip"] else "uv"
        raise PipFailed(f"{name} failed with exit status {process.returncode}:\n    {said}")

"""Imports a pack in a separate process, to find out whether it ends the process or takes too long."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence

_SURVIVED, _SLOW = 86, 87
_GRACE = 20.0
_CODE = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from essmc_core.discovery import trial; trial.child()"


def try_apart(entry_points: Sequence[str], seconds: float) -> str:
    """Returns how the import failed in a separate process, empty unless it ends or delays the process.

    Args:
        entry_points: modules to import, as ``package.module`` or ``package.module:attribute``.
        seconds: how long their import may take.
    """
    if not sys.executable:
        return "cannot be tried in a process of its own, because the Python that runs is not known"
    modules = [value.partition(":")[0] for value in entry_points]
    arguments = [sys.executable, "-c", _CODE, json.dumps(sys.path), json.dumps(modules), repr(seconds)]
    environment = {**os.environ, "ESSMC_PACKS": "", "ESSMC_STRICT": "0"}
    try:
        done = subprocess.run(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds + _GRACE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {seconds:g} s to import"
    except OSError as error:
        return f"cannot be tried in a process of its own ({error})"
    if done.returncode == _SURVIVED:
        return ""
    if done.returncode == _SLOW:
        return f"took more than {seconds:g} s to import"
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
    return f"ended the process while it was imported ({how})"


def child() -> None:
    """Imports the modules named on the command line and exits with a status for the outcome."""
    import importlib

    modules, seconds = json.loads(sys.argv[2]), float(sys.argv[3])
    # Code that never releases the interpreter lock is ended by the parent process.
    watch = threading.Timer(seconds, os._exit, (_SLOW,))
    watch.daemon = True
    watch.start()
    for module in modules:
        # An exception is harmless: the parent process will catch and report it.
        try:
            importlib.import_module(module)
        except BaseException:
            break
    os._exit(_SURVIVED)

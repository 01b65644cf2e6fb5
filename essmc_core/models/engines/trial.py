"""One engine in a process of its own, seen from outside."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.models.engines.trial_process import EXAMPLE, MODEL

_MODULE = "essmc_core.models.engines.trial_process"


class TrialFailed(Exception):
    """An engine raised an exception, ended its process, or took too long; the message is one line."""


class TrialProcess:
    """A process that tries engines.

    Args:
        folder: what `write_files` wrote there is what is tried.
    """

    def __init__(self, folder: Path) -> None:
        self._errors = (folder / "errors.txt").open("a+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, str(folder)],
            # Where this process finds the model's code, that one finds it too.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def ask(self, timeout: float, **command: Any) -> dict[str, Any]:
        """Returns the answer to a command.

        Args:
            timeout: seconds to wait for it.
            **command: its name as ``do``, and arguments.

        Raises:
            TrialFailed: there is none.
        """
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=max(0.1, timeout))
        except queue.Empty:
            self.close()
            raise TrialFailed(f"it took longer than {timeout:.0f} s") from None
        if not line:
            raise TrialFailed(self._end())
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise TrialFailed(answer["error"])
        return answer

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            with contextlib.suppress(OSError):
                stream.close()  # type: ignore[union-attr]

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with contextlib.suppress(OSError, ValueError):
            for line in self._process.stdout:
                self._answers.put(line)
        self._answers.put("")

    def _end(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = [line.strip() for line in self._errors.read().splitlines() if line.strip()]
        ended = f"signal {-code} ended its process" if code < 0 else f"its process ended with status {code}"
        return ended + (f": {lines[-1]}" if lines else "")


def write_files(folder: Path, model: nn.Module, example: Tensor) -> None:
    """Writes what trials need.

    Raises:
        Exception: the model cannot be pickled.
    """
    torch.save(model, folder / MODEL)
    torch.save(example, folder / EXAMPLE)

"""The process in which an engine is tried, so that what it does to threads, memory and life stays there.

It is started with a folder of files and takes one command a line, as JSON, each answered by a line.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Precision, Run
from essmc_core.foundation.error_text import brief
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.engines.batches import prepared
from essmc_core.models.engines.comparing import compare, expected_outputs, named, probes

MODEL, EXAMPLE, EXPECTED = "model.pt", "example.pt", "expected.pt"


def main(folder: str) -> None:
    """Answers commands until there are no more."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # What libraries print must not come between the answers.
    os.dup2(2, 1)
    trial = _Trial(Path(folder))
    commands: Mapping[str, Callable[..., dict[str, Any]]] = {
        "expect": trial.expect,
        "prepare": trial.prepare,
        "time": trial.time,
    }
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = commands[command.pop("do")](**command)
        except Exception as error:
            answer = {"error": brief(error)}
        answers.write(json.dumps(answer) + "\n")


class _Trial:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run: Run | None = None

    def _model(self) -> nn.Module:
        # The file was written by the process that started this one.
        model: nn.Module = torch.load(self._folder / MODEL, weights_only=False)
        return model

    @functools.cached_property
    def _example(self) -> Tensor:
        example: Tensor = torch.load(self._folder / EXAMPLE, weights_only=True)
        return example

    def expect(self, threads: int) -> dict[str, Any]:
        """Writes what the model returns in float64."""
        torch.set_num_threads(threads)
        torch.save(expected_outputs(self._model(), probes(self._example)), self._folder / EXPECTED)
        return {}

    def prepare(self, engine: Any, precision: Precision, threads: int) -> dict[str, Any]:
        """Prepares an engine and compares its outputs."""
        torch.set_num_threads(threads)
        model, example = self._model(), self._example
        built = REGISTRIES["engines"].build(engine)
        before, start = _memory_mb("VmRSS"), time.perf_counter()
        with torch.inference_mode():
            self._run = prepared(built, model, example, precision)
            self._run(example)
            seconds = time.perf_counter() - start
            found = named(self._run(probes(example)))
        raised = max(0.0, _memory_mb("VmHWM") - before)
        comparison = compare(found, torch.load(self._folder / EXPECTED, weights_only=True))
        return {
            "prepare_s": seconds,
            "memory_mb": raised,
            "difference": comparison.difference,
            "agreement": comparison.agreement,
        }

    def time(self, runs: int, seconds: float) -> dict[str, Any]:
        """Runs the example a few times, for so many seconds at most."""
        assert self._run is not None
        example, end = self._example, time.perf_counter() + seconds
        found: list[float] = []
        with torch.inference_mode():
            # One that does not count: others ran in between.
            self._run(example)
            while len(found) < runs and (not found or time.perf_counter() < end):
                start = time.perf_counter()
                self._run(example)
                _finish(example)
                found.append(1e3 * (time.perf_counter() - start))
        return {"ms": found}


def _finish(example: Tensor) -> None:
    """Waits for an accelerator."""
    if example.device.type == "cuda":
        torch.cuda.synchronize(example.device)


def _memory_mb(field: str) -> float:
    """Returns memory of this process where the system says it, else 0."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)


if __name__ == "__main__":
    main(sys.argv[1])

"""Tries engines on a model: each prepared in a process of its own, compared, and timed in turn."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision
from essmc_core.foundation.error_text import brief
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.engines.comparing import Comparison
from essmc_core.models.engines.report import Trial
from essmc_core.models.engines.trial import TrialFailed, TrialProcess, write_files

EngineRef: TypeAlias = "str | Mapping[str, Any]"
Tell: TypeAlias = Callable[[str], object]

_ROUNDS = 5
_RUNS_IN_ROUND = 5
_ROUND_S = 1.0
# Threads of a pool that has just worked wait actively for more, and would take time from the next engine.
_PAUSE_S = 0.25
_START_S = 120.0


def measure(
    model: nn.Module,
    example: Tensor,
    engines: Sequence[EngineRef],
    precisions: Sequence[Precision] = ("fp32",),
    *,
    tolerance: float | None = None,
    budget_s: float = 120.0,
    rounds: int = _ROUNDS,
    tell: Tell = lambda text: None,
) -> list[Trial]:
    """Tries engines and returns what each did, in their order.

    Args:
        model: in test mode; one that cannot be pickled, or not restored in another process, cannot be tried.
        example: inputs, (N, …), as the model is going to be given.
        engines: names or configurations.
        precisions: each engine is tried in each of these.
        tolerance: see `Comparison.complaint`.
        budget_s: seconds for preparing all of them; what takes longer is left out.
        rounds: times that each has its turn.
        tell: called with what is being done.
    """
    with tempfile.TemporaryDirectory(prefix="essmc-engines-") as name:
        bench = _Bench(Path(name), example, tolerance, time.monotonic() + budget_s, tell)
        try:
            reason = bench.expect(model)
            for engine in engines:
                for precision in precisions:
                    if reason:
                        bench.trials.append(Trial(engine_name(engine), precision, "unusable", reason))
                    else:
                        bench.prepare(engine, precision)
            bench.time(rounds)
        finally:
            bench.close()
        return bench.trials


class _Bench:
    def __init__(self, folder: Path, example: Tensor, tolerance: float | None, deadline: float, tell: Tell) -> None:
        self.trials: list[Trial] = []
        self._running: dict[int, TrialProcess] = {}
        self._folder, self._example, self._tolerance = folder, example, tolerance
        self._deadline, self._tell = deadline, tell
        self._threads = torch.get_num_threads()

    def expect(self, model: nn.Module) -> str:
        """Has the model's outputs in float64 computed; returns why that is impossible, empty if it is not."""
        self._tell("eager in float64")
        try:
            write_files(self._folder, model, self._example)
        # Pickling calls code of the model.
        except Exception as error:
            return f"the model cannot be pickled: {brief(error)}"
        process = TrialProcess(self._folder)
        try:
            process.ask(_START_S + self._left(), do="expect", threads=self._threads)
        except TrialFailed as error:
            return f"the model cannot be run in another process: {error}"
        finally:
            process.close()
        return ""

    def prepare(self, engine: EngineRef, precision: Precision) -> None:
        """Prepares an engine and keeps its process if its outputs are right."""
        name = engine_name(engine)
        built: Engine = REGISTRIES["engines"].build(engine)
        if objection := built.objection(self._example.device, precision):
            self.trials.append(Trial(name, precision, "unusable", objection))
            return
        self._tell(f"{name} in {precision}")
        if self._left() <= 0:
            self.trials.append(Trial(name, precision, "unusable", "no time was left to try it"))
            return
        process = TrialProcess(self._folder)
        given = engine if isinstance(engine, str) else dict(engine)
        try:
            found = process.ask(self._left(), do="prepare", engine=given, precision=precision, threads=self._threads)
        except TrialFailed as error:
            process.close()
            self.trials.append(Trial(name, precision, "failed", str(error)))
            return
        complaint = Comparison(found["difference"], found["agreement"]).complaint(precision, self._tolerance)
        self.trials.append(Trial(name, precision, "disagrees" if complaint else "ok", complaint, **found))
        if complaint:
            process.close()
        else:
            self._running[len(self.trials) - 1] = process

    def time(self, rounds: int) -> None:
        """Times those that are left, one after the other, several times."""
        found: dict[int, list[float]] = {number: [] for number in self._running}
        for turn in range(rounds):
            self._tell(f"round {turn + 1} of {rounds}")
            for number, process in list(self._running.items()):
                time.sleep(_PAUSE_S)
                try:
                    answer = process.ask(_START_S, do="time", runs=_RUNS_IN_ROUND, seconds=_ROUND_S)
                    found[number] += answer["ms"]
                except TrialFailed as error:
                    self._running.pop(number).close()
                    self.trials[number] = dataclasses.replace(self.trials[number], status="failed", reason=str(error))
        for number in self._running:
            self.trials[number] = dataclasses.replace(self.trials[number], ms=statistics.median(found[number]))

    def close(self) -> None:
        """Ends all processes."""
        for process in self._running.values():
            process.close()

    def _left(self) -> float:
        return self._deadline - time.monotonic()


def engine_name(engine: EngineRef) -> str:
    """Returns the name in an engine's configuration."""
    return engine if isinstance(engine, str) else str(engine.get("type"))

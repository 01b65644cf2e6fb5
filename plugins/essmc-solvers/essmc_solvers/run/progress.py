"""How far a run has come: what changes from iteration to iteration, in one object."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from essmc_solvers.data.batch import Batch
from essmc_solvers.step.running_means import RunningMeans


@dataclass
class Progress:
    """Where a run is. Solvers write it, and checkpoints restore it; hooks read it by the names that `Run` has.

    Attributes:
        epoch: epochs done.
        iter: iterations done of this pass over ``mode``'s data.
        total_iters: training iterations done.
        epoch_max_iter: iterations of this pass, None for streams of unknown length.
        mode: ``train`` or ``eval``, and empty before either.
        batch: inputs of this iteration by name, on the device, ``meta`` included.
        iter_outputs: what the model gave for them.
        iter_items: items of this iteration, in all processes.
        epoch_outputs: means over the last pass, by mode and name.
        data_seconds: time spent waiting for data in this pass.
        unreadable: inputs of this pass that this process could not read.
        means: running means of this pass.
    """

    epoch: int = 0
    iter: int = 0
    total_iters: int = 0
    epoch_max_iter: int | None = None
    mode: str = ""
    batch: Mapping[str, Any] = field(default_factory=dict)
    iter_outputs: Any = None
    iter_items: int = 0
    epoch_outputs: dict[str, dict[str, float]] = field(default_factory=dict)
    data_seconds: float = 0.0
    unreadable: int = 0
    means: RunningMeans = field(default_factory=RunningMeans)

    @property
    def inputs(self) -> dict[str, Any]:
        """What the model takes of this iteration's batch."""
        return {key: value for key, value in self.batch.items() if key != "meta"}

    def start_pass(self, mode: str, iteration: int, length: int | None) -> None:
        """Begins a pass.

        Args:
            mode: ``train`` or ``eval``.
            iteration: iterations of it that are done already.
            length: iterations of a whole pass, None for streams of unknown length.
        """
        self.mode = mode
        self.iter = iteration
        if not iteration:
            self.unreadable = 0
            self.means.reset()
        self.epoch_max_iter = length
        self.data_seconds = 0.0

    def timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yields batches and adds up the time spent waiting for them."""
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.data_seconds += time.perf_counter() - began
            if batch is None:
                return
            self.unreadable += batch.unreadable
            yield batch

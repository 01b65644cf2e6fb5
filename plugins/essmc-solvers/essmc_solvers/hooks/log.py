"""What a run says of itself: progress, log lines and the metrics file."""

from __future__ import annotations

import time
from typing import Any

from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.reporting.memory import memory_bytes
from essmc_solvers.reporting.metrics_file import MetricsFile
from essmc_solvers.reporting.progress import Progress, make_progress
from essmc_solvers.reporting.rates import learning_rates
from essmc_solvers.run.protocol import Run
from essmc_solvers.text import duration, each_in_words, in_words

FILE = "metrics.jsonl"


class LogHook(Hook):
    """Writes running means, weighted by batch size, to the log and to ``metrics.jsonl`` in the work dir.

    On a terminal a line of progress is kept up to date; elsewhere it is a log line every ``log_interval`` iterations.
    Each line of the file is an object with ``mode``, ``epoch``, ``iter``, ``total_iters`` and the means so far; those
    at the end of a pass have ``done: true``.

    Args:
        log_interval: iterations between looks at the means.
        progress: keep a line of progress up to date; None does where standard output is a terminal.
        priority: hooks with lower ones run first.

    Raises:
        ConfigError: an interval below 1.
    """

    def __init__(self, log_interval: PositiveInt = 10, progress: bool | None = None, priority: int = 100) -> None:
        super().__init__(priority)
        if log_interval < 1:
            raise ConfigError(f"log_interval must be 1 or more, got {log_interval}")
        self.log_interval = log_interval
        self._wants_progress = progress
        self._progress: Progress | None = None
        self._file: MetricsFile | None = None
        self._items = 0
        self._began = self._seen_time = 0.0
        self._seen_iter = self._seen_items = 0
        self._seen_data = 0.0

    def before_solve(self, run: Run) -> None:
        """Opens what is written to."""
        if not run.is_main:
            return
        self._progress = make_progress(self._wants_progress)
        if run.work_dir is not None:
            self._file = MetricsFile(run.work_dir / FILE)

    def before_all_iter(self, run: Run) -> None:
        """Starts the clocks of a pass."""
        self._began = self._seen_time = time.perf_counter()
        self._items = self._seen_items = 0
        self._seen_iter, self._seen_data = run.iter, 0.0
        if self._progress is not None:
            self._progress.start(_title(run), run.iter, run.epoch_max_iter)

    def after_iter(self, run: Run) -> None:
        """Counts; every few iterations looks at the means."""
        self._items += run.iter_items
        if run.iter % self.log_interval == 0:
            self._look(run)
        elif self._progress is not None:
            self._progress.advance(run.iter)

    def after_all_iter(self, run: Run) -> None:
        """Logs the means of the pass."""
        means = run.epoch_outputs.get(run.mode, {})
        seconds = time.perf_counter() - self._began
        if self._progress is not None:
            self._progress.stop()
        rate = self._items / seconds if seconds else 0.0
        run.log(f"{_title(run)}  {in_words(means)}  {rate:.0f} items/s  {duration(seconds)}")
        self._write(run, {"done": True, **means, "items_per_s": rate, "seconds": seconds})

    def close(self) -> None:
        """Puts the terminal in order."""
        if self._progress is not None:
            self._progress.stop()

    def state_dict(self) -> dict[str, Any]:
        """Returns how much of the metrics file is the past of this state."""
        return {"metrics_bytes": 0 if self._file is None else self._file.size}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Removes from the metrics file what came after this state."""
        if self._file is not None:
            self._file.cut(int(state["metrics_bytes"]))

    def forget(self) -> None:
        """Empties the metrics file of what a run that came to nothing left in it."""
        self.load_state_dict({"metrics_bytes": 0})

    def _look(self, run: Run) -> None:
        means = run.reduced_means()
        if not run.is_main:
            return
        now = time.perf_counter()
        elapsed = max(now - self._seen_time, 1e-9)
        iterations = max(run.iter - self._seen_iter, 1)
        speed = {
            "items_per_s": (self._items - self._seen_items) / elapsed,
            "iter_time": elapsed / iterations,
            "data_time": (run.data_seconds - self._seen_data) / iterations,
            "memory": memory_bytes(run.accelerator.device),
        }
        self._seen_time, self._seen_iter = now, run.iter
        self._seen_items, self._seen_data = self._items, run.data_seconds
        rates = learning_rates(run)
        if run.mode == "train":
            self._write(run, {**means, **rates, **speed})
        assert self._progress is not None
        parts = self._figures(run, means, rates, speed)
        if self._progress.is_live:
            self._progress.advance(run.iter, parts)
        elif run.mode == "train":
            run.log("  ".join([_title(run), f"{run.iter}/{run.epoch_max_iter or '?'}", *parts]))

    def _figures(
        self, run: Run, means: dict[str, float], rates: dict[str, float], speed: dict[str, float]
    ) -> list[str]:
        """Returns what a line says, the most important first: where there is little room the rest is left out."""
        waiting = speed["data_time"] / speed["iter_time"]
        left = [] if run.epoch_max_iter is None else [f"ETA {duration(self._seconds_left(run, speed))}"]
        memory = f"{speed['memory'] / 2**30:.1f} GB"
        speeds = [f"{speed['items_per_s']:.0f} items/s", f"data {waiting:.0%}", memory]
        return [*each_in_words(means), *left, *each_in_words(rates), *speeds]

    def _seconds_left(self, run: Run, speed: dict[str, float]) -> float:
        assert run.epoch_max_iter is not None
        left = run.epoch_max_iter - run.iter
        if run.mode == "train":
            passes = run.max_epochs - run.epoch - run.folds
            left += passes * run.epoch_max_iter // run.folds
        return left * speed["iter_time"]

    def _write(self, run: Run, values: dict[str, Any]) -> None:
        if self._file is not None:
            place = {"epoch": run.epoch + 1, "iter": run.iter, "total_iters": run.total_iters}
            self._file.append({"mode": run.mode, **place, **values})


def _title(run: Run) -> str:
    return f"epoch {run.epoch + 1}/{run.max_epochs}  {run.mode}"

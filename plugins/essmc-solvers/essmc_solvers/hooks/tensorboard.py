"""Scalars for TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError, MissingDependency
from essmc_solvers.hooks.base import Hook
from essmc_solvers.reporting.rates import learning_rates
from essmc_solvers.run.protocol import Run


class TensorboardLogHook(Hook):
    """Writes running means every few iterations, and the means of each epoch, for TensorBoard.

    Args:
        log_dir: folder of the event files; ``tensorboard`` in the work dir by default.
        log_interval: iterations between looks at the means.
        priority: hooks with lower ones run first.
    """

    def __init__(
        self, log_dir: str | os.PathLike[str] | None = None, log_interval: PositiveInt = 10, priority: int = 101
    ) -> None:
        super().__init__(priority)
        if log_interval < 1:
            raise ConfigError(f"log_interval must be 1 or more, got {log_interval}")
        self.log_dir = log_dir
        self.log_interval = log_interval
        self._folder: Path | None = None
        self._open: Any = None

    def before_solve(self, run: Run) -> None:
        """Finds the folder.

        Raises:
            MissingDependency: tensorboard is not installed.
            ConfigError: there is neither a ``log_dir`` nor a work dir.
        """
        try:
            from torch.utils.tensorboard import SummaryWriter  # noqa: F401
        except ImportError as error:
            raise MissingDependency(
                "TensorboardLogHook needs tensorboard", hint="pip install 'essmc-solvers[tensorboard]'"
            ) from error
        if self.log_dir is None and run.work_dir is None:
            raise ConfigError("TensorboardLogHook needs a log_dir, since the run has no work_dir")
        self._folder = Path(self.log_dir) if self.log_dir is not None else Path(str(run.work_dir), "tensorboard")

    def after_iter(self, run: Run) -> None:
        """Writes the running means of the training."""
        if run.mode == "train" and run.iter % self.log_interval == 0:
            self._write(run, "train/iter", {**run.reduced_means(), **learning_rates(run)}, run.total_iters)

    def after_all_iter(self, run: Run) -> None:
        """Writes the means of the pass."""
        self._write(run, run.mode, run.epoch_outputs.get(run.mode, {}), run.epoch + 1)

    def close(self) -> None:
        """Completes the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _write(self, run: Run, section: str, values: dict[str, float], step: int) -> None:
        if not run.is_main:
            return
        if self._open is None:
            from torch.utils.tensorboard import SummaryWriter

            # After a kill, TensorBoard drops what an earlier file holds from this step on.
            self._open = SummaryWriter(str(self._folder), purge_step=step)  # type: ignore[no-untyped-call,unused-ignore]
        for name, value in values.items():
            self._open.add_scalar(f"{section}/{name}", value, step)

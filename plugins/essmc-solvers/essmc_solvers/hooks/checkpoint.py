"""Checkpoints: a run is saved, and resumed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError
from essmc_solvers.checkpoint import contents, folder
from essmc_solvers.checkpoint.capture import capture
from essmc_solvers.checkpoint.description import write_sidecar
from essmc_solvers.checkpoint.restore import restore
from essmc_solvers.checkpoint.weights import AVERAGED
from essmc_solvers.hooks.base import Hook
from essmc_solvers.hooks.ema import EmaHook
from essmc_solvers.hooks.log import LogHook
from essmc_solvers.run.protocol import Run

AUTO = "auto"


class CheckpointHook(Hook):
    """Writes ``epoch-00001.pth`` … to the work dir, marks the best as ``best.pth``, and resumes.

    A checkpoint is written in one step and carries its hash; a damaged one is found out when it is read, and the one
    before it is used.

    Args:
        interval: save every so many epochs, and after the last.
        save_best: mark the best epoch so far, which is saved in any case.
        save_best_by: what is best: ``+acc@1`` for the largest, ``-err`` for the smallest; of the evaluation, or of the
            training where there is none.
        iterations: save within epochs too, every so many training iterations, where an optimizer step ends.
        keep_last: how many of the newest to keep beside the best; None keeps all of epochs' ends, and two within
            epochs.
        priority: hooks with lower ones run first.

    Raises:
        ConfigError: a number below 1, or a ``save_best_by`` that does not start with + or -.
    """

    for_training = True

    def __init__(
        self,
        interval: PositiveInt = 1,
        save_best: bool = False,
        save_best_by: str = "",
        iterations: PositiveInt | None = None,
        keep_last: PositiveInt | None = None,
        priority: int = 300,
    ) -> None:
        super().__init__(priority)
        for name, number in (("interval", interval), ("iterations", iterations), ("keep_last", keep_last)):
            if number is not None and number < 1:
                raise ConfigError(f"{name} of CheckpointHook must be 1 or more, got {number}")
        if save_best_by and (save_best_by[0] not in "+-" or len(save_best_by) < 2):
            raise ConfigError(f"save_best_by is '+acc@1' or '-err', with the sign, got {save_best_by!r}")
        self.interval = interval
        self.save_best = save_best or bool(save_best_by)
        self.save_best_by = save_best_by
        self.iterations = iterations
        self.keep_last = keep_last
        self.best: float | None = None

    def before_solve(self, run: Run) -> None:
        """Resumes, if the solver is to."""
        if run.work_dir is not None and run.is_main:
            folder.remove_leftovers(run.work_dir)
        if run.resume_from is not None:
            self._resume(run)

    def after_iter(self, run: Run) -> None:
        """Saves within an epoch."""
        if run.mode != "train" or self.iterations is None or not run.is_step_end:
            return
        # Where steps span several iterations, the first step's end after the interval counts.
        if run.total_iters // self.iterations > (run.total_iters - run.accumulate_steps) // self.iterations:
            self._save(run, run.epoch, run.iter)

    def after_epoch(self, run: Run) -> None:
        """Saves after an epoch, and marks the best."""
        done = run.epoch + run.folds
        is_best = self.save_best and self._improves(run)
        if is_best or done % self.interval == 0 or done >= run.max_epochs:
            self._save(run, done, 0, is_best)

    def watched(self, run: Run) -> list[tuple[str, str, str]]:
        """Returns what is watched: who, whose data, and the name of the metric."""
        mode = "eval" if "eval" in run.loaders else "train"
        return [("save_best_by of CheckpointHook", mode, self.save_best_by[1:])] if self.save_best_by else []

    def state_dict(self) -> dict[str, Any]:
        """Returns the best value so far."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up the best value so far."""
        self.best = state["best"]

    def _improves(self, run: Run) -> bool:
        mode = "eval" if "eval" in run.loaders else "train"
        means = run.epoch_outputs.get(mode)
        if means is None:  # an epoch without evaluation
            return False
        by = self.save_best_by or ("+acc@1" if "acc@1" in means else "-loss")
        sign, name = (1 if by[0] == "+" else -1), by[1:]
        if name not in means:
            raise ConfigError(
                f"save_best_by is {by!r}, and the {mode} data give no {name!r}", hint=f"They give {', '.join(means)}."
            )
        value = means[name]
        if math.isnan(value):
            return False
        if self.best is not None and not math.isnan(self.best) and not sign * value > sign * self.best:
            return False
        self.best = value
        return True

    def save_now(self, run: Run, epoch: int, iteration: int) -> Path | None:
        """Saves the run as it is, where an optimizer step ends; every process must take part.

        Args:
            run: the run.
            epoch: epochs that are complete.
            iteration: iterations done of the next one.

        Returns:
            The checkpoint, None where there is no work dir.
        """
        return self._save(run, epoch, iteration)

    def _save(self, run: Run, epoch: int, iteration: int, is_best: bool = False) -> Path | None:
        if run.work_dir is None:
            return None
        position = folder.Position(epoch, iteration)
        content = capture(run, position)
        path = run.work_dir / position.file_name
        if not run.is_main:
            return path
        contents.save(path, content)
        write_sidecar(run.work_dir, content)
        if is_best:
            folder.mark_best(path)
        folder.remove_old(run.work_dir, self.keep_last)
        return path

    def _resume(self, run: Run) -> None:
        source = run.resume_from
        if source == AUTO:
            if run.work_dir is None:
                raise ConfigError("resume_from 'auto' needs a work_dir")
            if not folder.list_checkpoints(run.work_dir):
                run.log(f"nothing to resume in {run.work_dir}: starting anew")
                log = run.hook(LogHook)
                if log is not None:
                    log.forget()
                return
            source = run.work_dir
        assert source is not None
        path, content = folder.load_newest(Path(source))
        restore(run, content, path)
        if AVERAGED in content and run.hook(EmaHook) is None:
            run.log(f"warning: {path.name} has averaged weights, which end here: this run has no EmaHook")
        within = f", iteration {run.iter}" if run.iter else ""
        run.log(f"resumed from {path}: {run.epoch} of {run.max_epochs} epochs done{within}")

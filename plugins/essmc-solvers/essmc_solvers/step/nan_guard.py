"""What to do about losses and gradients that are no finite numbers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from essmc_core.errors import ConfigError
from essmc_solvers.data.batch import Batch
from essmc_solvers.engine import any_process
from essmc_solvers.errors import TrainingDiverged
from essmc_solvers.step.gradients import are_finite

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver

_CURES = "Often a lower learning rate, warm-up or clip_grad_norm helps."


class NanGuard:
    """Looks at each loss before gradients are taken, and at the gradients before weights are changed.

    Args:
        on_nan: ``stop`` saves the batch and raises; ``skip`` leaves the batch out and puts buffers back.

    Raises:
        ConfigError: another word.
    """

    def __init__(self, on_nan: Literal["stop", "skip"]) -> None:
        if on_nan not in ("stop", "skip"):
            raise ConfigError(f"on_nan is 'stop' or 'skip', got {on_nan!r}")
        self.on_nan = on_nan
        self._skipped = 0
        self._first_steps: int | None = None
        self._what = ""
        self._batch: Any = None
        self._place = (0, 0)
        self._kept: list[Tensor] = []
        self._statistics: list[Tensor] = []

    def start_pass(self, solver: TrainValSolver) -> None:
        """Begins to count what is skipped."""
        self._skipped = 0
        # Masks may be infinite by intention.
        floating = (buffer for buffer in solver.module.buffers() if buffer.is_floating_point())
        self._statistics = [buffer for buffer in floating if are_finite([buffer])]
        # A pass that is taken up in its middle has had steps that nobody counted.
        self._first_steps = None if solver.iter else solver.total_steps

    def check_pass(self, solver: TrainValSolver) -> None:
        """Refuses a pass of which nothing is left.

        Raises:
            TrainingDiverged: all of it was skipped.
        """
        if not self._skipped:
            return
        untouched = solver.total_steps == self._first_steps
        if untouched or "loss" not in solver.epoch_outputs["train"]:
            raise TrainingDiverged(
                f"Epoch {solver.epoch + 1} changed nothing: {self._skipped} of its batches were skipped, "
                f"the last because {self._what}.",
                hint=f"The data are no finite numbers, or the weights no longer are. {_CURES}",
            )

    def keep_buffers(self, solver: TrainValSolver) -> None:
        """Keeps buffers as they are before the forward pass, for a batch that is skipped."""
        if self.on_nan == "skip":
            self._kept = [buffer.detach().clone() for buffer in solver.module.buffers()]

    def is_bad_loss(self, solver: TrainValSolver, batch: Batch) -> bool:
        """Tells whether to skip this iteration for its loss.

        Reading the loss makes the CPU wait for the forward pass, on accelerators too: a step with a bad loss could not
        be taken back.

        Raises:
            TrainingDiverged: the loss is not finite, and the run is to stop.
        """
        self._batch = batch.data
        self._place = (solver.epoch + 1, solver.iter + 1)
        loss = float(solver.scaled_loss.detach())
        told = loss if math.isfinite(loss) else float(solver.iter_outputs["loss"].detach())
        return self._is_bad(solver, not math.isfinite(loss), f"the loss is {told}")

    def are_bad_gradients(self, solver: TrainValSolver) -> bool:
        """Tells whether to skip this iteration for its gradients, or for what it did to buffers.

        Where losses are scaled (fp16), the scaler looks at the gradients.

        Raises:
            TrainingDiverged: they are not finite, and the run is to stop.
        """
        if not solver.steps_plainly:
            return False
        gradients = solver.step_mean.gradients(solver.trained_parameters)
        what = ""
        if not are_finite([*gradients, *self._statistics]):
            what = "batch statistics" if are_finite(gradients) else "the gradients"
        bad = self._is_bad(solver, bool(what), f"{what} are not finite")
        if bad:
            solver.means.drop_last()
        return bad

    def _is_bad(self, solver: TrainValSolver, bad: bool, what: str) -> bool:
        if self.on_nan == "stop":
            if bad:
                self._stop(solver, what)
            return False
        if not any_process(solver.accelerator, bad):
            return False
        self._what = what if bad else "of another process's part"
        self._skipped += 1
        self._put_back(solver)
        solver.log(f"{self._where}: {self._what}, skipped")
        return True

    @torch.no_grad()
    def _put_back(self, solver: TrainValSolver) -> None:
        for buffer, before in zip(solver.module.buffers(), self._kept, strict=True):
            buffer.copy_(before)

    def _stop(self, solver: TrainValSolver, what: str) -> None:
        hint = f"on_nan: skip leaves such batches out. {_CURES}"
        if solver.work_dir is not None:
            path = solver.work_dir / "bad-batch-{:05d}-{:07d}.pth".format(*self._place)
            saved = _save_batch(path, self._batch)
            hint = f"The batch is in {path}{saved}. {hint}"
        raise TrainingDiverged(f"{what[0].upper()}{what[1:]} at {self._where}.", hint=hint)

    @property
    def _where(self) -> str:
        return "epoch {}, iteration {}".format(*self._place)


def _save_batch(path: Path, data: Any) -> str:
    try:
        torch.save(data, path)
    except OSError as error:
        return f" (not: {error})"
    return ""

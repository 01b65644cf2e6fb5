"""What to do about losses and gradients that are no finite numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from essmc_core.errors import ConfigError
from essmc_solvers.engine import any_process
from essmc_solvers.errors import TrainingDiverged
from essmc_solvers.step.gradients import are_finite

if TYPE_CHECKING:
    from accelerate import Accelerator

OnNan = Literal["stop", "skip"]
_CURES = "Often a lower learning rate, warm-up or clip_grad_norm helps."


class NanGuard:
    """Looks at each loss before gradients are computed, and at the gradients before weights are changed.

    Args:
        on_nan: ``stop`` saves the batch and raises; ``skip`` leaves the batch out and puts buffers back.
        module: the model, whose buffers are put back.
        accelerator: of the run.
        work_dir: where a batch is saved; None saves none.
        log: takes what is to be said of a batch that is skipped.

    Raises:
        ConfigError: another word than ``stop`` or ``skip``.
    """

    def __init__(
        self,
        on_nan: OnNan,
        module: nn.Module,
        accelerator: Accelerator,
        work_dir: Path | None,
        log: Callable[[str], None],
    ) -> None:
        if on_nan not in ("stop", "skip"):
            raise ConfigError(f"on_nan is 'stop' or 'skip', got {on_nan!r}")
        self.on_nan = on_nan
        self._module = module
        self._accelerator = accelerator
        self._work_dir = work_dir
        self._log = log
        self._skipped = 0
        self._first_steps: int | None = None
        self._what = ""
        self._batch: Any = None
        self._place = (0, 0)
        self._kept: list[Tensor] = []
        self._statistics: list[Tensor] = []

    def start_pass(self, steps: int | None) -> None:
        """Begins to count what is skipped.

        Args:
            steps: optimizer steps made before the pass; None where a pass is resumed in its middle, whose steps nobody
                counted.
        """
        self._skipped = 0
        # Masks may be infinite by intention.
        floating = (buffer for buffer in self._module.buffers() if buffer.is_floating_point())
        self._statistics = [buffer for buffer in floating if are_finite([buffer])]
        self._first_steps = steps

    def check_pass(self, steps: int, epoch: int, means: Mapping[str, float]) -> None:
        """Refuses a pass of which nothing is left.

        Args:
            steps: optimizer steps made after the pass.
            epoch: its number.
            means: of the pass.

        Raises:
            TrainingDiverged: all of it was skipped.
        """
        if not self._skipped:
            return
        if steps == self._first_steps or "loss" not in means:
            raise TrainingDiverged(
                f"Epoch {epoch} changed nothing: {self._skipped} of its batches were skipped, "
                f"the last because {self._what}.",
                hint=f"The data are no finite numbers, or the weights no longer are. {_CURES}",
            )

    def keep_buffers(self) -> None:
        """Keeps buffers as they are before the forward pass, for a batch that is skipped."""
        if self.on_nan == "skip":
            self._kept = [buffer.detach().clone() for buffer in self._module.buffers()]

    def is_bad_loss(self, loss: Tensor, reported: Tensor, batch: Any, place: tuple[int, int]) -> bool:
        """Returns whether to skip this iteration for its loss.

        Reading the loss makes the CPU wait for the forward pass, on accelerators too: a step with a bad loss could not
        be taken back.

        Args:
            loss: as it is weighed in the step.
            reported: as the model gave it.
            batch: what it was computed from.
            place: epoch and iteration, counted from 1.

        Raises:
            TrainingDiverged: the loss is not finite, and the run is to stop.
        """
        self._batch, self._place = batch, place
        value = float(loss.detach())
        shown = value if math.isfinite(value) else float(reported.detach())
        return self._is_bad(not math.isfinite(value), f"the loss is {shown}")

    def are_bad_gradients(self, gradients: list[Tensor]) -> bool:
        """Returns whether to skip this iteration for its gradients, or for what it did to buffers.

        Raises:
            TrainingDiverged: they are not finite, and the run is to stop.
        """
        what = ""
        if not are_finite([*gradients, *self._statistics]):
            what = "batch statistics" if are_finite(gradients) else "the gradients"
        return self._is_bad(bool(what), f"{what} are not finite")

    def _is_bad(self, bad: bool, what: str) -> bool:
        if self.on_nan == "stop":
            if bad:
                self._stop(what)
            return False
        if not any_process(self._accelerator, bad):
            return False
        self._what = what if bad else "of another process's part"
        self._skipped += 1
        self._put_back()
        self._log(f"{self._where}: {self._what}, skipped")
        return True

    @torch.no_grad()
    def _put_back(self) -> None:
        for buffer, before in zip(self._module.buffers(), self._kept, strict=True):
            buffer.copy_(before)

    def _stop(self, what: str) -> None:
        hint = f"on_nan: skip leaves such batches out. {_CURES}"
        if self._work_dir is not None:
            path = self._work_dir / "bad-batch-{:05d}-{:07d}.pth".format(*self._place)
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

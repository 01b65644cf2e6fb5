"""What to do about a loss that is not a finite number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch

from essmc_core.errors import ConfigError
from essmc_solvers.engine import any_process
from essmc_solvers.epoch_loader import Batch
from essmc_solvers.errors import TrainingDiverged

if TYPE_CHECKING:
    from essmc_solvers.training import TrainValSolver


class NanGuard:
    """Looks at each loss before gradients are taken.

    Args:
        on_nan: ``stop`` saves the batch and raises; ``skip`` leaves the batch out and puts buffers back.

    Raises:
        ConfigError: another word.
    """

    def __init__(self, on_nan: Literal["stop", "skip"]) -> None:
        if on_nan not in ("stop", "skip"):
            raise ConfigError(f"on_nan is 'stop' or 'skip', got {on_nan!r}")
        self.on_nan = on_nan
        self.skipped = 0

    @contextmanager
    def watching(self, solver: TrainValSolver) -> Iterator[None]:
        """Keeps buffers as they were before the forward pass, for a batch that is skipped."""
        if self.on_nan == "stop":
            yield
            return
        buffers = list(solver.module.buffers())
        kept = [buffer.detach().clone() for buffer in buffers]
        yield
        if solver.iter_skipped:
            with torch.no_grad():
                for buffer, before in zip(buffers, kept, strict=True):
                    buffer.copy_(before)

    def is_bad(self, solver: TrainValSolver, batch: Batch) -> bool:
        """Tells whether to skip this iteration.

        Reading the loss makes the CPU wait for the forward pass, on accelerators too: a step with a bad loss could not
        be taken back.

        Raises:
            TrainingDiverged: the loss is not finite, and the run is to stop.
        """
        loss = float(solver.iter_outputs["loss"].detach())
        bad = not math.isfinite(loss)
        if self.on_nan == "skip":
            bad = any_process(solver.accelerator, bad)
            if bad:
                self.skipped += 1
                solver.log(f"epoch {solver.epoch + 1}, iteration {solver.iter + 1}: loss {loss}, skipped")
            return bad
        if bad:
            self._stop(solver, batch, loss)
        return False

    def _stop(self, solver: TrainValSolver, batch: Batch, loss: float) -> None:
        place = f"epoch {solver.epoch + 1}, iteration {solver.iter + 1}"
        hint = "on_nan: skip leaves such batches out. Often a lower learning rate, warm-up or clip_grad_norm helps."
        if solver.work_dir is not None:
            path = solver.work_dir / f"bad-batch-{solver.epoch + 1:05d}-{solver.iter + 1:07d}.pth"
            saved = _save_batch(path, batch.data)
            hint = f"The batch is in {path}{saved}. {hint}"
        raise TrainingDiverged(f"The loss is {loss} at {place}.", hint=hint)


def _save_batch(path: Path, data: Any) -> str:
    try:
        torch.save(data, path)
    except OSError as error:
        return f" (not: {error})"
    return ""

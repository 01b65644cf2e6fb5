"""An epoch that was trained is saved before an error of what follows it ends the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from essmc_solvers.checkpoint.folder import Position
from essmc_solvers.hooks.checkpoint import CheckpointHook
from essmc_solvers.hooks.ema import EmaHook
from essmc_solvers.hooks.lr import LrHook
from essmc_solvers.solvers.base import BaseSolver


@contextmanager
def epoch_rescued(solver: BaseSolver) -> Iterator[None]:
    """Writes the checkpoint of a trained epoch when its evaluation, or a hook after it, fails within a block.

    Among several processes one that fails leaves the others waiting, so that nothing can be put together then: the
    checkpoint is written before, within the epoch, and removed when all went well.
    """
    saver = solver.hook(CheckpointHook)
    if saver is None or solver.work_dir is None:
        yield
        return
    if solver.accelerator.num_processes > 1:
        path = solver.work_dir / Position(solver.epoch, solver.iter).file_name
        is_new = not path.exists()
        saver.save_now(solver, solver.epoch, solver.iter)
        yield
        if solver.is_main and is_new:
            path.unlink(missing_ok=True)
        return
    solver.events.forget()
    try:
        yield
    except Exception as error:
        if not solver.events.has_finished("after_epoch", saver):
            _rescue(solver, saver, error)
        raise


def _rescue(solver: BaseSolver, saver: CheckpointHook, error: Exception) -> None:
    ema = solver.hook(EmaHook)
    if ema is not None:
        ema.end_evaluation()
    solver.progress.mode = ""
    rates = solver.hook(LrHook)
    if rates is not None and not solver.events.has_finished("after_epoch", rates):
        try:
            rates.after_epoch(solver)
        except Exception as second:  # it may be what failed
            solver.log(f"warning: the learning rate is that before the epoch's end: {second}")
    position = Position(solver.epoch + solver.folds, 0)
    path = saver.save_now(solver, position.epoch, position.iteration)
    cause = (str(error) or type(error).__name__).splitlines()[0]
    solver.log(f"epoch {position.epoch} was trained and is saved in {path}; what follows it failed: {cause}")

"""The epochs of a training: passes over the training data, evaluation in between, and a stop where one is asked for."""

from __future__ import annotations

from torch import nn

from essmc_solvers.engine import any_process
from essmc_solvers.errors import TrainingInterrupted
from essmc_solvers.evaluation.evaluation_pass import EvaluationPass
from essmc_solvers.hooks.checkpoint import CheckpointHook
from essmc_solvers.solvers.base import BaseSolver
from essmc_solvers.solvers.epoch_rescue import epoch_rescued
from essmc_solvers.solvers.training_pass import TrainingPass


class Epochs:
    """Runs the epochs that are left of a training.

    Args:
        training: a pass over the training data.
        evaluation: a pass over the evaluation data.
        interval: epochs between evaluations.
        model: what is evaluated.

    Attributes:
        stop_signal: number of the signal that asks the run to save itself and end, 0 where none does.
    """

    def __init__(self, training: TrainingPass, evaluation: EvaluationPass, interval: int, model: nn.Module) -> None:
        self.stop_signal = 0
        self._training = training
        self._evaluation = evaluation
        self._interval = interval
        self._model = model

    def run(self, solver: BaseSolver) -> None:
        """Trains up to ``max_epochs``.

        Raises:
            TrainingInterrupted: a signal asked for it.
        """
        while solver.epoch < solver.max_epochs:
            self._run_epoch(solver)
            solver.progress.epoch += solver.folds
        solver.progress.epoch = solver.max_epochs

    def _run_epoch(self, solver: BaseSolver) -> None:
        solver.call("before_epoch")
        for _ in self._training.iterations(solver):
            if solver.is_step_end:
                self._stop_if_asked(solver, solver.epoch)
        done = solver.epoch + solver.folds
        solver.epoch_outputs.pop("eval", None)
        with epoch_rescued(solver):
            solver.call("after_all_iter")
            if "eval" in solver.loaders and (done % self._interval == 0 or done >= solver.max_epochs):
                self._evaluate(solver)
            solver.progress.mode = ""
            solver.call("after_epoch")
        solver.progress.iter = 0
        if done < solver.max_epochs:
            self._stop_if_asked(solver, done)

    def _evaluate(self, solver: BaseSolver) -> None:
        progress = solver.progress
        trained, progress.iter = progress.iter, 0
        kept = progress.means.state_dict()
        self._evaluation.run(solver, self._model)
        progress.iter = trained
        progress.means.load_state_dict(kept)

    def _stop_if_asked(self, solver: BaseSolver, epoch: int) -> None:
        """Saves the run and ends it, if it is to stop; all processes must ask at the same place."""
        if not any_process(solver.accelerator, bool(self.stop_signal)):
            return
        saver = solver.hook(CheckpointHook)
        path = None if saver is None else saver.save_now(solver, epoch, solver.iter)
        within = f", iteration {solver.iter}" if solver.iter else ""
        raise TrainingInterrupted(epoch, within, path, self.stop_signal)

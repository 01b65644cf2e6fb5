"""One pass over the training data: batches taken, run through the model, and given to the optimizer step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from essmc_core.contract.module import check_gradient, check_train_output
from essmc_solvers.data.batch import Batch
from essmc_solvers.engine import autocast
from essmc_solvers.errors import DataError
from essmc_solvers.model.calling import call_model, check_truth
from essmc_solvers.run.passes import pass_results, start_pass
from essmc_solvers.run.protocol import Run
from essmc_solvers.starting.batch_of_one import too_few_items
from essmc_solvers.step.loss_watch import LossWatch


class TrainingPass:
    """Trains a model on each batch of some data once.

    Args:
        run: whose model and steps they are.
    """

    def __init__(self, run: Run) -> None:
        in_parts = run.accumulate_steps > 1 or run.accelerator.num_processes > 1
        self._loss_watch = LossWatch(run.module, in_parts)

    def iterations(self, run: Run) -> Iterator[None]:
        """Goes on with the pass where the run is, and yields after each iteration.

        Raises:
            DataError: no item counts.
            TrainingDiverged: loss or gradients are not finite and the run is to stop, or no batch was left.
        """
        start = run.iter
        start_pass(run, "train", start)
        run.frozen.settle()
        progress, step = run.progress, run.step
        if progress.epoch_max_iter is not None:
            progress.epoch_max_iter *= run.folds
        step.begin_pass(run.loaders["train"].usual_size, is_resumed=bool(start))
        run.call("before_all_iter")
        for batch in progress.timed(self._batches(run, start)):
            self._iterate(run, batch)
            yield
        progress.epoch_outputs["train"] = means = pass_results(run)
        step.check_pass(run.epoch + 1, means)
        if "loss" not in means:
            raise DataError(
                f"no item of epoch {run.epoch + 1} counts: the loss ignores all labels",
                hint="Is ignore_index the label of all items, or the weight of all classes 0?",
            )

    def forward(self, run: Run) -> Mapping[str, Any]:
        """Runs the model on this iteration's batch and checks what it returns.

        Raises:
            ContractError: it is something else than the contract says.
            DataError: the batch is not what the model takes, or too small.
        """
        with autocast(run.accelerator):
            inputs = run.progress.inputs
            with self._loss_watch.watching():
                try:
                    outputs = call_model(run.model, run.module, inputs)
                except ValueError as error:
                    explained = too_few_items(run, error)
                    if explained is None:
                        raise
                    raise explained from error
            check_truth(run.module, inputs, outputs)
            return self._loss_watch.complete(check_gradient(check_train_output(outputs)))

    def _batches(self, run: Run, start: int) -> Iterator[Batch]:
        """Yields the batches of all folds from a position on."""
        loader = run.loaders["train"]
        for fold in range(run.folds):
            length = loader.length or 0
            skipped = min(start, length) if fold + 1 < run.folds else start
            start -= skipped
            for batch in loader.batches(run.epoch + fold, skipped):
                batch.is_last = batch.is_last and fold + 1 == run.folds
                batch.index += fold * length
                if batch.data is not None:
                    yield batch
                    continue
                run.progress.unreadable += batch.unreadable
                if loader.world > 1:
                    raise DataError(
                        f"no item of batch {batch.index} could be read, and the other processes wait for this one",
                        hint="Let the dataset replace what it cannot read (on_error: replace), or stop.",
                    )

    def _iterate(self, run: Run, batch: Batch) -> None:
        progress, step = run.progress, run.step
        progress.iter = batch.index
        progress.batch = run.data.prepare(batch.data, "train", batch.index)
        step.begin_iteration(batch.index + 1, batch.is_last)
        run.call("before_iter")
        with step.synchronizing():
            step.before_forward()
            progress.iter_outputs = outputs = run.forward_train()
            weight, progress.iter_items = batch.count(int(outputs["batch_size"]))
            step.take(outputs, weight, batch.data, (run.epoch + 1, batch.index + 1))
            progress.iter += 1
            progress.total_iters += 1
            run.call("after_iter")

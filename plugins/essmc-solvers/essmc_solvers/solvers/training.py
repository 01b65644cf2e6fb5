"""``TrainValSolver``: epochs of training with evaluation in between."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from essmc_core import Hook, Model
from essmc_core.contract.annotations import (
    LrSchedulerConfig,
    MetricOnKeys,
    NonNegativeFloat,
    OptimizerConfig,
    PositiveFloat,
    PositiveInt,
)
from essmc_core.contract.module import check_gradient, check_train_output
from essmc_core.errors import ConfigError
from essmc_solvers.checkpoint.claim import claim
from essmc_solvers.checkpoint.run_lock import run_lock
from essmc_solvers.checkpoint.settings import optimizer_settings, schedule_settings
from essmc_solvers.data.batch import Batch
from essmc_solvers.engine import (
    any_process,
    autocast,
    steps_plainly,
    synchronize_batch_norms,
)
from essmc_solvers.errors import DataError, TrainingInterrupted
from essmc_solvers.evaluation.evaluation_pass import EvaluationPass
from essmc_solvers.hooks.backward import BackwardHook
from essmc_solvers.hooks.base import Hook as BaseHook
from essmc_solvers.hooks.checkpoint import CheckpointHook
from essmc_solvers.hooks.dist_sampler import DistSamplerHook
from essmc_solvers.hooks.log import LogHook
from essmc_solvers.hooks.lr import LrHook
from essmc_solvers.model.bfloat16 import exact_short_convolutions, uses_bfloat16
from essmc_solvers.model.calling import call_model, check_truth
from essmc_solvers.model.freezing import Frozen
from essmc_solvers.optimizers.building import build_optimizers, build_schedulers
from essmc_solvers.optimizers.parameter_groups import GroupRules
from essmc_solvers.randomness import mixed_seed, seed_everything
from essmc_solvers.solvers.base import BaseSolver
from essmc_solvers.solvers.epoch_rescue import epoch_rescued
from essmc_solvers.starting import batch_of_one
from essmc_solvers.starting.batch_of_one import check_batches_of_one
from essmc_solvers.starting.run_summary import starting_lines
from essmc_solvers.starting.watched_metrics import check_watched_metrics
from essmc_solvers.step.loss_watch import LossWatch
from essmc_solvers.step.nan_guard import NanGuard
from essmc_solvers.step.step_mean import StepMean


class TrainValSolver(BaseSolver):
    """Trains a model, evaluates it every few epochs, and can take up a run where it stopped.

    It relies on the contract of `essmc_core.TrainModule` alone. Resumed runs end with the same bits as uninterrupted
    ones, provided that the items of the dataset depend on seed, epoch and index only.

    Args:
        model: the model to train.
        optimizer: a name, a mapping with ``type``, or a mapping from submodule to such (``*`` takes the rest).
        lr_scheduler: a name or a mapping with ``type``, for each optimizer, or a mapping from submodule to such.
        resume_from: a checkpoint, or a folder, for the newest in it; ``auto`` is the work dir's newest, if any.
        work_dir: where checkpoints and metrics go; None writes nothing. One that holds an earlier run is refused,
            unless that is resumed or overwritten.
        overwrite: remove the checkpoints and metrics of an earlier run from the work dir.
        logger: takes the log lines; they go to standard output by default.
        envs: taken for the sake of EssentialMC2's configurations; the launcher tells devices and processes.
        max_epochs: passes over the training data.
        num_folds: passes that count as one epoch for hooks and evaluation.
        hooks: hooks, as a sequence or mapping; one replaces the default of the same class.
        default_hooks: add Backward-, Log-, Lr-, Checkpoint- and DistSamplerHook where they are not given.
        eval_interval: evaluate every so many epochs, and after the last.
        do_final_eval: run ``eval_metric_cfg``; None does where it is given.
        save_eval_data: write what ``eval_metric_cfg`` and ``extra_keys`` name to ``eval_00001.pth`` ….
        eval_metric_cfg: metrics over all evaluation data: a mapping with ``metric`` and ``keys``, or several.
        extra_keys: what else to collect, dotted names of inputs and outputs such as ``meta.path``.
        param_groups: mappings with ``match`` (patterns of parameter names) and ``lr``, ``weight_decay``, ``lr_scale``
            or ``decay_scale``; the first that matches counts.
        bn_weight_decay: weight decay of norm layers' scales and shifts; that of the rest by default.
        no_decay: patterns of parameter names without weight decay, e.g. ``*.bias``.
        freeze: parameters that do not train: names of submodules or parameters, or patterns of such (``backbone``,
            ``backbone.layer[12]``, ``*.bias``). They get no gradients, and no optimizer takes them.
        freeze_statistics: whether batch norms of the frozen part keep their statistics, and use them in training.
        accumulate_steps: batches whose gradients make one optimizer step: those of the mean over all their items.
        clip_grad_norm: largest norm of all gradients together.
        clip_grad_value: largest absolute value of a gradient.
        sync_bn: share batch statistics among processes (accelerators only).
        on_nan: a loss or gradients that are not finite stop the run, the batch saved in the work dir, or are skipped:
            no step is taken and buffers, such as batch statistics, are put back. An epoch of which nothing is left
            stops the run in any case.
        seed: of all random numbers, the order of the data included.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        mixed_precision: ``no``, ``fp16`` or ``bf16``. On CPUs, 3D convolutions that bfloat16 breaks run in float32.
        split_batches: divide each batch among processes, so that their number does not change the training; otherwise
            each process takes whole batches, and the batch of one step grows with their number.
        resume_changed: go on with the settings of now where they differ from the checkpoint's, which is refused
            otherwise; schedules are derived anew.

    Raises:
        ConfigError: the arguments do not go together.
    """

    def __init__(
        self,
        model: Model,
        optimizer: OptimizerConfig | dict[str, OptimizerConfig] | None = None,
        lr_scheduler: LrSchedulerConfig | dict[str, LrSchedulerConfig] | None = None,
        resume_from: str | os.PathLike[str] | None = None,
        work_dir: str | os.PathLike[str] | None = None,
        logger: logging.Logger | None = None,
        envs: Mapping[str, Any] | None = None,
        max_epochs: PositiveInt = 1,
        num_folds: PositiveInt = 1,
        hooks: list[Hook] | dict[str, Hook] | None = None,
        default_hooks: bool = True,
        eval_interval: PositiveInt = 1,
        do_final_eval: bool | None = None,
        save_eval_data: bool = False,
        eval_metric_cfg: MetricOnKeys | Sequence[MetricOnKeys] | None = None,
        extra_keys: Sequence[str] | None = None,
        param_groups: Sequence[Mapping[str, Any]] = (),
        bn_weight_decay: NonNegativeFloat | None = None,
        no_decay: Sequence[str] = (),
        freeze: str | Sequence[str] = (),
        freeze_statistics: bool = True,
        accumulate_steps: PositiveInt = 1,
        clip_grad_norm: PositiveFloat | None = None,
        clip_grad_value: PositiveFloat | None = None,
        sync_bn: bool = False,
        on_nan: Literal["stop", "skip"] = "stop",
        seed: int = 0,
        device: str = "auto",
        mixed_precision: Literal["no", "fp16", "bf16"] = "no",
        split_batches: bool = True,
        resume_changed: bool = False,
        overwrite: bool = False,
    ) -> None:
        super().__init__(
            model,
            work_dir=work_dir,
            logger=logger,
            max_epochs=max_epochs,
            num_folds=num_folds,
            hooks=hooks,
            default_hooks=default_hooks,
            seed=seed,
            device=device,
            mixed_precision=mixed_precision,
            split_batches=split_batches,
        )
        for name, number in (("eval_interval", eval_interval), ("accumulate_steps", accumulate_steps)):
            if number < 1:
                raise ConfigError(f"{name} must be 1 or more, got {number}")
        for name, bound in (("clip_grad_norm", clip_grad_norm), ("clip_grad_value", clip_grad_value)):
            if bound is not None and not bound > 0:
                raise ConfigError(f"{name} must be above 0, got {bound}", hint="null (None) clips nothing.")
        self.resume_from = resume_from
        self.resume_changed = resume_changed
        self.overwrite = overwrite
        self.grad_norm: Tensor | None = None
        self.eval_interval = eval_interval
        self.accumulate_steps = accumulate_steps
        self.clip_grad_norm = clip_grad_norm
        self.clip_grad_value = clip_grad_value
        self.total_steps = 0
        self.iter_skipped = False
        self.is_step_end = True
        self.stop_signal = 0
        self.start_note = ""
        self.scaled_loss: Tensor = torch.zeros(())
        self.evaluation = EvaluationPass(eval_metric_cfg, extra_keys, do_final_eval, save_eval_data, model=self.module)
        self._nan_guard = NanGuard(on_nan)
        self._loss_watch = LossWatch(self.module, accumulate_steps > 1 or self.accelerator.num_processes > 1)
        self._holds_work_dir = self._owns_work_dir = False
        self._tried: Any = None
        if sync_bn:
            self.module = synchronize_batch_norms(self.module, self.accelerator)
        self.frozen = Frozen(self.module, freeze, freeze_statistics)
        given = GroupRules(param_groups, bn_weight_decay, no_decay)
        has_rules = bool(param_groups or no_decay or bn_weight_decay is not None)
        if has_rules and isinstance(optimizer, torch.optim.Optimizer):
            raise ConfigError(
                "param_groups, bn_weight_decay and no_decay have no effect on an optimizer that is built already",
                hint="Give it groups as it is built, or give its configuration: {'type': 'AdamW', 'lr': 1e-3}.",
            )
        rules = self.group_rules(given)
        self._prepare_training(optimizer, lr_scheduler, rules)

    def default_hooks(self) -> list[BaseHook]:
        """Returns the hooks of every training."""
        return [BackwardHook(), LogHook(), LrHook(), CheckpointHook(), DistSamplerHook()]

    def group_rules(self, given: GroupRules) -> GroupRules:
        """Returns how to divide the model's parameters into groups; a subclass may have defaults of its own.

        Args:
            given: what the arguments say.
        """
        return given

    def solve(self, data: Any) -> dict[str, dict[str, float]]:
        """Trains.

        Args:
            data: ``{"train": loader, "eval": loader}``, or the training loader alone.

        Returns:
            The means of the last epoch: ``{"train": {"loss": …}, "eval": {"acc@1": …}}``.

        Raises:
            ContractError: the model returns something else than the contract says.
            DataError: there are no data to train on.
            TrainingDiverged: loss or gradients are not finite and ``on_nan`` is ``stop``, or no batch of an epoch was.
            TrainingInterrupted: `request_stop` was called.
            WorkDirError: the work dir cannot be written to, or another run writes to it.
        """
        self._take_data(data, ["train"])
        with self.holding_work_dir(), self._guarded_convolutions(), self._told_normalizers():
            seed_everything(mixed_seed(self.seed, self.accelerator.process_index))
            self._try_batches()
            self._claim_work_dir()
            try:
                self.call("before_solve")
                for line in starting_lines(self):
                    self.log(line)
                while self.epoch < self.max_epochs:
                    self._run_epoch()
                    self.epoch += self.folds
                self.epoch = self.max_epochs
                self.call("after_solve")
            finally:
                self._close_hooks()
        return {mode: dict(means) for mode, means in self.epoch_outputs.items()}

    def request_stop(self, signal_number: int) -> None:
        """Lets the run save a checkpoint at the next optimizer step, or after the evaluation, and end.

        Args:
            signal_number: of the signal that asks for it.
        """
        self.stop_signal = signal_number

    @contextlib.contextmanager
    def holding_work_dir(self) -> Iterator[None]:
        """Keeps other runs out of the work dir, which is made if need be.

        Raises:
            WorkDirError: the work dir cannot be written to, or another run writes to it.
        """
        self._prepare_work_dir()
        if self.work_dir is None or not self.is_main or self._holds_work_dir:
            yield
            return
        with run_lock(self.work_dir):
            self._holds_work_dir = True
            try:
                yield
            finally:
                self._holds_work_dir = False

    def check_data(self, data: Any) -> None:
        """Finds out what `solve` would refuse about its data, before anything is written or removed.

        Raises:
            DataError: there are none, their classes are not those of the model, or batch norm needs larger batches.
            ConfigError: a hook watches a metric that nobody reports.
        """
        super().check_data(data)
        with self._told_normalizers():
            self._try_batches()

    def _try_batches(self) -> None:
        if self._tried is not self.loaders["train"]:
            check_watched_metrics(self)
            check_batches_of_one(self)
        self._tried = self.loaders["train"]

    def _claim_work_dir(self) -> None:
        if self.work_dir is None or not self.is_main or self._owns_work_dir:
            return
        if self.resume_from is None:
            claim(self.work_dir, self.overwrite, "resume_from='auto' goes on with it, overwrite=True removes it.")
        self._owns_work_dir = True

    def forward_train(self) -> Mapping[str, Any]:
        """Runs the model on this iteration's batch in train mode and checks what it returns."""
        with autocast(self.accelerator):
            inputs = self._inputs()
            with self._loss_watch.watching():
                try:
                    outputs = call_model(self.model, self.module, inputs)
                except ValueError as error:
                    told = batch_of_one.told(self, error)
                    if told is None:
                        raise
                    raise told from error
            check_truth(self.module, inputs, outputs)
            return self._loss_watch.complete(check_gradient(check_train_output(outputs)))

    def average_gradients(self) -> None:
        """Turns the gradients added up over a step into those of the mean over its items in all processes."""
        self.step_mean.finish(self.trained_parameters)

    def backward(self, loss: Tensor, retain_graph: bool = False) -> None:
        """Adds the gradients of a loss."""
        retained = retain_graph or self._second_order
        if self.steps_plainly:
            loss.backward(retain_graph=retained, create_graph=self._second_order)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            self.accelerator.backward(loss, retain_graph=retained, create_graph=self._second_order)

    @property
    def trained_parameters(self) -> list[nn.Parameter]:
        """The parameters of all optimizers."""
        groups = (group for optimizer in self.optimizers.values() for group in optimizer.param_groups)
        return [parameter for group in groups for parameter in group["params"]]

    def _prepare_training(self, optimizer: Any, lr_scheduler: Any, rules: GroupRules) -> None:
        raw = build_optimizers(self.module, optimizer, rules)
        self.model, *prepared = self.accelerator.prepare(self.module, *raw.values())
        self.steps_plainly = steps_plainly(self.accelerator)
        self.optimizers: dict[str, Any] = raw if self.steps_plainly else dict(zip(raw, prepared, strict=True))
        if not self.is_fsdp:
            # Accelerate wraps `forward` for mixed precision; autocast is entered here instead, so that the model stays
            # as it was for whoever uses it after the run.
            for name in ("forward", "_original_forward"):
                self.module.__dict__.pop(name, None)
        self._second_order = any(getattr(optimizer, "is_second_order", False) for optimizer in raw.values())
        # Schedules change what optimizers were built with.
        built = optimizer_settings(raw)
        # Schedules hold on to the optimizer itself, which accelerate wraps.
        self.lr_schedulers = build_schedulers(raw, lr_scheduler)
        self.built_settings = {**built, **schedule_settings(self.lr_schedulers)}
        self._eval_model = self.model if self.is_fsdp else self.accelerator.unwrap_model(self.model)

    def _guarded_convolutions(self) -> contextlib.AbstractContextManager[Any]:
        on_cpu = self.accelerator.device.type == "cpu"
        if on_cpu and uses_bfloat16(self.module, self.accelerator.mixed_precision):
            return exact_short_convolutions(self.module)
        return contextlib.nullcontext()

    def _run_epoch(self) -> None:
        self.call("before_epoch")
        self._train()
        done = self.epoch + self.folds
        self.epoch_outputs.pop("eval", None)
        with epoch_rescued(self):
            self.call("after_all_iter")
            if "eval" in self.loaders and (done % self.eval_interval == 0 or done >= self.max_epochs):
                self._evaluate()
            self.mode = ""
            self.call("after_epoch")
        self.iter = 0
        if done < self.max_epochs:
            self._stop_if_asked(done)

    def _train(self) -> None:
        start = self.iter
        if not start:
            self.means.reset()
        self._start_pass("train", start)
        self.frozen.settle()
        if self.epoch_max_iter is not None:
            self.epoch_max_iter *= self.folds
        self.is_step_end = True
        self.step_mean = StepMean(self.accelerator, self.accumulate_steps, self.loaders["train"].usual_size)
        self._nan_guard.start_pass(self)
        self.call("before_all_iter")
        for batch in self._timed(self._batches(start)):
            self._iterate(batch)
            if self.is_step_end:
                self._stop_if_asked(self.epoch)
        self.epoch_outputs["train"] = self.pass_results()
        self._nan_guard.check_pass(self)
        if "loss" not in self.epoch_outputs["train"]:
            raise DataError(
                f"no item of epoch {self.epoch + 1} counts: the loss ignores all labels",
                hint="Is ignore_index the label of all items, or the weight of all classes 0?",
            )

    def _stop_if_asked(self, epoch: int) -> None:
        """Saves the run and ends it, if it is to stop; all processes must ask at the same place."""
        if not any_process(self.accelerator, bool(self.stop_signal)):
            return
        saver = self.hook(CheckpointHook)
        path = None if saver is None else saver.save_now(self, epoch, self.iter)
        within = f", iteration {self.iter}" if self.iter else ""
        raise TrainingInterrupted(epoch, within, path, self.stop_signal)

    def _batches(self, start: int) -> Iterator[Batch]:
        """Yields the batches of all folds from a position on."""
        loader = self.loaders["train"]
        for fold in range(self.folds):
            length = loader.length or 0
            skipped = min(start, length) if fold + 1 < self.folds else start
            start -= skipped
            for batch in loader.batches(self.epoch + fold, skipped):
                batch.is_last = batch.is_last and fold + 1 == self.folds
                batch.index += fold * length
                if batch.data is not None:
                    yield batch
                    continue
                self.unreadable += batch.unreadable
                if loader.world > 1:
                    raise DataError(
                        f"no item of batch {batch.index} could be read, and the other processes wait for this one",
                        hint="Let the dataset replace what it cannot read (on_error: replace), or stop.",
                    )

    def _iterate(self, batch: Batch) -> None:
        self.iter = batch.index
        self._take_batch(batch)
        if self.is_step_end:
            self.step_mean.start()
        self.is_step_end = (self.iter + 1) % self.accumulate_steps == 0 or batch.is_last
        self.call("before_iter")
        adds_up = not self.is_step_end or self.step_mean.adds_apart
        with self.accelerator.no_sync(self.model) if adds_up else contextlib.nullcontext():
            self._nan_guard.keep_buffers(self)
            self.iter_outputs = self.forward_train()
            weight, self.iter_items = batch.count(int(self.iter_outputs["batch_size"]))
            self.scaled_loss = self.step_mean.take(self.iter_outputs, weight, self.is_step_end)
            self.iter_skipped = self._nan_guard.is_bad_loss(self, batch)
            if not self.iter_skipped:
                self.means.add(self.iter_outputs, weight, self.is_step_end / self.accelerator.num_processes)
            self.iter += 1
            self.total_iters += 1
            self.call("after_iter")

    def gradients_are_bad(self) -> bool:
        """Tells whether the gradients so far are not finite, so that this iteration is to be skipped.

        Raises:
            TrainingDiverged: they are not, and ``on_nan`` is ``stop``.
        """
        return self._nan_guard.are_bad_gradients(self)

    def _evaluate(self) -> None:
        trained, self.iter = self.iter, 0
        kept = self.means.state_dict()
        self.epoch_outputs["eval"] = self.evaluation.run(self, self._eval_model)
        self.iter = trained
        self.means.load_state_dict(kept)

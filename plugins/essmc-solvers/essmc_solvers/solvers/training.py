"""``TrainValSolver``: epochs of training with evaluation in between."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal

from essmc_core import Hook, Model
from essmc_core.contract.annotations import (
    LrSchedulerConfig,
    MetricOnKeys,
    NonNegativeFloat,
    OptimizerConfig,
    PositiveFloat,
    PositiveInt,
)
from essmc_core.errors import ConfigError
from essmc_solvers.checkpoint.work_dir import WorkDir
from essmc_solvers.engine import synchronize_batch_norms
from essmc_solvers.evaluation.evaluation_pass import EvaluationPass
from essmc_solvers.hooks.backward import BackwardHook
from essmc_solvers.hooks.base import Hook as BaseHook
from essmc_solvers.hooks.checkpoint import CheckpointHook
from essmc_solvers.hooks.dist_sampler import DistSamplerHook
from essmc_solvers.hooks.log import LogHook
from essmc_solvers.hooks.lr import LrHook
from essmc_solvers.model.bfloat16 import guarded
from essmc_solvers.model.freezing import Frozen
from essmc_solvers.optimizers.parameter_groups import GroupRules
from essmc_solvers.optimizers.preparing import prepare
from essmc_solvers.optimizers.settings import hyperparameters
from essmc_solvers.randomness import mixed_seed, seed_everything
from essmc_solvers.solvers.base import BaseSolver
from essmc_solvers.solvers.epochs import Epochs
from essmc_solvers.solvers.training_pass import TrainingPass
from essmc_solvers.starting.batch_of_one import check_batches_of_one
from essmc_solvers.starting.run_summary import starting_lines
from essmc_solvers.starting.watched_metrics import check_watched_metrics
from essmc_solvers.step.optimizer_step import StepOptions


class TrainValSolver(BaseSolver):
    """Trains a model, evaluates it every few epochs, and resumes runs that were stopped.

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
        accumulate_steps: batches of one optimizer step, whose gradients are those of the mean over all their items.
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
        resume_changed: go on with this run's settings where they differ from the checkpoint's, which is refused
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
        if eval_interval < 1:
            raise ConfigError(f"eval_interval must be 1 or more, got {eval_interval}")
        options = StepOptions(accumulate_steps, clip_grad_norm, clip_grad_value)
        self.resume_from = resume_from
        self.resume_changed = resume_changed
        self.overwrite = overwrite
        self.start_note = ""
        self.evaluation = EvaluationPass(eval_metric_cfg, extra_keys, do_final_eval, save_eval_data, model=self.module)
        self._own_dir = WorkDir(self.work_dir, self.is_main)
        self._tried: Any = None
        if sync_bn:
            self.module = synchronize_batch_norms(self.module, self.accelerator)
        self.frozen = Frozen(self.module, freeze, freeze_statistics)
        rules = GroupRules(param_groups, bn_weight_decay, no_decay)
        rules.check_effect_on(optimizer)
        prepared = prepare(self.accelerator, self.module, optimizer, lr_scheduler, self.group_rules(rules))
        self.model, self.optimizers = prepared.model, prepared.optimizers
        self.lr_schedulers, self.built_settings = prepared.lr_schedulers, prepared.settings
        self.step = self.make_step(options, on_nan)
        self._training = TrainingPass(self)
        evaluated = self.model if self.is_fsdp else self.accelerator.unwrap_model(self.model)
        self._epochs = Epochs(self._training, self.evaluation, eval_interval, evaluated)

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
        precision = self.accelerator.mixed_precision
        guard = guarded(self.module, self.accelerator.device, precision)
        with self.holding_work_dir(), guard, self._with_normalizers():
            seed_everything(mixed_seed(self.seed, self.accelerator.process_index))
            self._try_batches()
            self._own_dir.take(is_resumed=self.resume_from is not None, overwrite=self.overwrite)
            self.starting_groups = hyperparameters(self.optimizers)
            try:
                self.call("before_solve")
                for line in starting_lines(self, self.start_note):
                    self.log(line)
                self._epochs.run(self)
                self.call("after_solve")
            finally:
                self.events.close()
        return {mode: dict(means) for mode, means in self.epoch_outputs.items()}

    def request_stop(self, signal_number: int) -> None:
        """Lets the run save a checkpoint at the next optimizer step, or after the evaluation, and end.

        Args:
            signal_number: of the signal that asks for it.
        """
        self._epochs.stop_signal = signal_number

    def holding_work_dir(self) -> AbstractContextManager[None]:
        """Keeps other runs out of the work dir, which is made if need be.

        Raises:
            WorkDirError: the work dir cannot be written to, or another run writes to it.
        """
        return self._own_dir.held()

    def check_data(self, data: Any) -> None:
        """Finds out what `solve` would refuse about its data, before anything is written or removed.

        Raises:
            DataError: there are none, their classes are not those of the model, or batch norm needs larger batches.
            ConfigError: a hook watches a metric that nobody reports.
        """
        super().check_data(data)
        with self._with_normalizers():
            self._try_batches()

    def forward_train(self) -> Mapping[str, Any]:
        """Runs the model on this iteration's batch in train mode and checks what it returns."""
        return self._training.forward(self)

    def _try_batches(self) -> None:
        if self._tried is not self.loaders["train"]:
            check_watched_metrics(self, self.evaluation)
            check_batches_of_one(self)
        self._tried = self.loaders["train"]

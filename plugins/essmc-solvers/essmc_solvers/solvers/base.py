"""What solvers have in common: the model on its device, the data, the hooks and their events."""

from __future__ import annotations

import contextlib
import logging
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from essmc_core import HOOKS, MODELS
from essmc_core.errors import ConfigError
from essmc_solvers.data.class_names import KnownClasses
from essmc_solvers.data.run_data import RunData
from essmc_solvers.engine import Precision, gather_objects, make_accelerator
from essmc_solvers.hooks.base import Hook
from essmc_solvers.hooks.events import Events, by_priority
from essmc_solvers.model.calling import check_model
from essmc_solvers.model.freezing import Frozen
from essmc_solvers.reporting.console import print_line
from essmc_solvers.run.progress import Progress
from essmc_solvers.run.protocol import Run
from essmc_solvers.step.nan_guard import NanGuard, OnNan
from essmc_solvers.step.optimizer_step import OptimizerStep, StepOptions
from essmc_solvers.step.running_means import combine


class BaseSolver(Run, ABC):
    """Drives a model over data; a subclass says in which order.

    Args:
        model: the model to drive.
        work_dir: where checkpoints, metrics and evaluation data go; None writes nothing.
        logger: takes the log lines; they go to standard output by default.
        max_epochs: passes over the training data.
        num_folds: passes that count as one epoch for hooks and evaluation, for small datasets.
        hooks: hooks, as a sequence or mapping; one replaces the default of the same class.
        default_hooks: add the solver's default hooks.
        seed: of all random numbers, the order of the data included.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        mixed_precision: ``no``, ``fp16`` or ``bf16``.
        split_batches: divide each batch among processes, so that their number does not change the run; otherwise each
            process takes whole batches, and the batch of one step grows with their number.

    Attributes:
        known_classes: names of the model's classes, which labels of evaluation data are mapped to; None where nobody
            names them. Those of training data that have names take their place.
    """

    def __init__(
        self,
        model: Any,
        *,
        work_dir: str | os.PathLike[str] | None,
        logger: logging.Logger | None,
        max_epochs: int,
        num_folds: int,
        hooks: Sequence[Any] | Mapping[str, Any] | None,
        default_hooks: bool,
        seed: int,
        device: str,
        mixed_precision: Precision,
        split_batches: bool,
    ) -> None:
        for name, number in (("max_epochs", max_epochs), ("num_folds", num_folds)):
            if number < 1:
                raise ConfigError(f"{name} must be 1 or more, got {number}")
        self.module: nn.Module = MODELS.build(model)
        check_model(self.module)
        self.model: nn.Module = self.module
        self.work_dir = None if work_dir is None else Path(work_dir)
        self.logger = logger
        self.max_epochs = max_epochs
        self.num_folds = num_folds
        self.seed = seed
        self.split_batches = split_batches
        self.accelerator = make_accelerator(device, mixed_precision)
        self.hooks = self.order_hooks(hooks, default_hooks)
        self.events = Events(self.hooks)
        self.config: Mapping[str, Any] | None = None
        self.known_classes: KnownClasses | None = None
        self.progress = Progress()
        self.data = RunData(
            self.module,
            self.accelerator.device,
            seed=seed,
            rank=self.accelerator.process_index,
            world=self.accelerator.num_processes,
            split_batches=split_batches,
        )
        self.resume_from: str | os.PathLike[str] | None = None
        self.resume_changed = False
        self.optimizers: dict[str, Any] = {}
        self.lr_schedulers: dict[str, Any] = {}
        self.built_settings: dict[str, Any] = {}
        self.starting_groups: dict[str, list[dict[str, Any]]] = {}
        self.frozen = Frozen(self.module)
        self.step = self.make_step(StepOptions(), "stop")

    @abstractmethod
    def solve(self, data: Any) -> dict[str, dict[str, float]]:
        """Runs over data and returns the means of the last pass by mode and name."""

    def default_hooks(self) -> list[Hook]:
        """Returns the hooks this solver has unless others of their classes are given."""
        return []

    def order_hooks(self, given: Sequence[Any] | Mapping[str, Any] | None, default_hooks: bool) -> list[Any]:
        """Returns the run's hooks by priority.

        Args:
            given: hooks or configurations of such.
            default_hooks: add those of `default_hooks` whose class is not given.
        """
        listed = list(given.values()) if isinstance(given, Mapping) else list(given or ())
        return by_priority(map(HOOKS.build, listed), self.default_hooks() if default_hooks else ())

    def make_step(self, options: StepOptions, on_nan: OnNan) -> OptimizerStep:
        """Returns the steps of the optimizers that there are.

        Args:
            options: of what each is made.
            on_nan: ``stop`` or ``skip``, for losses and gradients that are not finite.
        """
        guard = NanGuard(on_nan, self.module, self.accelerator, self.work_dir, self.log)
        return OptimizerStep(self.accelerator, self.model, self.optimizers, options, guard, self.progress.means)

    def call(self, event: str) -> None:
        """Runs the hooks that take part in an event, by priority."""
        self.events.call(event, self)

    def hook(self, kind: type[Any]) -> Any:
        """Returns the hook of a class, None if there is none."""
        return next((hook for hook in self.hooks if isinstance(hook, kind)), None)

    def log(self, text: str) -> None:
        """Writes a log line, in the main process only."""
        if not self.is_main:
            return
        if self.logger is not None:
            self.logger.info(text)
        else:
            print_line(text)

    def reduced_means(self) -> dict[str, float]:
        """Returns the running means over all processes; every process must ask."""
        if self.accelerator.num_processes == 1:
            return self.means.means()
        return combine(gather_objects(self.accelerator, self.means.state_dict()))

    def forward_train(self) -> Mapping[str, Any]:
        """Runs the model on this iteration's batch in train mode; solvers that train do.

        Raises:
            NotImplementedError: this one does not train.
        """
        raise NotImplementedError(f"{type(self).__name__} does not train")

    def check_data(self, data: Any) -> None:
        """Finds out what `solve` would refuse about its data, before anything is written or removed.

        Raises:
            DataError: there are none, or their classes are not those of the model.
        """
        self._take_data(data, ["train"])

    def _take_data(self, data: Any, names: Sequence[str]) -> None:
        """Keeps the loaders by name, ready to be divided among processes."""
        stated = (self.config or {}).get("labels")
        self.known_classes = self.data.take(data, names, self.known_classes, stated, type(self).__name__)

    @contextlib.contextmanager
    def _with_normalizers(self) -> Iterator[None]:
        """Lets the model return what its means were divided by, within a block."""
        module: Any = self.module
        before = getattr(module, "tells_normalizers", False)
        module.tells_normalizers = True
        try:
            yield
        finally:
            module.tells_normalizers = before

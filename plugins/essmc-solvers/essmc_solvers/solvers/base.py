"""What solvers have in common: the model on its device, the data, the hooks and their events."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
import warnings
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from essmc_core import HOOKS, MODELS
from essmc_core.errors import ConfigError, ContractError
from essmc_solvers.data.batch import Batch
from essmc_solvers.data.class_names import ClassMap, KnownClasses, class_names, map_classes, remember_classes
from essmc_solvers.data.epoch_loader import EpochLoader, check_not_empty
from essmc_solvers.data.labels import LabelCheck
from essmc_solvers.engine import Precision, gather_objects, is_fsdp, make_accelerator
from essmc_solvers.errors import DataError, WorkDirError
from essmc_solvers.hooks.base import EVENTS, Hook
from essmc_solvers.model.calling import check_model
from essmc_solvers.step.running_means import RunningMeans, combine

_LOOK_ALIKES = ("val", "valid", "validation", "test", "evaluation")


class BaseSolver(ABC):
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
        epoch: epochs done.
        iter: iterations done of this pass over ``mode``'s data.
        total_iters: training iterations done.
        epoch_max_iter: iterations of this pass, None where a stream does not tell.
        mode: ``train`` or ``eval``, and empty before either.
        batch: inputs of this iteration by name, on the device, ``meta`` included.
        iter_outputs: what the model gave for them.
        iter_items: items of this iteration, in all processes.
        epoch_outputs: means over the last pass, by mode and name.
        data_seconds: time spent waiting for data in this pass.
        unreadable: inputs of this pass that this process could not read.
        known_classes: names of the model's classes, which labels of evaluation data are mapped to; None where nobody
            names them. Those of training data that have names take their place.
        finished_hooks: events and hooks that were called last.
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
        self._calls = {
            event: [(hook, getattr(hook, event)) for hook in self.hooks if _takes_part(hook, event)] for event in EVENTS
        }
        self.finished_hooks: deque[tuple[str, Any]] = deque(maxlen=4 * len(self.hooks) + 4)
        self.means = RunningMeans()
        self.loaders: dict[str, EpochLoader] = {}
        self.config: Mapping[str, Any] | None = None
        self.epoch = self.iter = self.total_iters = 0
        self.epoch_max_iter: int | None = None
        self.mode = ""
        self.batch: Mapping[str, Any] = {}
        self.iter_outputs: Any = None
        self.iter_items = 0
        self.epoch_outputs: dict[str, dict[str, float]] = {}
        self.data_seconds = 0.0
        self.unreadable = 0
        self._labels = LabelCheck(self.module)
        self.known_classes: KnownClasses | None = None
        self._class_maps: dict[str, ClassMap | None] = {}
        self._taken: dict[str, Any] | None = None

    @abstractmethod
    def solve(self, data: Any) -> dict[str, dict[str, float]]:
        """Runs over data and returns the means of the last pass by mode and name."""

    def default_hooks(self) -> list[Hook]:
        """Returns the hooks this solver has unless others of their classes are given."""
        return []

    def pass_results(self) -> dict[str, float]:
        """Returns the means of a pass, and ``unreadable``, if inputs could not be read; every process must ask."""
        results = self.reduced_means()
        counts = gather_objects(self.accelerator, self.unreadable)
        return {**results, "unreadable": sum(counts)} if any(counts) else results

    def order_hooks(self, given: Sequence[Any] | Mapping[str, Any] | None, default_hooks: bool) -> list[Any]:
        """Returns the run's hooks by priority.

        Args:
            given: hooks or configurations of such.
            default_hooks: add those of `default_hooks` whose class is not given.
        """
        listed = list(given.values()) if isinstance(given, Mapping) else list(given or ())
        hooks = [HOOKS.build(hook) for hook in listed]
        for hook in hooks:
            _check_hook(hook)
        if default_hooks:
            classes = {type(hook) for hook in hooks}
            hooks += [hook for hook in self.default_hooks() if type(hook) not in classes]
        return sorted(hooks, key=lambda hook: getattr(hook, "priority", 0))

    @property
    def folds(self) -> int:
        """Passes of this epoch: ``num_folds``, or what is left of ``max_epochs``."""
        return max(1, min(self.num_folds, self.max_epochs - self.epoch))

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and log lines."""
        return bool(self.accelerator.is_main_process)

    @property
    def is_fsdp(self) -> bool:
        """Whether parameters are sharded among processes."""
        return is_fsdp(self.accelerator)

    def call(self, event: str) -> None:
        """Runs the hooks that take part in an event, by priority."""
        for hook, method in self._calls[event]:
            method(self)
            self.finished_hooks.append((event, hook))

    def has_finished(self, event: str, hook: Any) -> bool:
        """Tells whether a hook has done its part of an event since `finished_hooks` was cleared."""
        return any(done == event and one is hook for done, one in self.finished_hooks)

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
            from essmc_solvers.reporting.console import print_line

            print_line(text)

    def reduced_means(self) -> dict[str, float]:
        """Returns the running means over all processes; every process must ask."""
        if self.accelerator.num_processes == 1:
            return self.means.means()
        return combine(gather_objects(self.accelerator, self.means.state_dict()))

    def _close_hooks(self) -> None:
        for hook in self.hooks:
            if hasattr(hook, "close"):
                hook.close()

    def check_data(self, data: Any) -> None:
        """Finds out what `solve` would refuse about its data, before anything is written or removed.

        Raises:
            DataError: there are none, or their classes are not those of the model.
        """
        self._take_data(data, ["train"])

    @contextlib.contextmanager
    def _told_normalizers(self) -> Iterator[None]:
        """Lets the model tell what its means were divided by."""
        before = getattr(self.module, "tells_normalizers", False)
        self.module.tells_normalizers = True  # type: ignore[assignment,unused-ignore]
        try:
            yield
        finally:
            self.module.tells_normalizers = before

    def _take_data(self, data: Any, names: Sequence[str]) -> None:
        """Keeps the loaders by name, ready to be divided among processes."""
        if not isinstance(data, Mapping):
            data = {names[0]: data}
        if self._taken is not None and _same_objects(data, self._taken):
            return
        self._taken = None
        self.loaders.clear()
        missing = [name for name in names if data.get(name) is None]
        if missing:
            known = ", ".join(repr(name) for name, loader in data.items() if loader is not None) or "nothing"
            raise DataError(
                f"{type(self).__name__} needs {missing[0]!r} data, and got {known}",
                hint=f'solve({{"{missing[0]}": loader}}), or a section data.{missing[0]} in a configuration.',
            )
        for name, loader in data.items():
            if loader is None:
                continue
            if not isinstance(loader, Iterable):
                raise DataError(f"the {name!r} data are a {type(loader).__name__}, not a DataLoader")
            rank, world = self.accelerator.process_index, self.accelerator.num_processes
            prepared = EpochLoader(loader, seed=self.seed, rank=rank, world=world, split_batches=self.split_batches)
            check_not_empty(prepared, name)
            self._labels.check_dataset(prepared.dataset, name)
            self.loaders[name] = prepared
        if "eval" not in self.loaders and (
            other := next((name for name in self.loaders if name in _LOOK_ALIKES), None)
        ):
            warnings.warn(f"the {other!r} data are not used: those to evaluate on are called 'eval'", stacklevel=3)
        self._compare_classes()
        self._taken = dict(data)

    def _compare_classes(self) -> None:
        """Prepares to renumber the labels of data whose classes are numbered otherwise than the model's.

        Raises:
            DataError: they have classes that the model has not.
        """
        trained = class_names(self.loaders["train"].dataset) if "train" in self.loaders else ()
        stated = (self.config or {}).get("labels")
        if trained:
            self.known_classes = KnownClasses(trained, "the train data")
            if self._labels.learns_indices:
                remember_classes(self.module, trained)
        elif self.known_classes is None and isinstance(stated, (list, tuple)) and len(stated) == self._labels.classes:
            self.known_classes = KnownClasses(tuple(map(str, stated)), "the configuration's `labels`", False)
        others = [name for name in self.loaders if name != "train"] if self._labels.learns_indices else []
        for name in others:
            dataset = self.loaders[name].dataset
            self._class_maps[name] = map_classes(self.known_classes, dataset, name, self._labels.classes)

    def _prepare_work_dir(self) -> None:
        """Makes the work dir and checks that files can be written there.

        Raises:
            WorkDirError: they cannot.
        """
        if self.work_dir is None:
            return
        try:
            self.work_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.work_dir):
                pass
        except OSError as error:
            raise WorkDirError(
                f"the work dir {self.work_dir} cannot be written to: {error.strerror or error}",
                hint="--work-dir (work_dir=) names another.",
            ) from error

    def _start_pass(self, mode: str, iteration: int = 0) -> None:
        self.mode = mode
        self.model.train(mode == "train")
        self.module.train(mode == "train")
        self.iter = iteration
        if not iteration:
            self.unreadable = 0
        self.epoch_max_iter = self.loaders[mode].length
        self.data_seconds = 0.0

    def _timed(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Yields batches and adds up the time spent waiting for them."""
        while True:
            began = time.perf_counter()
            batch = next(batches, None)
            self.data_seconds += time.perf_counter() - began
            if batch is None:
                return
            self.unreadable += batch.unreadable
            yield batch

    def _take_batch(self, batch: Batch) -> None:
        self._take_batch_data(batch.data)

    def _take_batch_data(self, data: Any) -> None:
        if not isinstance(data, Mapping):
            raise DataError(
                f"a batch of the {self.mode!r} data is a {type(data).__name__}, not a dict",
                hint="Batches are dicts of what the model takes by name: {'video': …, 'gt_label': …}.",
            )
        class_map = self._class_maps.get(self.mode)
        if class_map is not None and "gt_label" in data:
            data = {**data, "gt_label": class_map.renumber(data["gt_label"])}
        self._labels.check_batch(data.get("gt_label"), f"{self.mode} batch {self.iter}")
        device = self.accelerator.device
        self.batch = {key: _to_device(value, device) for key, value in data.items()}

    def _inputs(self) -> dict[str, Any]:
        return {key: value for key, value in self.batch.items() if key != "meta"}


def _check_hook(hook: Any) -> None:
    if not isinstance(hook, Hook) and not any(_takes_part(hook, event) for event in EVENTS):
        raise ContractError(
            f"A {type(hook).__name__} is no hook: it has none of a run's events.",
            hint=f"A hook has some of the methods {', '.join(EVENTS)}.",
        )


def _same_objects(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)


def _takes_part(hook: Any, event: str) -> bool:
    method = getattr(type(hook), event, None)
    return method is not None and method is not getattr(Hook, event)


def _to_device(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value if value.device == device else value.to(device, non_blocking=True)
    if isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
        return type(value)(_to_device(item, device) for item in value)
    if isinstance(value, Mapping):
        return {key: _to_device(item, device) for key, item in value.items()}
    return value

"""The data of a run: loaders by name, and batches as the model takes them."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from essmc_solvers.data.class_names import ClassMap, KnownClasses, class_names, map_classes, remember_classes
from essmc_solvers.data.epoch_loader import EpochLoader, check_not_empty
from essmc_solvers.data.labels import LabelCheck
from essmc_solvers.errors import DataError

_LOOK_ALIKES = ("val", "valid", "validation", "test", "evaluation")


class RunData:
    """What a run reads, divided among processes, with the labels numbered as the model numbers its classes.

    Args:
        module: the model.
        device: where batches go.
        seed: of the order.
        rank: number of this process.
        world: number of processes.
        split_batches: divide each batch among the processes; otherwise each takes whole batches in turn.

    Attributes:
        loaders: by name: ``train``, ``eval``.
    """

    def __init__(
        self, module: nn.Module, device: torch.device, *, seed: int, rank: int, world: int, split_batches: bool
    ) -> None:
        self.loaders: dict[str, EpochLoader] = {}
        self._module = module
        self._device = device
        self._order = {"seed": seed, "rank": rank, "world": world, "split_batches": split_batches}
        self._labels = LabelCheck(module)
        self._class_maps: dict[str, ClassMap | None] = {}
        self._taken: dict[str, Any] | None = None

    def take(
        self, data: Any, names: Sequence[str], known: KnownClasses | None, stated: Any, whose: str
    ) -> KnownClasses | None:
        """Keeps the loaders by name, and compares the classes of their data.

        Args:
            data: loaders by name, or the first of ``names`` alone.
            names: of loaders that there must be.
            known: the model's classes as they are known so far.
            stated: names of classes in the configuration, None where it has none.
            whose: name of the solver, for messages.

        Returns:
            The model's classes: those of the training data, if they have names.

        Raises:
            DataError: data are missing or empty, or have classes that the model has not.
        """
        if not isinstance(data, Mapping):
            data = {names[0]: data}
        if self._taken is not None and _same_objects(data, self._taken):
            return known
        self._taken = None
        self.loaders.clear()
        missing = [name for name in names if data.get(name) is None]
        if missing:
            given = ", ".join(repr(name) for name, loader in data.items() if loader is not None) or "nothing"
            raise DataError(
                f"{whose} needs {missing[0]!r} data, and got {given}",
                hint=f'solve({{"{missing[0]}": loader}}), or a section data.{missing[0]} in a configuration.',
            )
        for name, loader in data.items():
            if loader is not None:
                self.loaders[name] = self._prepared(loader, name)
        if "eval" not in self.loaders and (
            other := next((name for name in self.loaders if name in _LOOK_ALIKES), None)
        ):
            warnings.warn(f"the {other!r} data are not used: those to evaluate on are called 'eval'", stacklevel=4)
        known = self._compared_classes(known, stated)
        self._taken = dict(data)
        return known

    def prepare(self, data: Any, mode: str, iteration: int) -> dict[str, Any]:
        """Returns a batch as the model takes it: its labels renumbered and checked, its tensors on the device.

        Args:
            data: inputs by name, as the loader gave them.
            mode: whose they are: ``train`` or ``eval``.
            iteration: number of the batch, for messages.

        Raises:
            DataError: the batch is no mapping.
            LabelError: the model has no class for a label.
        """
        if not isinstance(data, Mapping):
            raise DataError(
                f"a batch of the {mode!r} data is a {type(data).__name__}, not a dict",
                hint="Batches are dicts of what the model takes by name: {'video': …, 'gt_label': …}.",
            )
        class_map = self._class_maps.get(mode)
        if class_map is not None and "gt_label" in data:
            data = {**data, "gt_label": class_map.renumber(data["gt_label"])}
        self._labels.check_batch(data.get("gt_label"), f"{mode} batch {iteration}")
        return {key: _to_device(value, self._device) for key, value in data.items()}

    def _prepared(self, loader: Any, name: str) -> EpochLoader:
        if not isinstance(loader, Iterable):
            raise DataError(f"the {name!r} data are a {type(loader).__name__}, not a DataLoader")
        prepared = EpochLoader(loader, **self._order)  # type: ignore[arg-type]
        check_not_empty(prepared, name)
        self._labels.check_dataset(prepared.dataset, name)
        return prepared

    def _compared_classes(self, known: KnownClasses | None, stated: Any) -> KnownClasses | None:
        """Prepares to renumber the labels of data whose classes are numbered otherwise than the model's.

        Raises:
            DataError: they have classes that the model has not.
        """
        trained = class_names(self.loaders["train"].dataset) if "train" in self.loaders else ()
        if trained:
            known = KnownClasses(trained, "the train data")
            if self._labels.learns_indices:
                remember_classes(self._module, trained)
        elif known is None and isinstance(stated, (list, tuple)) and len(stated) == self._labels.classes:
            known = KnownClasses(tuple(map(str, stated)), "the configuration's `labels`", False)
        others = [name for name in self.loaders if name != "train"] if self._labels.learns_indices else []
        for name in others:
            self._class_maps[name] = map_classes(known, self.loaders[name].dataset, name, self._labels.classes)
        return known


def _same_objects(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one.keys() == other.keys() and all(one[name] is other[name] for name in one)


def _to_device(value: Any, device: torch.device) -> Any:
    if isinstance(value, torch.Tensor):
        return value if value.device == device else value.to(device, non_blocking=True)
    if isinstance(value, (list, tuple)) and any(isinstance(item, torch.Tensor) for item in value):
        return type(value)(_to_device(item, device) for item in value)
    if isinstance(value, Mapping):
        return {key: _to_device(item, device) for key, item in value.items()}
    return value

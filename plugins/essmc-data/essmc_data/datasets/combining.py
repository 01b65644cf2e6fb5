"""Datasets made of datasets: one after another, and one several times."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from essmc_core import DATASETS, Dataset
from essmc_core.contract.annotations import PositiveInt
from essmc_core.errors import ConfigError
from essmc_data.datasets.base import MapDataset
from essmc_data.datasets.shared_state import SharedState
from essmc_data.item import Item
from essmc_data.lists.class_names import shortened


def build_dataset(cfg: Any) -> Any:
    """Returns a dataset; a list of configs, or a mapping of configs by name, becomes a `ConcatDataset`.

    Args:
        cfg: a dataset, a config, a name, or several of those.
    """
    if isinstance(cfg, (list, tuple)) or (isinstance(cfg, Mapping) and "type" not in cfg):
        return ConcatDataset(cfg)
    return DATASETS.build(cfg)


class ConcatDataset(MapDataset):
    """Datasets one after another.

    Args:
        datasets: a list, or a mapping by names of your choice.

    Raises:
        ConfigError: there are none, or their classes differ.
    """

    def __init__(self, datasets: Sequence[Dataset] | Mapping[str, Dataset]) -> None:
        listed = list(datasets.values()) if isinstance(datasets, Mapping) else list(datasets)
        if not listed:
            raise ConfigError("ConcatDataset was given no dataset.")
        self.datasets = [build_dataset(dataset) for dataset in listed]
        named = {tuple(getattr(dataset, "classes", ())) for dataset in self.datasets} - {()}
        if len(named) > 1:
            first, second, *_ = sorted(named, key=len, reverse=True)
            raise ConfigError(
                "The datasets number their classes differently: "
                f"one alone has {shortened(sorted(set(first) - set(second))) or 'none of its own'}, "
                f"another {shortened(sorted(set(second) - set(first))) or 'none of its own'}.",
                hint="Give all of them the same `classes`.",
            )
        self.classes = next(iter(named), ())
        self._ends = list(accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self) -> int:
        return self._ends[-1]

    def load(self, index: int, key: int) -> Item | None:
        """Returns an item; see `MapDataset.load`."""
        which = bisect_right(self._ends, index)
        return _load(self.datasets[which], index - (self._ends[which - 1] if which else 0), key)

    def states(self) -> list[SharedState]:
        """Returns the states of all datasets."""
        return [state for dataset in self.datasets for state in _states(dataset)]


class DatasetRepeater(MapDataset):
    """A dataset several times, with other random augmentations each time.

    Args:
        dataset: what to repeat.
        num_repeats: how often.

    Raises:
        ConfigError: ``num_repeats`` is less than 1.
    """

    def __init__(self, dataset: Dataset, num_repeats: PositiveInt) -> None:
        if num_repeats < 1:
            raise ConfigError(f"num_repeats={num_repeats} must be at least 1.")
        self.dataset = build_dataset(dataset)
        self.num_repeats = num_repeats
        self.classes = tuple(getattr(self.dataset, "classes", ()))

    def __len__(self) -> int:
        return len(self.dataset) * self.num_repeats

    def load(self, index: int, key: int) -> Item | None:
        """Returns an item; see `MapDataset.load`."""
        return _load(self.dataset, index % len(self.dataset), key)

    def states(self) -> list[SharedState]:
        """Returns the states of the dataset."""
        return _states(self.dataset)


def _load(dataset: Any, index: int, key: int) -> Item | None:
    # Datasets of other libraries know no key.
    loaded: Item | None = dataset.load(index, key) if isinstance(dataset, MapDataset) else dataset[index]
    return loaded


def _states(dataset: Any) -> list[SharedState]:
    return dataset.states() if isinstance(dataset, MapDataset) else []

"""Batches of a data set's items: the loader, and building one from its part of a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, IterableDataset

from essmc_core import REGISTRIES, Config, Dataset
from essmc_core.contract.annotations import NonNegativeFloat, NonNegativeInt, PositiveInt
from essmc_core.errors import ConfigError
from essmc_data.arguments.rules import check_shuffled_stream
from essmc_data.datasets.base import BaseDataset
from essmc_data.datasets.combining import build_dataset
from essmc_data.errors import UnreadableInput
from essmc_data.loading.collate import collate, has_inputs
from essmc_data.loading.completing import complete_pipelines, leaves
from essmc_data.sampling.index_samplers import EvalDistributedSampler, MultiFoldDistributedSampler


class Loader(DataLoader[Any]):
    """A data loader that leaves out batches of which no item could be read.

    It loads for one process, without a seed and without the model's input, until `set_seed`, `set_process` and
    `complete_pipelines` say otherwise; all three are to be called before it is iterated.

    Args:
        dataset: a dataset; several, as a list or by names of your choice, are taken one after another.
        batch_size: items of a batch, in all processes together. Only with a solver's ``split_batches: false`` is it
            that of each process.
        num_workers: loading processes; 0 loads in the training process.
        shuffle: whether the order is random; by default where the dataset's mode is ``train``.
        drop_last: whether to drop a last batch that is not full.
        pin_memory: whether to put batches in page-locked memory, for CUDA.
        prefetch_factor: batches that each worker makes ahead.
        persistent_workers: whether workers live on between epochs.
        multiprocessing_context: ``fork``, ``spawn`` or ``forkserver``.
        num_folds: how often an epoch of training goes through the dataset.
        timeout: seconds to wait for a batch; 0 waits forever.

    Raises:
        ConfigError: the options exclude each other, or a number is impossible.
    """

    def __init__(
        self,
        dataset: Dataset | list[Dataset] | dict[str, Dataset],
        batch_size: PositiveInt = 1,
        num_workers: NonNegativeInt = 0,
        shuffle: bool | None = None,
        drop_last: bool = False,
        pin_memory: bool = False,
        prefetch_factor: PositiveInt | None = None,
        persistent_workers: bool | None = None,
        multiprocessing_context: Literal["fork", "spawn", "forkserver"] | None = None,
        num_folds: PositiveInt = 1,
        timeout: NonNegativeFloat = 0.0,
    ) -> None:
        _check_least(1, batch_size=batch_size, num_folds=num_folds)
        _check_least(0, num_workers=num_workers, timeout=timeout)
        built = build_dataset(dataset)
        if num_workers and hasattr(built, "share"):
            built.share()
        of_workers: dict[str, Any] = {}
        if num_workers:
            of_workers["prefetch_factor"] = prefetch_factor
            of_workers["persistent_workers"] = persistent_workers is not False
            of_workers["multiprocessing_context"] = multiprocessing_context
        super().__init__(
            built,
            batch_size=batch_size,
            sampler=_sampler(built, shuffle, num_folds),
            num_workers=num_workers,
            collate_fn=collate,
            drop_last=drop_last,
            pin_memory=pin_memory,
            timeout=timeout,
            # Torch's loaders draw a number for their workers, by default from the generator of the training loop.
            generator=torch.Generator().manual_seed(0),
            **of_workers,
        )

    def set_seed(self, seed: int) -> None:
        """Sets the seed of order and augmentation."""
        for part in (self.dataset, self.sampler):
            if hasattr(part, "set_seed"):
                part.set_seed(seed)
        self.generator.manual_seed(seed)

    def set_process(self, rank: int, world: int) -> None:
        """Gives this process its part of the data; ``batch_size`` becomes that of each process.

        Args:
            rank: number of this process.
            world: number of processes.

        Raises:
            ConfigError: inputs that cannot be read are skipped in training, or there is no such process.
        """
        if world > 1 and isinstance(self.sampler, MultiFoldDistributedSampler):
            _check_skipping(self.dataset)
        for part in (self.dataset, self.sampler):
            if hasattr(part, "set_process"):
                part.set_process(rank, world)

    def complete_pipelines(self, model_input: Mapping[str, Any]) -> None:
        """Makes the pipelines that were left out from a configuration's ``input``; see `FromInput`.

        Args:
            model_input: what the model takes.

        Raises:
            ConfigError: it is empty or cannot be used, and a pipeline was left out.
        """
        complete_pipelines(self.dataset, model_input)

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Sets the epoch of dataset and sampler; to be called before iterating.

        Args:
            epoch: its number.
            start: items that this process has taken of it already, to resume in its middle; a multiple of the batch
                size.
        """
        for part in (self.dataset, self.sampler):
            if part is self.sampler and isinstance(part, MultiFoldDistributedSampler):
                part.set_epoch(epoch, start)
            elif hasattr(part, "set_epoch"):
                part.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        batches = readable = 0
        for batch in super().__iter__():
            batches += 1
            if has_inputs(batch):
                readable += 1
                yield batch
        if batches and not readable:
            raise UnreadableInput("No input of this epoch could be read.", hint="The warnings name the files.")


def build_loader(
    cfg: Mapping[str, Any],
    *,
    seed: int = 0,
    epoch: int = 0,
    rank: int = 0,
    world: int = 1,
    model_input: Mapping[str, Any] | None = None,
) -> Loader:
    """Builds a loader and its dataset.

    Items depend on (seed, epoch, index) alone, not on the number of workers. With ``world`` above 1 the loader gives
    this process its part: in training every process the same number of items, in evaluation each item to exactly one
    process, and ``batch_size / world`` items at a time. Solvers divide batches themselves; they take loaders of one
    process.

    Args:
        cfg: the arguments of `Loader`.
        seed: of order and augmentation.
        epoch: to begin with.
        rank: number of this process.
        world: number of processes.
        model_input: what the model takes, as a configuration's ``input`` says; data sets of files whose ``pipeline``
            is left out get one made from it (`FromInput`). With None they stay without.

    Raises:
        ConfigError: the configuration cannot be used, or ``model_input`` is needed and empty.
        SchemaError: the dataset's does not fit its signature.
    """
    config = cfg if isinstance(cfg, Config) else Config.from_mapping(cfg)
    loader: Loader = REGISTRIES["loaders"].build(config.with_overrides({"type": "DataLoader", **_share(cfg, world)}))
    if model_input is not None:
        loader.complete_pipelines(model_input)
    loader.set_seed(seed)
    loader.set_process(rank, world)
    loader.set_epoch(epoch)
    return loader


def _share(cfg: Mapping[str, Any], world: int) -> dict[str, int]:
    """Returns the batch size of one of several processes."""
    batch_size = cfg.get("batch_size", 1)
    if world == 1 or type(batch_size) is not int:
        return {}
    if batch_size % world:
        message = f"batch_size={batch_size} cannot be divided evenly among {world} processes."
        raise ConfigError(message, hint="It counts the items of all processes together.")
    return {"batch_size": batch_size // world}


def _check_least(least: int, **numbers: float) -> None:
    for name, number in numbers.items():
        if number < least:
            raise ConfigError(f"{name} must be at least {least}, got {number!r}.")


def _sampler(dataset: Any, shuffle: bool | None, num_folds: int) -> Any:
    """Returns what orders the items, None for a stream."""
    if isinstance(dataset, IterableDataset):
        check_shuffled_stream(shuffle, num_folds)
        return None
    training = any(getattr(leaf, "mode", None) == "train" for leaf in leaves(dataset))
    if training or shuffle:
        return MultiFoldDistributedSampler(dataset, num_folds, shuffle=training if shuffle is None else shuffle)
    return EvalDistributedSampler(dataset)


def _check_skipping(dataset: Any) -> None:
    # A process that skips a whole batch would wait for gradients of the others forever.
    if any(isinstance(leaf, BaseDataset) and leaf.policy.on_error == "skip" for leaf in leaves(dataset)):
        message = "on_error: skip gives processes different numbers of batches."
        raise ConfigError(message, hint="Choose replace or stop.")

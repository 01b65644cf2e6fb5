"""Building a data loader from its part of a configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch.utils.data import DataLoader, IterableDataset

from essmc_core import Config, Dataset
from essmc_core.building.construct import check_config, live_signature
from essmc_core.contract.annotations import NonNegativeFloat, NonNegativeInt, PositiveInt
from essmc_core.errors import ConfigError
from essmc_core.foundation.plain_data import plain_data
from essmc_data.argument_rules import check_shuffled_stream
from essmc_data.collate import collate, has_inputs
from essmc_data.completing import complete_pipelines, leaves
from essmc_data.datasets.base import BaseDataset
from essmc_data.datasets.combining import build_dataset
from essmc_data.errors import UnreadableInput
from essmc_data.index_samplers import EvalDistributedSampler, MultiFoldDistributedSampler


@dataclass(frozen=True, slots=True)
class LoaderOptions:
    """What a loader's configuration may say.

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
    """

    dataset: Dataset | list[Dataset] | dict[str, Dataset]
    batch_size: PositiveInt = 1
    num_workers: NonNegativeInt = 0
    shuffle: bool | None = None
    drop_last: bool = False
    pin_memory: bool = False
    prefetch_factor: PositiveInt | None = None
    persistent_workers: bool | None = None
    multiprocessing_context: Literal["fork", "spawn", "forkserver"] | None = None
    num_folds: PositiveInt = 1
    timeout: NonNegativeFloat = 0.0

    @classmethod
    def from_mapping(cls, given: Mapping[str, Any]) -> LoaderOptions:
        """Checks names and values, the dataset's included.

        Raises:
            SchemaError: names or types do not fit.
            ConfigError: a number is impossible.
        """
        config = given if isinstance(given, Config) else Config.from_mapping(given)
        check_config("loaders", config.with_overrides({"type": "DataLoader"}), live_signature)
        options = cls(**{name: plain_data(config[name]) for name in config if name != "type"})
        for name, least in (("batch_size", 1), ("num_workers", 0), ("num_folds", 1), ("timeout", 0)):
            value = getattr(options, name)
            if value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value!r}.", where=config.where(name))
        return options


class Loader(DataLoader[Any]):
    """A data loader that leaves out batches of which no item could be read, and sets the epoch of all that has one."""

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
        cfg: what `LoaderOptions` lists.
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
    options = LoaderOptions.from_mapping(cfg)
    dataset = build_dataset(cfg["dataset"])
    if model_input is not None:
        complete_pipelines(dataset, model_input)
    if hasattr(dataset, "set_seed"):
        dataset.set_seed(seed)
    if options.num_workers and hasattr(dataset, "share"):
        dataset.share()
    loader = Loader(dataset, **_arguments(dataset, options, seed, rank, world))
    loader.set_epoch(epoch)
    return loader


def _arguments(dataset: Any, options: LoaderOptions, seed: int, rank: int, world: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "batch_size": _share(options.batch_size, world),
        "num_workers": options.num_workers,
        "drop_last": options.drop_last,
        "pin_memory": options.pin_memory,
        "timeout": options.timeout,
        "collate_fn": collate,
        # Torch's loaders draw a number for their workers, by default from the generator of the training loop.
        "generator": torch.Generator().manual_seed(seed),
    }
    if options.num_workers:
        arguments["prefetch_factor"] = options.prefetch_factor
        arguments["persistent_workers"] = options.persistent_workers is not False
        arguments["multiprocessing_context"] = options.multiprocessing_context
    if isinstance(dataset, IterableDataset):
        check_shuffled_stream(options.shuffle, options.num_folds)
        if hasattr(dataset, "set_process"):
            dataset.set_process(rank, world)
        return arguments
    training = _is_training(dataset)
    shuffle = training if options.shuffle is None else options.shuffle
    if training or shuffle:
        if world > 1:
            _check_skipping(dataset)
        arguments["sampler"] = MultiFoldDistributedSampler(dataset, options.num_folds, world, rank, shuffle, seed)
    else:
        arguments["sampler"] = EvalDistributedSampler(dataset, world, rank)
    return arguments


def _share(batch_size: int, world: int) -> int:
    if batch_size % world:
        message = f"batch_size={batch_size} cannot be divided evenly among {world} processes."
        raise ConfigError(message, hint="It counts the items of all processes together.")
    return batch_size // world


def _is_training(dataset: Any) -> bool:
    return any(getattr(leaf, "mode", None) == "train" for leaf in leaves(dataset))


def _check_skipping(dataset: Any) -> None:
    # A process that skips a whole batch would wait for gradients of the others forever.
    if any(isinstance(leaf, BaseDataset) and leaf.policy.on_error == "skip" for leaf in leaves(dataset)):
        message = "on_error: skip gives processes different numbers of batches."
        raise ConfigError(message, hint="Choose replace or stop.")

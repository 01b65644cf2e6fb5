"""What all datasets share: the pipeline, randomness by item, and what happens to inputs that cannot be read."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal

from torch.utils.data import Dataset as TorchDataset

from essmc_core import Transform
from essmc_core.errors import ConfigError
from essmc_data.arguments.rules import check_on_error
from essmc_data.datasets.shared_state import SharedState
from essmc_data.errors import UnreadableInput
from essmc_data.item import META, UNREADABLE, Item
from essmc_data.sampling.randomness import item_randomness
from essmc_data.transforms.compose import apply_transform, as_transform

Mode = Literal["train", "eval", "test"]
OnError = Literal["stop", "skip", "replace"]
REPLACEMENTS = 10
"""How many other items are tried in place of one that cannot be read, before giving up."""
_logger = logging.getLogger("essmc_data")


class MapDataset(TorchDataset[Item | None], ABC):
    """Items by index, each a function of (seed, epoch, index) alone."""

    classes: tuple[str, ...] = ()
    """Names of the classes, where they are known."""
    classes_given = False
    """Whether the user numbered the classes by hand, rather than folders or labels by their names."""
    modalities: tuple[str, ...] = ()
    """``image`` and ``video``: the kinds of file its items have paths of; none where it makes its items itself."""

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of items."""

    @abstractmethod
    def load(self, index: int, key: int) -> Item | None:
        """Returns an item, None where it could not be read and is to be skipped.

        Args:
            index: which item.
            key: which randomness; the same item under another key is augmented differently.
        """

    @abstractmethod
    def states(self) -> list[SharedState]:
        """Returns the state of this dataset and of those that it is made of."""

    def __getitem__(self, index: int) -> Item | None:
        """Returns an item, None where it could not be read and ``on_error`` is ``skip``."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"item {index} of {type(self).__name__}, which has {len(self)}")
        place = index % len(self)
        return self.load(place, place)

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, so that random transforms draw anew; workers follow when the state is shared."""
        for state in self.states():
            state.epoch = epoch

    def set_seed(self, seed: int) -> None:
        """Sets the seed of all randomness."""
        for state in self.states():
            state.seed = seed

    def share(self) -> None:
        """Shares epoch and counts with worker processes that are started later."""
        for state in self.states():
            state.share()

    @property
    def bad_inputs(self) -> int:
        """How many inputs could not be read since the beginning, in all workers if the state is shared."""
        return sum(state.bad_inputs for state in self.states())


class ErrorPolicy:
    """What happens to an input that cannot be read: ``stop``, ``skip`` it, or ``replace`` it by another.

    Whatever is chosen, the input is counted and its file is named, once, in a warning.

    Args:
        on_error: the choice.
        mode: of the dataset.
        state: where to count.

    Raises:
        ConfigError: ``replace`` in evaluation, where it would count another input twice.
    """

    def __init__(self, on_error: OnError, mode: Mode, state: SharedState) -> None:
        check_on_error(on_error, mode)
        self.on_error = on_error
        self._state = state
        self._named: set[str] = set()
        self._unreported = 0

    def note(self, error: UnreadableInput) -> None:
        """Counts an input and warns of it; raises the error again where the choice is to stop."""
        self._state.count_bad_input()
        self._unreported += 1
        if self.on_error == "stop":
            raise error
        if error.message not in self._named:
            self._named.add(error.message)
            what = "skipped" if self.on_error == "skip" else "replaced"
            _logger.warning("%s an input that cannot be read: %s", what, error.message)

    def forget(self) -> None:
        """Starts to count anew for `report`."""
        self._unreported = 0

    def report(self, item: Item) -> Item:
        """Writes into an item's ``meta`` how many inputs could not be read since the last report, if any."""
        count, self._unreported = self._unreported, 0
        return {**item, META: {**item.get(META, {}), UNREADABLE: count}} if count else item


class BaseDataset(MapDataset):
    """Applies a pipeline to items that a subclass describes.

    Args:
        mode: ``train`` is random; ``eval`` and ``test`` are the same in every epoch, unless a transform that is random
            by nature is in the pipeline.
        pipeline: transforms of every item. In a configuration with ``input``, data sets of files that leave it out get
            `FromInput`, which prepares files as ``essmc predict`` does, and augments them in training.
        on_error: what to do about a file that cannot be read, or that a transform of the packs cannot take (too small
            for a crop, no frame in its span): ``stop`` with its error, ``skip`` it, or ``replace`` it
            by the next one that can be read (training only; of ten that follow). All are counted in ``bad_inputs``,
            and under ``unreadable`` in the ``meta`` of what is read in their place.

    Raises:
        ConfigError: the choices exclude each other.
    """

    def __init__(
        self,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        if mode not in ("train", "eval", "test"):
            raise ConfigError(f"mode={mode!r} is unknown.", hint="Choose train, eval or test.")
        self.mode: Mode = mode
        self.needs_pipeline = pipeline is None
        self.pipeline = as_transform(pipeline)
        self.state = SharedState()
        self.policy = ErrorPolicy(on_error, mode, self.state)

    @abstractmethod
    def describe(self, index: int) -> Item:
        """Returns what the pipeline begins with: ``meta`` with the file, and ``gt_label``."""

    def states(self) -> list[SharedState]:
        """Returns the state of this dataset."""
        return [self.state]

    def load(self, index: int, key: int) -> Item | None:
        """Returns an item; see `MapDataset.load`.

        Raises:
            UnreadableInput: its file cannot be read and ``on_error`` is ``stop``, or no replacement can be read either.
        """
        self.policy.forget()
        attempts = 1 + (min(REPLACEMENTS, len(self) - 1) if self.policy.on_error == "replace" else 0)
        failed: UnreadableInput | None = None
        for attempt in range(attempts):
            try:
                return self.policy.report(self._make((index + attempt) % len(self), key))
            except UnreadableInput as error:
                self.policy.note(error)
                failed = error
        if self.policy.on_error == "skip":
            return None
        raise UnreadableInput(
            f"{attempts} inputs in a row cannot be read; the last: {failed}", hint="Check where the data is."
        ) from failed

    def _make(self, index: int, key: int) -> Item:
        item = self.describe(index)
        item["meta"] = {**item.get("meta", {}), "index": index, "mode": self.mode}
        # Evaluation is the same in every epoch.
        with item_randomness(self.state.seed, self.state.epoch if self.mode == "train" else 0, key):
            return apply_transform(self.pipeline, item)

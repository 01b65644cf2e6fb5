"""Tar shards in WebDataset's format: files that belong together share a name and differ in what follows its dot."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from torch.utils.data import IterableDataset, get_worker_info

from essmc_core import Transform
from essmc_core.contract.annotations import NonNegativeInt, PositiveInt
from essmc_core.errors import ConfigError
from essmc_core.inputs.media_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from essmc_data.arguments.rules import check_stream
from essmc_data.datasets.base import ErrorPolicy, Mode, OnError
from essmc_data.datasets.shard_files import ShardSample, expand_shards, read_shard
from essmc_data.datasets.shared_state import SharedState
from essmc_data.errors import DatasetNotFound, UnreadableInput
from essmc_data.item import Item
from essmc_data.lists.class_names import distinct_names
from essmc_data.lists.labels import LARGEST, whole_number
from essmc_data.sampling.randomness import item_randomness, mix
from essmc_data.transforms.compose import apply_transform, as_transform

_MEMORY = "memory://essmc_data/"

__all__ = ["WebDataset", "expand_shards", "read_shard"]


class WebDataset(IterableDataset[Item]):
    """Items from tar shards, read from beginning to end, each shard by one worker of one process.

    A sample's picture or video is handed to the pipeline as a temporary in-memory file under ``meta.img_path`` or
    ``meta.video_path``, so that the usual loading transforms read it. ``cls`` and ``label``, and ``label`` in a
    ``json`` file, are ``gt_label``: a number, or a name among ``classes``. Other files need not be understood: texts
    are kept in ``meta``, the rest is left out. Hidden files (``._0.png``) are no part of a sample.

    A sample with two pictures or videos, two files of one suffix, files that stand apart, or no label where others have
    one is an input that cannot be read.

    The order depends on seed, epoch, and the number of processes and workers. A run that resumes within an epoch reads
    the epoch from its beginning, without training on what it has seen, and goes on with the same items.

    Args:
        urls: shards: paths, URLs, ranges such as ``train-{000..127}.tar``, or folders of tar files.
        shuffle_buffer: in training, samples among which the next is drawn; the order of shards is random too.
        epoch_size: in training, items of an epoch over all processes, which go on with the first shard where they
            run out; needed with several processes, which would otherwise see different numbers of batches.
        label_key: entry of a sample's ``json`` file that is its label.
        classes: names of the classes in the order of their numbers.
        media: suffix of the picture or video, where a sample has several: ``jpg``, ``seg.png``.
        keep: suffixes of other files to keep as bytes in ``meta``: ``npy``.
        dots_in_keys: whether the names of samples have dots, as ``v1.0 take.png``: what follows the last is the suffix.
            Otherwise all that follows the first is: ``seg.png``.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: ``stop`` or ``skip``; a shard that breaks off is an input that cannot be read, too.

    Raises:
        DatasetNotFound: there are no shards.
        ConfigError: ``on_error`` is ``replace``, ``media`` is no picture or video, or ``classes`` are no names.
    """

    modalities = ("image", "video")

    def __init__(
        self,
        urls: str | Sequence[str],
        shuffle_buffer: NonNegativeInt = 1000,
        epoch_size: PositiveInt | None = None,
        label_key: str = "label",
        classes: Sequence[str] | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
        media: str | None = None,
        keep: Sequence[str] = (),
        dots_in_keys: bool = False,
    ) -> None:
        check_stream(on_error)
        self.shards = expand_shards(urls)
        if not self.shards:
            raise DatasetNotFound("WebDataset was given no shard.")
        self.shuffle_buffer = shuffle_buffer
        self.epoch_size = epoch_size
        self.label_key = label_key
        self.classes = distinct_names(classes)
        self.classes_given = bool(self.classes)
        self._numbers = {name: number for number, name in enumerate(self.classes)}
        for name, number in self._numbers.items():
            if whole_number(name) not in (None, number):
                raise ConfigError(f"Class {name!r} is number {number} of `classes`: a label {name} could mean both.")
        self.media = None if media is None else media.lower().lstrip(".")
        if self.media is not None and _kind(self.media) is None:
            raise ConfigError(f"media={media!r} is no suffix of a picture or video.", hint="media: jpg")
        self.keep = frozenset(suffix.lower().lstrip(".") for suffix in keep)
        self.dots_in_keys = dots_in_keys
        self._others_have_labels = False
        self.mode: Mode = mode
        self.needs_pipeline = pipeline is None
        self.pipeline: Callable[[Item], Item] = as_transform(pipeline)
        self.state = SharedState()
        self.policy = ErrorPolicy(on_error, mode, self.state)
        self._rank, self._world = 0, 1

    def set_process(self, rank: int, world: int) -> None:
        """Tells which of several processes this is.

        Raises:
            ConfigError: several processes train and ``epoch_size`` is not given.
        """
        if world > 1 and self.mode == "train" and self.epoch_size is None:
            raise ConfigError("Several processes train on shards: they need an epoch_size to stay in step.")
        self._rank, self._world = rank, world

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch, from which order and augmentation follow."""
        self.state.epoch = epoch

    def set_seed(self, seed: int) -> None:
        """Sets the seed of order and augmentation."""
        self.state.seed = seed

    def share(self) -> None:
        """Shares epoch and counts with worker processes that are started later."""
        self.state.share()

    @property
    def bad_inputs(self) -> int:
        """How many inputs could not be read since the beginning."""
        return self.state.bad_inputs

    def __iter__(self) -> Iterator[Item]:
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        place, readers = self._rank * workers + number, self._world * workers
        training = self.mode == "train"
        epoch = self.state.epoch if training else 0
        if not training:
            yield from self._made(self._samples(self.shards[place::readers]), epoch)
        elif self.epoch_size is None:
            samples = self._samples(self._order(epoch, 0)[place::readers])
            yield from self._made(self._shuffled(samples, place, epoch), epoch)
        else:
            wanted = len(range(place, self.epoch_size, readers))
            endless = self._shuffled(self._endless(epoch, place, readers), place, epoch)
            yield from itertools.islice(self._made(endless, epoch), wanted)

    def _order(self, epoch: int, round_: int) -> list[str]:
        drawn = int(mix(self.state.seed, epoch, round_)) >> 1
        order = torch.randperm(len(self.shards), generator=torch.Generator().manual_seed(drawn))
        return [self.shards[place] for place in order.tolist()]

    def _endless(self, epoch: int, place: int, readers: int) -> Iterator[ShardSample]:
        """Yields samples round after round; with fewer shards than readers, some read the same shard."""
        for round_ in itertools.count():
            order = self._order(epoch, round_)
            own = order[place::readers] or [order[place % len(order)]]
            empty = True
            for sample in self._samples(own):
                empty = False
                yield sample
            if empty:
                raise UnreadableInput(f"There is no sample in {', '.join(own[:3])}.")

    def _samples(self, shards: Sequence[str]) -> Iterator[ShardSample]:
        for shard in shards:
            try:
                yield from read_shard(shard, self.dots_in_keys)
            except UnreadableInput as error:
                self.policy.note(error)

    def _shuffled(self, samples: Iterator[ShardSample], place: int, epoch: int) -> Iterator[ShardSample]:
        generator = torch.Generator().manual_seed(int(mix(self.state.seed, epoch, place, 3)) >> 1)
        buffer: list[ShardSample] = []
        for sample in samples:
            if len(buffer) < max(1, self.shuffle_buffer):
                buffer.append(sample)
                continue
            chosen = int(torch.randint(len(buffer), (), generator=generator))
            yield buffer[chosen]
            buffer[chosen] = sample
        for chosen in torch.randperm(len(buffer), generator=generator).tolist():
            yield buffer[chosen]

    def _made(self, samples: Iterator[ShardSample], epoch: int) -> Iterator[Item]:
        """Yields items; one of ``meta`` alone counts what could not be read after the last."""
        failures = 0
        self.policy.forget()
        for sample in samples:
            try:
                yield self.policy.report(self._item(sample, epoch))
                failures = 0
            except UnreadableInput as error:
                self.policy.note(error)
                failures += 1
                # An endless stream of which nothing can be read must end.
                if self.epoch_size is not None and failures > max(100, self.epoch_size):
                    raise
        rest = self.policy.report({})
        if rest:
            yield rest

    def _item(self, sample: ShardSample, epoch: int) -> Item:
        if sample.problem:
            raise sample.error(sample.problem)
        clip_id = -1 if self.mode == "train" else 0
        item: Item = {"meta": {"shard": sample.shard, "key": sample.key, "mode": self.mode, "clip_id": clip_id}}
        media = self._media_of(sample)
        self._take_facts(sample, item, media)
        # The same sample is augmented alike wherever and by whomever it is read.
        key = zlib.crc32(f"{sample.shard}/{sample.key}".encode())
        with item_randomness(self.state.seed, epoch, key):
            if media is None:
                made = apply_transform(self.pipeline, item)
            else:
                made = self._through_memory(item, media, sample.files[media])
        if "gt_label" not in item and self._others_have_labels:
            raise sample.error("has no label, as others have", "Is it cut in two, at the end of a shard?")
        self._others_have_labels |= "gt_label" in item
        return made

    def _media_of(self, sample: ShardSample) -> str | None:
        """Returns the suffix of the sample's picture or video, None where it has none and is none of both."""
        if self.media is not None:
            if self.media not in sample.files:
                raise sample.error(f"has no .{self.media}: it has {_listed(sample.files)}")
            return self.media
        found = [suffix for suffix in sample.files if "." not in suffix and _kind(suffix)]
        if len(found) > 1:
            hint = f"media: {found[0]} takes one of them always."
            raise sample.error(f"has several pictures or videos: {_listed(found)}", hint)
        if found:
            return found[0]
        dotted = [suffix for suffix in sample.files if _kind(suffix)]
        if dotted:
            hint = f"If its name has dots in it, dots_in_keys: true; if not, media: {dotted[0]}."
            raise sample.error(f"has no picture or video, unless that is {_listed(dotted)}", hint)
        if sample.files.keys() <= {"cls", "label"}:
            raise sample.error("has a label alone", "Files of a sample must be neighbours in one shard.")
        return None

    def _take_facts(self, sample: ShardSample, item: Item, media: str | None) -> None:
        labels = []
        for suffix, content in sample.files.items():
            if suffix == media:
                continue
            if suffix in self.keep:
                item["meta"][suffix] = content
            elif suffix in ("cls", "label"):
                labels.append(self._label(sample, suffix, content.decode(errors="replace")))
            elif (text := _text(content)) is not None:
                item["meta"][suffix] = text
        if "json" in sample.files and "json" not in self.keep:
            labels += self._from_json(sample, item, needed=not labels)
        if len(set(labels)) > 1:
            raise sample.error(f"has several labels: {_listed(map(str, labels))}")
        if labels:
            item["gt_label"] = torch.tensor(labels[0])

    def _from_json(self, sample: ShardSample, item: Item, needed: bool) -> list[int]:
        try:
            facts = json.loads(sample.files["json"])
        except (ValueError, RecursionError) as error:
            if needed:
                raise sample.error(f"has a .json that cannot be understood: {error}") from error
            return []
        item["meta"]["json"] = facts
        if not isinstance(facts, dict) or facts.get(self.label_key) is None:
            return []
        return [self._label(sample, "json", facts[self.label_key])]

    def _label(self, sample: ShardSample, suffix: str, written: Any) -> int:
        """Returns a label as a number."""
        text = str(written).strip()
        number = self._numbers.get(text) if isinstance(written, str) else None
        if number is None and isinstance(written, (str, int, float)) and not isinstance(written, bool):
            number = whole_number(text)
        if number is None or not 0 <= number <= LARGEST or (self.classes and number >= len(self.classes)):
            known = f"one of {len(self.classes)} classes" if self.classes else "a number; names need `classes`"
            raise sample.error(f"has in its .{suffix} the label {written!r:.80}, which is not {known}")
        return number

    def _through_memory(self, item: Item, suffix: str, content: bytes) -> Item:
        from fsspec.implementations.memory import MemoryFileSystem

        filesystem = MemoryFileSystem()
        path = f"{_MEMORY}{item['meta']['shard'].rpartition('/')[2]}/{item['meta']['key']}.{suffix}"
        name = path.removeprefix("memory:/")
        filesystem.pipe_file(name, content)
        try:
            item["meta"]["video_path" if _kind(suffix) == "video" else "img_path"] = path
            return apply_transform(self.pipeline, item)
        finally:
            filesystem.rm_file(name)


def _kind(suffix: str) -> str | None:
    ending = "." + suffix.rpartition(".")[2]
    return "video" if ending in VIDEO_SUFFIXES else "img" if ending in IMAGE_SUFFIXES else None


def _text(content: bytes) -> str | None:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"

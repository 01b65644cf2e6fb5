"""Tar shards in WebDataset's format: files that belong together share a name and differ in what follows its dot."""

from __future__ import annotations

import itertools
import json
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from essmc_core import Transform
from essmc_core.errors import ConfigError
from essmc_core.inputs.media_files import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from essmc_core.names import natural_key
from essmc_data.datasets.base import ErrorPolicy, Mode, OnError
from essmc_data.datasets.shared_state import SharedState
from essmc_data.errors import DatasetNotFound, UnreadableInput
from essmc_data.randomness import item_randomness, mix
from essmc_data.sources import list_files, open_stream
from essmc_data.transforms.base import Item
from essmc_data.transforms.compose import as_transform

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MEMORY = "memory://essmc_data/"


def expand_shards(urls: str | Sequence[str]) -> list[str]:
    """Returns shard by shard what was given: paths, URLs, ranges such as ``train-{000..127}.tar``, and folders.

    Raises:
        DatasetNotFound: a folder has no shards.
    """
    found: list[str] = []
    for url in [urls] if isinstance(urls, str) else urls:
        match = _RANGE.search(url)
        if match:
            first, last = match.groups()
            numbers = (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
            found += expand_shards([url[: match.start()] + number + url[match.end() :] for number in numbers])
        elif url.endswith((".tar", ".tgz", ".tar.gz")):
            found.append(url)
        else:
            names = sorted(list_files(url, (".tar", ".tgz", ".tar.gz")), key=natural_key)
            if not names:
                raise DatasetNotFound(f"There is no tar file in {url}.")
            found += [f"{url.rstrip('/')}/{name}" for name in names]
    return found


class WebDataset(IterableDataset[Item]):
    """Items from tar shards, read from beginning to end, each shard by one worker of one process.

    A sample's picture or video is handed to the pipeline as bytes under ``img_bytes`` or ``video_bytes``, and as a
    temporary in-memory file under ``meta.img_path`` or ``meta.video_path``, so that the usual loading transforms read
    it. ``cls`` and ``label`` (a number), and ``label`` in a ``json`` file, are ``gt_label``; other files are kept in
    ``meta``.

    The order depends on seed, epoch, and the number of processes and workers. A run that resumes within an epoch reads
    the epoch from its beginning, without training on what it has seen, and goes on with the same items.

    Args:
        urls: shards: paths, URLs, ranges such as ``train-{000..127}.tar``, or folders of tar files.
        shuffle_buffer: in training, samples among which the next is drawn; the order of shards is random too.
        epoch_size: in training, items of an epoch over all processes, which go on with the first shard where they
            run out; needed with several processes, which would otherwise see different numbers of batches.
        label_key: entry of a sample's ``json`` file that is its label.
        classes: names of the classes in the order of their numbers.
        mode: see `BaseDataset`.
        pipeline: see `BaseDataset`.
        on_error: ``stop`` or ``skip``; a shard that breaks off is an input that cannot be read, too.

    Raises:
        DatasetNotFound: there are no shards.
        ConfigError: ``on_error`` is ``replace``.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        shuffle_buffer: int = 1000,
        epoch_size: int | None = None,
        label_key: str = "label",
        classes: Sequence[str] | None = None,
        mode: Mode = "test",
        pipeline: Sequence[Transform] | Transform | None = None,
        on_error: OnError = "stop",
    ) -> None:
        if on_error == "replace":
            raise ConfigError("A stream has nothing to replace an input by.", hint="Choose skip or stop.")
        self.shards = expand_shards(urls)
        if not self.shards:
            raise DatasetNotFound("WebDataset was given no shard.")
        self.shuffle_buffer = shuffle_buffer
        self.epoch_size = epoch_size
        self.label_key = label_key
        self.classes = tuple(classes or ())
        self.mode: Mode = mode
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

    def _endless(self, epoch: int, place: int, readers: int) -> Iterator[_Sample]:
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

    def _samples(self, shards: Sequence[str]) -> Iterator[_Sample]:
        for shard in shards:
            try:
                yield from read_shard(shard)
            except UnreadableInput as error:
                self.policy.note(error)

    def _shuffled(self, samples: Iterator[_Sample], place: int, epoch: int) -> Iterator[_Sample]:
        generator = torch.Generator().manual_seed(int(mix(self.state.seed, epoch, place, 3)) >> 1)
        buffer: list[_Sample] = []
        for sample in samples:
            if len(buffer) < max(1, self.shuffle_buffer):
                buffer.append(sample)
                continue
            chosen = int(torch.randint(len(buffer), (), generator=generator))
            yield buffer[chosen]
            buffer[chosen] = sample
        for chosen in torch.randperm(len(buffer), generator=generator).tolist():
            yield buffer[chosen]

    def _made(self, samples: Iterator[_Sample], epoch: int) -> Iterator[Item]:
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

    def _item(self, sample: _Sample, epoch: int) -> Item:
        item: Item = {"meta": {"shard": sample.shard, "key": sample.key, "mode": self.mode, "clip_id": self._clip_id}}
        media = None
        for suffix, content in sample.files.items():
            if f".{suffix}" in VIDEO_SUFFIXES:
                media = ("video", suffix, content)
            elif f".{suffix}" in IMAGE_SUFFIXES:
                media = ("img", suffix, content)
            else:
                self._note(item, suffix, content, sample)
        # The same sample is augmented alike wherever and by whomever it is read.
        key = zlib.crc32(f"{sample.shard}/{sample.key}".encode())
        with item_randomness(self.state.seed, epoch, key):
            if media is None:
                return self.pipeline(item)
            return self._through_memory(item, *media)

    @property
    def _clip_id(self) -> int:
        return -1 if self.mode == "train" else 0

    def _through_memory(self, item: Item, kind: str, suffix: str, content: bytes) -> Item:
        from fsspec.implementations.memory import MemoryFileSystem

        filesystem = MemoryFileSystem()
        path = f"{_MEMORY}{item['meta']['shard'].rpartition('/')[2]}/{item['meta']['key']}.{suffix}"
        name = path.removeprefix("memory:/")
        filesystem.pipe_file(name, content)
        try:
            item["meta"]["video_path" if kind == "video" else "img_path"] = path
            return self.pipeline(item)
        finally:
            filesystem.rm_file(name)

    def _note(self, item: Item, suffix: str, content: bytes, sample: _Sample) -> None:
        try:
            text = content.decode()
            if suffix in ("cls", "label"):
                item["gt_label"] = torch.tensor(int(text))
            elif suffix == "json":
                facts = json.loads(text)
                item["meta"][suffix] = facts
                if isinstance(facts, dict) and self.label_key in facts:
                    item["gt_label"] = self._label(facts[self.label_key])
            else:
                item["meta"][suffix] = text
        except (UnicodeDecodeError, ValueError) as error:
            raise UnreadableInput(f"{sample.key}.{suffix} of {sample.shard} cannot be understood: {error}.") from error

    def _label(self, label: Any) -> Tensor:
        if isinstance(label, str) and label in self.classes:
            return torch.tensor(self.classes.index(label))
        return torch.tensor(int(label))


class _Sample:
    __slots__ = ("files", "key", "shard")

    def __init__(self, shard: str, key: str) -> None:
        self.shard = shard
        self.key = key
        self.files: dict[str, bytes] = {}


def read_shard(url: str) -> Iterator[_Sample]:
    """Yields the samples of a tar file: neighbours whose names agree up to the first dot.

    Raises:
        UnreadableInput: the file is missing, broken off, or no tar file.
    """
    stream = open_stream(url)
    sample: _Sample | None = None
    try:
        with stream, tarfile.open(fileobj=stream, mode="r|*") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                if sample is not None and sample.key != key:
                    yield sample
                    sample = None
                sample = sample or _Sample(url, key)
                extracted = archive.extractfile(member)
                sample.files[suffix.lower()] = b"" if extracted is None else extracted.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise UnreadableInput(f"The shard {url} is damaged: {error}.") from error
    if sample is not None:
        yield sample

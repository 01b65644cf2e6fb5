"""Tar shards: which there are, and the samples in one, files whose names agree up to a dot."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator, Sequence
from typing import Any

from essmc_core.errors import EssmcError
from essmc_core.foundation.names import natural_key
from essmc_core.inputs.media_files import is_hidden
from essmc_data.errors import DatasetNotFound, UnreadableInput
from essmc_data.files.listing import list_files
from essmc_data.files.opening import open_stream

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_ENDINGS = (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
# Typeshed lacks these two, by which the ways an archive ends differ.
_END: type[tarfile.HeaderError] = tarfile.EOFHeaderError  # type: ignore[attr-defined]
_NO_HEADER: type[tarfile.HeaderError] = tarfile.EmptyHeaderError  # type: ignore[attr-defined]


def expand_shards(urls: str | Sequence[str]) -> list[str]:
    """Returns shard by shard what was given: paths, URLs, ranges such as ``train-{000..127}.tar``, and folders.

    Raises:
        DatasetNotFound: a folder has no shards, or a range is empty.
    """
    found: list[str] = []
    for url in [urls] if isinstance(urls, str) else urls:
        match = _RANGE.search(url)
        if match:
            first, last = match.groups()
            if int(last) < int(first):
                raise DatasetNotFound(f"The range {match[0]} of {url} is empty.")
            numbers = (f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1))
            found += expand_shards([url[: match.start()] + number + url[match.end() :] for number in numbers])
        elif url.partition("?")[0].endswith(_ENDINGS):
            found.append(url)
        else:
            names = sorted(list_files(url, _ENDINGS), key=natural_key)
            if not names:
                raise DatasetNotFound(f"There is no tar file in {url}.")
            found += [f"{url.rstrip('/')}/{name}" for name in names]
    return found


class ShardSample:
    """Files of one key.

    Attributes:
        shard: path or URL of the tar file.
        key: folder and name up to the dot.
        files: contents by suffix, in lower case, without the dot.
        problem: why the sample cannot be used; empty if nothing is known.
    """

    __slots__ = ("files", "key", "problem", "shard")

    def __init__(self, shard: str, key: str, problem: str = "") -> None:
        self.shard = shard
        self.key = key
        self.files: dict[str, bytes] = {}
        self.problem = problem

    def error(self, message: str, hint: str = "") -> UnreadableInput:
        """Returns an error that names the sample."""
        return UnreadableInput(f"The sample {self.key} of {self.shard} {message}.", hint=hint)

    def add(self, suffix: str, content: bytes | None) -> None:
        """Adds a file; None for a link."""
        if suffix in self.files:
            self.problem = self.problem or f"has two files .{suffix}"
        if content is None:
            self.problem = self.problem or f"has a link for its .{suffix}"
        self.files[suffix] = content or b""


def split_name(name: str, dots_in_keys: bool) -> tuple[str, str]:
    """Returns key and suffix of a member's name: cut at the first dot behind its folder, or at the last.

    Args:
        name: with ``/`` between folders.
        dots_in_keys: whether to cut at the last dot.
    """
    folder, _, file = name.removeprefix("./").rpartition("/")
    stem, _, suffix = file.rpartition(".") if dots_in_keys else file.partition(".")
    return f"{folder}/{stem}" if folder else stem, suffix.lower()


class _Member(tarfile.TarInfo):
    """Remembers how an archive ends: tarfile takes a damaged header for the end, too."""

    @classmethod
    def fromtarfile(cls, archive: Any) -> Any:
        try:
            return super().fromtarfile(archive)
        except tarfile.HeaderError as error:
            archive.ended_by = error
            raise


def read_shard(url: str, dots_in_keys: bool = False) -> Iterator[ShardSample]:
    """Yields the samples of a tar file: neighbours whose names agree up to the dot; hidden files are left out.

    Args:
        url: of a tar file, compressed or not.
        dots_in_keys: see `split_name`.

    Raises:
        UnreadableInput: the file is missing, broken off, damaged, or no tar file.
    """
    stream = open_stream(url)
    sample: ShardSample | None = None
    seen: set[str] = set()
    try:
        with stream, tarfile.open(fileobj=stream, mode="r|*", tarinfo=_Member) as archive:
            for member in archive:
                key, suffix = split_name(member.name, dots_in_keys)
                if member.isdir() or not suffix or is_hidden(member.name):
                    continue
                if sample is not None and sample.key != key:
                    yield sample
                    sample = None
                if sample is None:
                    apart = "has files that stand apart: those of a key must be neighbours (tar --sort=name)"
                    sample = ShardSample(url, key, apart if key in seen else "")
                    seen.add(key)
                extracted = archive.extractfile(member) if member.isfile() else None
                sample.add(suffix, None if extracted is None else extracted.read())
            _check_end(archive)
    except EssmcError:
        raise
    except Exception as error:
        # tarfile and the decompressors raise many kinds: zlib.error, EOFError, LZMAError, struct.error, ...
        raise UnreadableInput(f"The shard {url} is damaged: {error}.") from error
    if sample is not None:
        yield sample


def _check_end(archive: tarfile.TarFile) -> None:
    ended_by = getattr(archive, "ended_by", None)
    if ended_by is not None and not isinstance(ended_by, _END):
        message = "it ends without the mark of an end" if isinstance(ended_by, _NO_HEADER) else str(ended_by)
        raise tarfile.ReadError(f"{message}, after {len(archive.getmembers())} files")

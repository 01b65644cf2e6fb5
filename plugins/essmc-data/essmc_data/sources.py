"""Where files are: a local path, ``https`` or any URL that fsspec knows."""

from __future__ import annotations

import codecs
import io
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

from essmc_core.errors import MissingDependency
from essmc_core.inputs.files import as_written_or_home, checked_file
from essmc_core.inputs.media_files import is_hidden
from essmc_data.errors import DatasetNotFound, UnreadableInput

_IN_MEMORY_BYTES = 64 << 20
"""Remote files up to this size are kept in memory while they are read; larger ones in a temporary file."""
_URL = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")


def is_url(location: str) -> bool:
    """Tells a URL from a local path; ``file://`` is a path, and so is what exists here under that very name."""
    return bool(_URL.match(location)) and not location.startswith("file://") and not os.path.lexists(location)


def join(prefix: str | None, path: str) -> str:
    """Returns ``path`` below ``prefix``, which may be a URL; an absolute path or a URL stays as it is."""
    if not prefix or os.path.isabs(path) or path.startswith("file://"):
        return path
    below = f"{prefix.rstrip('/')}/{path}" if is_url(prefix) else os.path.join(prefix, path)
    # A name such as a::b.mp4 looks like a URL, but is none where there is such a file.
    return path if is_url(path) and not os.path.lexists(below) else below


def local_path(location: str) -> Path:
    """Returns the path of a location that is not a URL."""
    if location.startswith("file://"):
        return Path(url2pathname(urlsplit(location).path))
    return as_written_or_home(location)


def locate(location: str) -> str | BinaryIO:
    """Returns what a decoder opens: the path of a local file, or a seekable file object of a remote one.

    A remote file is fetched as a whole, in one request: a decoder has to see all of a video's packets to know when its
    frames are shown.

    Raises:
        UnreadableInput: the file is missing, empty, no regular file, or cannot be reached.
        MissingDependency: the URL's scheme needs a driver that is not installed.
    """
    return _remote(location) if is_url(location) else str(checked_file(local_path(location)))


def open_stream(location: str) -> BinaryIO:
    """Opens a file to be read once from beginning to end; a remote one arrives while it is read.

    Raises:
        UnreadableInput: the file is missing, empty, no regular file, or cannot be reached.
        MissingDependency: the URL's scheme needs a driver that is not installed.
    """
    if not is_url(location):
        return open(str(locate(location)), "rb")
    filesystem, path = _filesystem(location)
    try:
        # By HTTP, a block size of 0 is one request, which servers that know no ranges answer, too.
        options = {"block_size": 0} if location.startswith(("http://", "https://")) else {}
        return cast(BinaryIO, filesystem.open(path, "rb", **options))
    except Exception as error:
        raise _cannot_be_fetched(location, error) from error


def read_bytes(location: str) -> bytes:
    """Returns a file's content; raises as `locate` does."""
    source = locate(location)
    if not isinstance(source, str):
        with source:
            return source.read()
    try:
        return Path(source).read_bytes()
    except OSError as error:
        raise UnreadableInput(f"{source} cannot be read: {error.strerror or error}.") from error


def read_annotation(location: str) -> str:
    """Returns the text of a dataset's annotation file: UTF-8, or what its byte order mark says.

    Raises:
        DatasetNotFound: it cannot be read, or is no such text.
    """
    try:
        content = read_bytes(location)
    except UnreadableInput as error:
        raise DatasetNotFound(f"The annotation file {location} cannot be read: {error}") from error
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        told = f"{location}:{line}: byte 0x{content[error.start]:02x} is not {encoding.upper().removesuffix('-SIG')}."
        raise DatasetNotFound(told, hint="Save the file as UTF-8.") from error


def list_files(root: str, suffixes: Sequence[str]) -> list[str]:
    """Returns the files below a folder, relative to it, sorted, with ``/`` between the parts.

    Hidden files, and what systems leave behind (see `essmc_core.inputs.media_files`), are left out.

    Args:
        root: a local folder or a URL.
        suffixes: endings to keep, lower case, with the dot.

    Raises:
        DatasetNotFound: there is no such folder.
    """
    found = _remote_files(root) if is_url(root) else _local_files(local_path(root))
    return sorted(name for name in found if name.lower().endswith(tuple(suffixes)) and not is_hidden(name))


def _local_files(root: Path) -> list[str]:
    if not root.is_dir():
        raise DatasetNotFound(f"There is no folder {root}.")
    found = []
    # Links are followed: datasets are often folders of links. One that leads back above itself ends there.
    above: dict[str, frozenset[tuple[int, int]]] = {}
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        here, before = (status.st_dev, status.st_ino), above.pop(folder, frozenset())
        if here in before:
            folders.clear()
            continue
        above.update({os.path.join(folder, name): before | {here} for name in folders})
        found += [(Path(folder) / name).relative_to(root).as_posix() for name in names]
    return found


def _remote_files(root: str) -> list[str]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(root)
        found = filesystem.find(path)
    except Exception as error:
        raise DatasetNotFound(f"{root} cannot be listed: {type(error).__name__}: {error}.") from error
    return [str(name)[len(path) :].lstrip("/") for name in found]


def _filesystem(url: str) -> tuple[Any, str]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingDependency(f"{url} needs a driver that is not installed.", hint=str(error)) from error
    except ValueError as error:
        raise UnreadableInput(f"{url} cannot be opened: {error}.") from error
    return filesystem, path


def _remote(url: str) -> BinaryIO:
    filesystem, path = _filesystem(url)
    try:
        size = filesystem.size(path)
        if size is None or size > _IN_MEMORY_BYTES:
            return _fetched(url)
        content = filesystem.cat_file(path)
    except UnreadableInput:
        raise
    except Exception as error:
        raise _cannot_be_fetched(url, error) from error
    if not content:
        raise UnreadableInput(f"{url} is an empty file.")
    return io.BytesIO(content)


def _fetched(url: str) -> BinaryIO:
    """Returns a temporary copy of a remote file, which is gone once it is closed."""
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - whoever reads it closes it
    try:
        with open_stream(url) as stream:
            shutil.copyfileobj(stream, copy, 1 << 20)
        copy.seek(0)
    except BaseException:
        copy.close()
        raise
    return cast(BinaryIO, copy)


def _cannot_be_fetched(url: str, error: Exception) -> UnreadableInput:
    # Drivers raise exceptions of their own (aiohttp, botocore, ...); callers chain them.
    return UnreadableInput(f"{url} cannot be fetched: {type(error).__name__}: {error}.")

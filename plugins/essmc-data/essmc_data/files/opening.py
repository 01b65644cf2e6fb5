"""Opening files, local or of a URL, and reading them whole."""

from __future__ import annotations

import codecs
import io
import shutil
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, cast

from essmc_core.errors import MissingDependency
from essmc_core.inputs.files import checked_file
from essmc_data.errors import DatasetNotFound, UnreadableInput
from essmc_data.files.locations import is_url, local_path

_IN_MEMORY_BYTES = 64 << 20
"""Remote files up to this size are kept in memory while they are read; larger ones in a temporary file."""


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
        message = (
            f"{location}:{line}: byte 0x{content[error.start]:02x} is not {encoding.upper().removesuffix('-SIG')}."
        )
        raise DatasetNotFound(message, hint="Save the file as UTF-8.") from error


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

"""Resolves a URI of weights to a local file: downloaded by its scheme, cached and verified; an error if offline."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from essmc_core.errors import WeightsError, WeightsHashMismatch, WeightsNotFound
from essmc_core.weights.cache import (
    cached_path,
    is_offline,
    partial_note_of,
    partial_of,
    record_origin,
    sole_writer,
    writing,
)
from essmc_core.weights.checkpoints import standing_for
from essmc_core.weights.digest import compute_sha256, sha256_of, verify
from essmc_core.weights.package_files import find_package_file
from essmc_core.weights.regular_file import mode_of, require_regular

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_OWN_SCHEMES = ("file", "http", "https", "pkg", "hf")


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """A weights file on this machine.

    Attributes:
        path: the file.
        uri: the requested URI.
        managed: whether the file belongs to a cache or a package.
        mappable: whether the file is safe to memory-map, because nobody rewrites it in place: it is in a cache, and
            its digest was verified.
    """

    path: Path
    uri: str
    managed: bool
    mappable: bool = False


def fetch(uri: str | os.PathLike[str], *, sha256: str | None = None) -> Path:
    """Returns a local file with the weights, downloading it at most once.

    Args:
        uri: a path (a training run's work dir refers to its best checkpoint, else its newest), ``file://``,
            ``http(s)://``, ``pkg://distribution/path``, ``hf://owner/repo[@revision]/path``, or any scheme that
            fsspec knows.
        sha256: expected digest, 64 hexadecimal digits or the first of them; checked on every call.

    Raises:
        WeightsNotFound: no such file, package or address, or it would have to be downloaded while offline.
        WeightsCorrupt: the download was cut short repeatedly.
        WeightsHashMismatch: the file is not the expected one; a cached file is fetched again first.
        MissingDependency: the scheme needs a library that is not installed.
    """
    return locate(uri, sha256=sha256).path


def locate(uri: str | os.PathLike[str], *, sha256: str | None = None) -> LocalWeights:
    """Does as `fetch`, and returns whether the file is managed by a cache or a package as well."""
    name = os.fspath(uri)
    digest = sha256.lower() if sha256 else None
    scheme = _scheme(name)
    verified = digest is not None
    if scheme in ("", "file"):
        found = LocalWeights(_own_file(name, scheme), name, managed=False)
    elif scheme == "pkg":
        # Files of a package in editable mode are the user's own, so they are not mapped.
        found = LocalWeights(find_package_file(name), name, managed=True)
    elif scheme == "hf":
        found = LocalWeights(_from_hub(name), name, managed=True, mappable=verified)
    else:
        return LocalWeights(_through_cache(name, scheme, digest), name, managed=True, mappable=verified)
    verify(found.path, digest, uri=name)
    return found


def _scheme(uri: str) -> str:
    """Returns the scheme of a URI, empty for a path: ``data:x.pth`` and ``2024-05-01T10:30:00.pth`` are paths."""
    scheme, separator, _ = uri.partition("://")
    scheme = scheme.lower()
    if not separator or _SCHEME.fullmatch(scheme) is None:
        return ""
    # An existing file of that name takes precedence, except over the schemes that are handled here.
    return "" if scheme not in _OWN_SCHEMES and os.path.lexists(uri) else scheme


def _own_file(uri: str, scheme: str) -> Path:
    path = _path_of_uri(uri) if scheme == "file" else _path(uri)
    mode = mode_of(path)
    if mode is not None and stat.S_ISDIR(mode):
        path = _checkpoint_in(path)
    require_regular(path)
    return path


def _path_of_uri(uri: str) -> Path:
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise WeightsNotFound(f"{uri} is no address of a file: {error}.", hint="Give the path.") from error
    # In `file://relative/path` the first part parses as a host, but the path is meant.
    host = "" if parts.netloc == "localhost" else parts.netloc
    # It brings all of http, which most files do not need.
    from urllib.request import url2pathname

    return Path(host + url2pathname(parts.path))


def _path(name: str) -> Path:
    """Returns a path, with ``~`` and ``~user`` expanded unless a file has that name."""
    path = Path(name)
    if not name.startswith("~") or mode_of(path) is not None:
        return path
    try:
        return path.expanduser()
    except RuntimeError:
        # There is no such user, so it is a file name.
        return path


def _checkpoint_in(folder: Path) -> Path:
    """Returns the checkpoint that the work dir of a training run refers to: its best, else its newest."""
    try:
        found = next(standing_for(folder), None)
    except OSError as error:
        raise WeightsNotFound(f"{folder} cannot be listed: {error.strerror or error}.") from error
    if found is None:
        raise WeightsNotFound(
            f"{folder} is a directory without checkpoints of training.", hint="Give the path of a file in it."
        )
    return found


def _through_cache(uri: str, scheme: str, sha256: str | None) -> Path:
    try:
        path = cached_path(uri, sha256)
    except ValueError as error:
        raise WeightsNotFound(f"{uri} is no address: {error}.", hint="Check the address.") from error
    if path.is_file() and _is_good(path, sha256, uri):
        return path
    if is_offline():
        if path.is_file():
            verify(path, sha256, uri=uri)
        raise WeightsNotFound(
            f"The weights {uri} are not in the cache and this session is offline.",
            hint=f"Unset ESSMC_OFFLINE and HF_HUB_OFFLINE, or place the file at {path}",
        )
    try:
        with sole_writer(path):
            # Another process may have fetched it in the meantime.
            if not (path.is_file() and _is_good(path, sha256, uri)):
                _download(uri, scheme, path, sha256)
                record_origin(path, uri, sha256_of(path))
    except OSError as error:
        if isinstance(error, WeightsError):  # WeightsNotFound is an OSError, too
            raise
        hint = "Set ESSMC_CACHE_DIR to a folder that you may write to."
        raise WeightsError(f"The weights {uri} cannot be kept at {path}: {error}.", hint=hint) from error
    try:
        verify(path, sha256, uri=uri)
    except WeightsHashMismatch:
        path.unlink(missing_ok=True)
        raise
    return path


def _is_good(path: Path, sha256: str | None, uri: str) -> bool:
    try:
        verify(path, sha256, uri=uri)
    except WeightsHashMismatch:
        return False
    return True


def _download(uri: str, scheme: str, path: Path, sha256: str | None) -> None:
    if scheme in ("http", "https"):
        _download_resumably(uri, path, sha256)
        return
    from essmc_core.weights.filesystems import download

    with writing(path) as target:
        download(uri, target)


def _download_resumably(uri: str, path: Path, sha256: str | None) -> None:
    """Completes what has arrived of a file, and gives it its name when all of it is there.

    If the digest is then another one, the parts may be of two files, so that all of it is fetched again.
    """
    from essmc_core.weights.http import download
    from essmc_core.weights.resumption import Resumption

    partial, note = partial_of(path), partial_note_of(path)
    resumption = Resumption(note, uri, is_verified=sha256 is not None)
    try:
        with open(partial, "ab+", buffering=0) as target:
            download(uri, target, resumption=resumption)
            if resumption.has_continued and sha256 and not compute_sha256(partial).startswith(sha256):
                target.truncate(0)
                download(uri, target, resumption=Resumption(note, uri, is_verified=True))
            os.fsync(target.fileno())
        os.replace(partial, path)
        note.unlink(missing_ok=True)
    except BaseException:
        if not (resumption.is_possible and partial.exists() and partial.stat().st_size):
            partial.unlink(missing_ok=True)
            note.unlink(missing_ok=True)
        raise


def _from_hub(uri: str) -> Path:
    from essmc_core.weights.hub import fetch_from_hub

    return fetch_from_hub(uri)

"""From a URI to a local file: the right way for each scheme, cached, verified, or a clear refusal when offline."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from essmc_core.errors import WeightsError, WeightsHashMismatch, WeightsNotFound
from essmc_core.weights.cache import cached_path, is_offline, sole_writer, writing
from essmc_core.weights.digest import verify
from essmc_core.weights.package_files import find_package_file

_CHECKPOINT = re.compile(r"epoch-(\d+)(?:-iter-(\d+))?\.pth")


@dataclass(frozen=True, slots=True)
class LocalWeights:
    """A weights file on this machine.

    Attributes:
        path: the file.
        uri: what was asked for.
        managed: whether the file belongs to a cache or a package, so that nobody rewrites it in place and it is safe
            to keep mapped into memory.
    """

    path: Path
    uri: str
    managed: bool


def fetch(uri: str | os.PathLike[str], *, sha256: str | None = None) -> Path:
    """Returns a local file with the weights, downloading it at most once.

    Args:
        uri: a path (a training run's work dir stands for its best checkpoint, else its newest), ``file://``,
            ``http(s)://``, ``pkg://distribution/path``, ``hf://owner/repo[@revision]/path``, or any scheme that
            fsspec knows.
        sha256: expected digest, 64 hexadecimal digits or the first of them; checked on every call.

    Raises:
        WeightsNotFound: no such file, package or address, or it would have to be downloaded while offline.
        WeightsCorrupt: the download broke off, again and again.
        WeightsHashMismatch: the file is not the expected one; a cached file is fetched once more before giving up.
        MissingDependency: the scheme needs a library that is not installed.
    """
    return locate(uri, sha256=sha256).path


def locate(uri: str | os.PathLike[str], *, sha256: str | None = None) -> LocalWeights:
    """Like `fetch`, and tells whether the file is under a cache's or a package's care."""
    name = os.fspath(uri)
    digest = sha256.lower() if sha256 else None
    scheme = _scheme(name)
    if scheme in ("", "file"):
        found = LocalWeights(_own_file(name, scheme), name, managed=False)
    elif scheme == "pkg":
        found = LocalWeights(find_package_file(name), name, managed=True)
    elif scheme == "hf":
        found = LocalWeights(_from_hub(name), name, managed=True)
    else:
        return LocalWeights(_through_cache(name, scheme, digest), name, managed=True)
    verify(found.path, digest, uri=name)
    return found


def _scheme(uri: str) -> str:
    scheme, separator, _ = uri.partition("://")
    return scheme.lower() if separator and scheme.replace("+", "").replace("-", "").isalnum() else ""


def _own_file(uri: str, scheme: str) -> Path:
    if scheme == "file":
        parts = urlsplit(uri)
        # `file://relative/path` parses as a host; users mean the path.
        host = "" if parts.netloc == "localhost" else parts.netloc
        path = Path(host + url2pathname(parts.path))
    else:
        path = Path(uri).expanduser()
    if not path.exists():
        beside = "" if path.is_absolute() else f" (looked in {Path.cwd()})"
        raise WeightsNotFound(f"There is no weights file {path}{beside}.", hint="Check the path, or give a URI.")
    return _checkpoint_in(path) if path.is_dir() else path


def _checkpoint_in(folder: Path) -> Path:
    """Returns the checkpoint that the work dir of a training run stands for: its best, else its newest."""
    best = folder / "best.pth"
    if best.is_file():
        return best
    found = {match: path for path in folder.iterdir() if (match := _CHECKPOINT.fullmatch(path.name))}
    if not found:
        raise WeightsNotFound(
            f"{folder} is a directory without checkpoints of training.", hint="Give the path of a file in it."
        )
    return found[max(found, key=lambda match: (int(match[1]), int(match[2] or 0)))]


def _through_cache(uri: str, scheme: str, sha256: str | None) -> Path:
    path = cached_path(uri, sha256)
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
            # Another process may have fetched it while this one waited.
            if not (path.is_file() and _is_good(path, sha256, uri)):
                _download(uri, scheme, path)
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


def _download(uri: str, scheme: str, path: Path) -> None:
    with writing(path) as target:
        if scheme in ("http", "https"):
            from essmc_core.weights.http import download
        else:
            from essmc_core.weights.filesystems import download
        download(uri, target)


def _from_hub(uri: str) -> Path:
    from essmc_core.weights.hub import fetch_from_hub

    return fetch_from_hub(uri)

"""Fetches indexes: kept in the cache folder, verified by a stated digest or compared with the one of the first use."""

from __future__ import annotations

import hashlib
import io
import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from essmc_core.errors import EssmcError, WeightsError
from essmc_core.foundation.paths import cache_dir
from essmc_core.index.places import Place
from essmc_core.index.reading import IndexUnusable, read_index
from essmc_core.index.schema import Index

_LARGEST = 64 << 20
_FRESH_FOR = 24 * 3600.0
# Seconds that a search waits for an index, and a hint of an error message.
_PATIENCE, _IMPATIENCE = 600.0, 5.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """An index that was read.

    Attributes:
        index: the index.
        remark: what the user should know of it, empty if there is nothing.
    """

    index: Index
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _Remembered:
    """What is known of the copy in the cache."""

    sha256: str
    fetched: float

    @property
    def day(self) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(self.fetched))


def read_place(place: Place, *, patient: bool) -> Fetched:
    """Returns the index of a place.

    Args:
        place: where it is.
        patient: whether to wait for slow servers and to fetch copies anew that are older than a day; otherwise any copy
            is taken, and a server has a few seconds.

    Raises:
        IndexUnusable: it is not there, cannot be reached and is not in the cache, has another digest, or is no index.
    """
    if place.problem:
        raise IndexUnusable(f"ESSMC_INDEX: {place.shown}: {place.problem}")
    if place.is_remote:
        return _Copy(place).read(patient)
    content = _read_file(place)
    _verify(content, place)
    return Fetched(read_index(content, place.shown))


def _read_file(place: Place) -> bytes:
    path = place.path
    try:
        if not path.is_file():
            raise IndexUnusable(
                f"ESSMC_INDEX names {place.shown}, where there is no file", hint="give a path or an address"
            )
        if path.stat().st_size > _LARGEST:
            raise IndexUnusable(f"{place.shown} is larger than {_LARGEST >> 20} MiB, which no index is")
        return path.read_bytes()
    # IndexUnusable is a ValueError, too, as a name that no file can have.
    except IndexUnusable:
        raise
    except (OSError, ValueError, RuntimeError) as error:
        raise IndexUnusable(f"{place.shown} cannot be read: {error}") from error


def _verify(content: bytes, place: Place) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if place.sha256 and digest != place.sha256:
        message = f"{place.shown} has the sha256 {digest}, not {place.sha256}"
        raise IndexUnusable(message, hint="if the change is meant, change the sha256 in ESSMC_INDEX")


class _Copy:
    """The copy of an address in the cache folder."""

    def __init__(self, place: Place) -> None:
        self._place = place
        # The digest of the address alone: it may hold credentials.
        name = hashlib.sha256(place.address.encode()).hexdigest()[:32]
        try:
            folder = cache_dir() / "indexes"
        except EssmcError as error:
            raise IndexUnusable(error.message, hint=error.hint) from error
        self._file, self._notes = folder / f"{name}.json", folder / f"{name}.fetched"

    def read(self, patient: bool) -> Fetched:
        from essmc_core.weights.cache import is_offline

        there = self._stored()
        known = self._remembered()
        is_pinned = bool(self._place.sha256) and there is not None and _digest(there) == self._place.sha256
        is_new = known is not None and 0 <= time.time() - known.fetched < _FRESH_FOR
        if there is not None and (is_pinned or (not self._place.sha256 and (is_new or not patient))):
            return self._parsed(there)
        if is_offline():
            return self._offline(there)
        try:
            content = self._download(patient)
            _verify(content, self._place)
            fetched = self._parsed(content)
        except IndexUnusable as error:
            if there is None or self._place.sha256:
                raise
            since = f" of {known.day}" if known is not None else ""
            return Fetched(self._parsed(there).index, f"{error.message}; the copy{since} is used")
        self._store(content)
        return Fetched(fetched.index, self._change(known, content))

    def _offline(self, there: bytes | None) -> Fetched:
        if there is None:
            message = f"{self._place.shown} is not in the cache, and this session is offline"
            raise IndexUnusable(message, hint="unset ESSMC_OFFLINE once to fetch it")
        _verify(there, self._place)
        return self._parsed(there)

    def _parsed(self, content: bytes) -> Fetched:
        return Fetched(read_index(content, self._place.shown))

    def _change(self, known: _Remembered | None, content: bytes) -> str:
        digest = _digest(content)
        if known is None or known.sha256 == digest or self._place.sha256:
            return ""
        return (
            f"{self._place.shown} has changed since {known.day}: its sha256 was {known.sha256}, now it is {digest}; "
            f"#sha256={digest} after the address in ESSMC_INDEX keeps it as it is"
        )

    def _download(self, patient: bool) -> bytes:
        from essmc_core.weights.http import download

        target = _Bounded(self._place.shown, _PATIENCE if patient else _IMPATIENCE)
        try:
            if patient:
                download(self._place.address, target)
            else:
                download(self._place.address, target, attempts=1, answer_within=_IMPATIENCE)
        except WeightsError as error:
            message = error.message.replace(self._place.address, self._place.shown).rstrip(".")
            raise IndexUnusable(message, hint=error.hint) from error
        return target.getvalue()

    def _stored(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except OSError:
            return None

    def _remembered(self) -> _Remembered | None:
        # Whatever that file contains, the index is fetched again.
        try:
            written: Any = json.loads(self._notes.read_text(encoding="utf-8"))
            return _Remembered(str(written["sha256"]), float(written["fetched"]))
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _store(self, content: bytes) -> None:
        from essmc_core.weights.cache import publish

        notes = json.dumps(asdict(_Remembered(_digest(content), time.time())))
        try:
            publish(self._file, content)
            publish(self._notes, notes.encode())
        # Without a cache the index is fetched each time.
        except OSError:
            return


class _Bounded(io.BytesIO):
    """Memory that refuses what is too large for an index, or comes too slowly."""

    def __init__(self, name: str, seconds: float) -> None:
        super().__init__()
        self._name = name
        self._end = time.monotonic() + seconds

    def write(self, data: Any) -> int:
        if self.tell() + len(data) > _LARGEST:
            raise WeightsError(f"{self._name} is larger than {_LARGEST >> 20} MiB, which no index is")
        if time.monotonic() > self._end:
            raise WeightsError(f"{self._name} comes too slowly")
        return super().write(data)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""Downloads over http(s): retried after transient errors, bounded in time and size, rejected if cut short."""

from __future__ import annotations

import functools
import http.client
import os
import shutil
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import quote, urljoin, urlsplit

from essmc_core.errors import WeightsCorrupt, WeightsError, WeightsNotFound
from essmc_core.weights.progress import progress
from essmc_core.weights.resumption import Resumption

_ATTEMPTS = 4
_FIRST_PAUSE = 0.5
# Seconds without a single byte.
_TIMEOUT = 30.0
# Seconds for connecting and the headers of one response, however slowly they arrive.
_ANSWER_TIMEOUT = 90.0
# Minimum rate: so many bytes in each window of so many seconds, which is 1 KiB/s.
_WINDOW = 60.0
_LEAST_IN_WINDOW = 60 << 10
# Maximum size of a body whose length the server does not state.
_LARGEST_UNSIZED = 32 << 30
_MOST_REDIRECTS = 10
_CHUNK = 1 << 20
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def download(
    uri: str,
    target: BinaryIO,
    *,
    attempts: int | None = None,
    answer_within: float | None = None,
    resumption: Resumption | None = None,
) -> None:
    """Downloads ``uri`` to ``target``, which must be seekable.

    After timeouts, dropped connections, short bodies and the statuses of an overloaded server the download is retried,
    up to four attempts with increasing delays. A transfer below the minimum rate is aborted, and so is a body without a
    stated length that exceeds the maximum size. Redirects are followed to http and https only. What ``target`` holds
    already is completed, if it can be told that the server still has the same file; otherwise it is begun anew.

    Args:
        uri: the address.
        target: receives the body.
        attempts: other than four.
        resumption: what is known of the content of ``target``; without one, nothing.
        answer_within: seconds for connecting and the headers, other than 90.

    Raises:
        WeightsNotFound: the server refuses, cannot be reached, is too slow, or redirects to another scheme.
        WeightsCorrupt: the server repeatedly sent less than it stated, or more than the maximum size.
        WeightsError: the disk is full.
    """
    last = attempts or _ATTEMPTS
    known = resumption or Resumption()
    for attempt in range(1, last + 1):
        try:
            _download_once(uri, target, answer_within or _ANSWER_TIMEOUT, known)
            return
        except _Transient as failure:
            if attempt == last:
                raise failure.final from failure.__cause__
            time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))


class _Transient(Exception):
    def __init__(self, final: WeightsError) -> None:
        super().__init__(str(final))
        self.final = final


def _download_once(url: str, target: BinaryIO, answer_within: float, known: Resumption) -> None:
    watch = _Watch()
    try:
        with watch.limit(answer_within):
            response = _open(url, watch, known.headers(target))
            if watch.expired:
                raise _too_slow(url)
        with response:
            start = known.begin(response, target)
            if start is None:
                raise _Transient(WeightsNotFound(f"{url} answered with another part of the file than was asked for."))
            rest = _announced(response, url)
            expected = None if rest is None else start + rest
            _check_room(target, rest, url)
            received = start + _copy(response, target, rest, url, watch)
    except http.client.IncompleteRead as error:
        raise _Transient(WeightsCorrupt(f"The download of {url} broke off.", hint="Try again.")) from error
    except (ValueError, http.client.InvalidURL) as error:
        # An invalid host name, port or path; UnicodeError is a ValueError.
        raise WeightsNotFound(f"{url} cannot be asked for: {error}.", hint="Check the address.") from error
    except WeightsError:
        raise
    except (urllib.error.URLError, http.client.HTTPException, OSError, OverflowError) as error:
        if watch.expired:
            raise _too_slow(url) from error
        reason = getattr(error, "reason", None) or error
        hint = "Check the network, or set ESSMC_OFFLINE=1 to be told where to place the file by hand."
        raise _Transient(WeightsNotFound(f"{url} cannot be reached: {reason}.", hint=hint)) from error
    if watch.expired:
        raise _too_slow(url)
    # Truncated headers state no length; a file of weights is never empty.
    if received != expected if expected is not None else not received:
        message = f"The download of {url} broke off after {received} of {expected or 'unknown'} bytes."
        raise _Transient(WeightsCorrupt(message, hint="Try again."))


def _open(url: str, watch: _Watch, further: Mapping[str, str]) -> http.client.HTTPResponse:
    """Requests a file and follows redirects one by one, without reading their bodies."""
    seen = {url}
    place = url
    for _ in range(_MOST_REDIRECTS + 1):
        headers = {"User-Agent": "essmc-core", "Accept-Encoding": "identity", **further}
        request = urllib.request.Request(place, headers=headers)
        try:
            response: http.client.HTTPResponse = watch.opener().open(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and further:
                    # There is less of the file than was fetched: it is another one.
                    return _open(url, watch, {})
                if error.code not in _REDIRECTS:
                    raise _refused(place, error) from error
                place = _redirect(url, place, error)
        else:
            if response.status == 200 or (response.status == 206 and further):
                return response
            with response:
                raise WeightsNotFound(f"{place} answered {response.status} {response.reason}, not with a file.")
        if place in seen:
            raise WeightsNotFound(f"{url} is redirected in a circle: to {place} again.", hint="Check the address.")
        seen.add(place)
    message = f"{url} is redirected more than {_MOST_REDIRECTS} times."
    raise WeightsNotFound(message, hint="Check the address.")


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    failure = WeightsNotFound(f"{url} answered {error.code} {error.reason}.", hint=_status_hint(error.code))
    return _Transient(failure) if error.code in _TRANSIENT_STATUS else failure


def _redirect(url: str, place: str, error: urllib.error.HTTPError) -> str:
    """Returns the target of a redirect.

    Raises:
        WeightsNotFound: there is none, or it is neither http nor https.
    """
    location = error.headers.get("Location")
    if not location:
        raise WeightsNotFound(f"{place} answered {error.code} without saying where the file is.")
    try:
        # Headers are decoded as Latin-1; a Location in UTF-8 is percent-encoded as in browsers.
        quoted = quote(location.encode("latin-1", "replace"), safe="%/:=&?~#+!$,;'@()*[]")
        found = urljoin(place, quoted).partition("#")[0]
        parts = urlsplit(found)
        _ = parts.port
    except ValueError as problem:
        raise WeightsNotFound(f"{url} is redirected to {location!r}, which is no address: {problem}.") from problem
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        message = f"{url} is redirected to {location!r}; only http and https are followed."
        raise WeightsNotFound(message, hint="If you trust that address, fetch the file yourself and give its path.")
    return found


def _announced(response: http.client.HTTPResponse, url: str) -> int | None:
    """Returns the length that the server states, None if it states none."""
    length = response.headers.get("Content-Length")
    if length is None or response.chunked:
        return None
    if not (length.isascii() and length.strip().isdigit()):
        raise WeightsCorrupt(f"{url} announces a length of {length!r} bytes, which is no number.")
    return int(length)


def _check_room(target: BinaryIO, expected: int | None, url: str) -> None:
    name = getattr(target, "name", None)
    if expected is None or not isinstance(name, (str, int)):
        return
    try:
        # The name of a temporary file that was opened from a descriptor is a number.
        free = _free_bytes(name)
    except OSError:
        return
    if expected > free:
        message = f"{url} has {expected:,} bytes, and the disk of the cache has {free:,} left."
        raise WeightsError(message, hint="Free some space, or set ESSMC_CACHE_DIR to a folder on another disk.")


def _free_bytes(name: str | int) -> int:
    if isinstance(name, int):
        status = os.fstatvfs(name) if hasattr(os, "fstatvfs") else None
        return status.f_bavail * status.f_frsize if status else 1 << 62
    return shutil.disk_usage(os.path.dirname(name) or ".").free


def _copy(response: http.client.HTTPResponse, target: BinaryIO, expected: int | None, url: str, watch: _Watch) -> int:
    received = 0
    window_ends, in_window = time.monotonic() + _WINDOW, 0
    # A read may block for long while bytes arrive slowly, so the watch closes the connection.
    with progress(url.rsplit("/", 1)[-1], expected) as advance, watch.limit(_WINDOW * 2) as renew:
        while chunk := response.read1(_CHUNK):
            _write(target, chunk)
            received += len(chunk)
            in_window += len(chunk)
            advance(len(chunk))
            if expected is None and received > _LARGEST_UNSIZED:
                message = f"{url} tells no length and sent more than {_LARGEST_UNSIZED:,} bytes."
                raise WeightsCorrupt(message, hint="If it is right, fetch the file yourself and give its path.")
            if time.monotonic() > window_ends:
                if in_window < _LEAST_IN_WINDOW:
                    raise _too_slow(url)
                window_ends, in_window = time.monotonic() + _WINDOW, 0
                renew()
    return received


def _too_slow(url: str) -> WeightsNotFound:
    message = f"The download of {url} all but stands still: less than {_LEAST_IN_WINDOW:,} bytes in {_WINDOW:g} s."
    return WeightsNotFound(message, hint="Try again later, or fetch the file yourself and give its path.")


class _Watch:
    """Closes a connection after a total time; a socket's own timeout restarts with every byte."""

    def __init__(self) -> None:
        self.expired = False
        self._socket: socket.socket | None = None

    def opener(self) -> urllib.request.OpenerDirector:
        """Returns an opener for http and https only, which follows no redirects."""
        opener = urllib.request.OpenerDirector()
        handlers = (
            urllib.request.ProxyHandler, urllib.request.HTTPDefaultErrorHandler, urllib.request.HTTPErrorProcessor,
        )  # fmt: skip
        for handler in handlers:
            opener.add_handler(handler())
        opener.add_handler(_WatchedHTTP(self))
        opener.add_handler(_WatchedHTTPS(self))
        return opener

    def see(self, connection: Any) -> None:
        """Records the socket of a connection."""
        self._socket = connection.sock

    @contextmanager
    def limit(self, seconds: float) -> Iterator[Any]:
        """Closes the connection after so many seconds; calling the yielded function restarts the time."""
        timers: list[threading.Timer] = []

        def renew() -> None:
            for timer in timers:
                timer.cancel()
            timers[:] = [threading.Timer(seconds, self._end)]
            timers[0].daemon = True
            timers[0].start()

        renew()
        try:
            yield renew
        finally:
            timers[0].cancel()

    def _end(self) -> None:
        self.expired = True
        connected = self._socket
        if connected is not None:
            try:
                connected.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


class _Watched(http.client.HTTPConnection):
    """Passes its socket to a watch once it is connected."""

    def __init__(self, *args: Any, watch: _Watch, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._watch = watch

    def connect(self) -> None:
        super().connect()
        self._watch.see(self)


class _HTTPSConnection(_Watched, http.client.HTTPSConnection):
    """The same over TLS."""


class _WatchedHTTP(urllib.request.HTTPHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(functools.partial(_Watched, watch=self._watch), req)


class _WatchedHTTPS(urllib.request.HTTPSHandler):
    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(functools.partial(_HTTPSConnection, watch=self._watch), req)


def _write(target: BinaryIO, chunk: bytes) -> None:
    try:
        rest = memoryview(chunk)
        while rest:
            # Unbuffered files may take less than they are given.
            rest = rest[target.write(rest) :]
    except OSError as error:
        # Not a network error, which would be retried.
        raise WeightsError(f"The download cannot be written: {error}.", hint="Is the disk full?") from error


def _status_hint(status: int) -> str:
    if status in (401, 403):
        return "The server wants credentials: download the file yourself and give its path."
    if status in (404, 410):
        return "Check the address; the file may have moved."
    return "Try again later."

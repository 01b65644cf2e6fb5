"""Downloads over http(s): retried when the failure may pass, never accepted when cut short."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from typing import BinaryIO

from essmc_core.errors import WeightsCorrupt, WeightsError, WeightsNotFound
from essmc_core.weights.progress import progress

_ATTEMPTS = 4
_FIRST_PAUSE = 0.5
_TIMEOUT = 30.0
_CHUNK = 1 << 20
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})


def download(uri: str, target: BinaryIO) -> None:
    """Writes what ``uri`` serves to ``target``, which must be seekable.

    Timeouts, dropped connections, short bodies and the statuses of an overloaded server are tried again, four times
    in all, with growing pauses.

    Raises:
        WeightsNotFound: the server refuses, or cannot be reached.
        WeightsCorrupt: the server kept sending less than it announced.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        target.seek(0)
        target.truncate()
        try:
            _download_once(uri, target)
            return
        except _Transient as failure:
            if attempt == _ATTEMPTS:
                raise failure.final from failure.__cause__
            time.sleep(_FIRST_PAUSE * 2 ** (attempt - 1))


class _Transient(Exception):
    def __init__(self, final: WeightsError) -> None:
        super().__init__(str(final))
        self.final = final


def _download_once(url: str, target: BinaryIO) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "essmc-core", "Accept-Encoding": "identity"})
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            length = response.headers.get("Content-Length")
            expected = int(length) if length and length.isdigit() else None
            received = _copy(response, target, expected, url)
    except urllib.error.HTTPError as error:
        failure = WeightsNotFound(f"{url} answered {error.code} {error.reason}.", hint=_status_hint(error.code))
        if error.code in _TRANSIENT_STATUS:
            raise _Transient(failure) from error
        raise failure from error
    except http.client.IncompleteRead as error:
        raise _Transient(WeightsCorrupt(f"The download of {url} broke off.", hint="Try again.")) from error
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", None) or error
        hint = "Check the network, or set ESSMC_OFFLINE=1 to be told where to place the file by hand."
        raise _Transient(WeightsNotFound(f"{url} cannot be reached: {reason}.", hint=hint)) from error
    if expected is not None and received != expected:
        message = f"The download of {url} broke off after {received} of {expected} bytes."
        raise _Transient(WeightsCorrupt(message, hint="Try again."))


def _copy(response: http.client.HTTPResponse, target: BinaryIO, expected: int | None, url: str) -> int:
    received = 0
    with progress(url.rsplit("/", 1)[-1], expected) as advance:
        while chunk := response.read(_CHUNK):
            _write(target, chunk)
            received += len(chunk)
            advance(len(chunk))
    return received


def _write(target: BinaryIO, chunk: bytes) -> None:
    try:
        target.write(chunk)
    except OSError as error:
        # Not to be taken for a failure of the network, which would be tried again.
        raise WeightsError(f"The download cannot be written: {error}.", hint="Is the disk full?") from error


def _status_hint(status: int) -> str:
    if status in (401, 403):
        return "The server wants credentials: download the file yourself and give its path."
    if status in (404, 410):
        return "Check the address; the file may have moved."
    return "Try again later."

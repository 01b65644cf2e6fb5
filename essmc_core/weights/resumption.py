"""What is known of a part of a download: whether the rest may be asked for, by which mark of the server."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
# A file may change twice within the second that a date tells; a date counts once it is that old.
_SETTLED_SECONDS = 60


class Resumption:
    """Decides whether a download goes on where it broke off.

    It does if the server marked the file (a strong ``ETag``, or a ``Last-Modified`` that is no longer fresh), since the
    server then compares the mark; or if the digest of the whole will be checked.

    Args:
        note: where the mark is kept for a later process; None keeps it in memory.
        uri: the address, which the mark counts for.
        is_verified: whether the digest of the whole file will be checked.
    """

    def __init__(self, note: Path | None = None, uri: str = "", is_verified: bool = False) -> None:
        self._note = note
        self._uri = uri
        self._is_verified = is_verified
        self._mark = self._read()
        self.has_continued = False

    @property
    def is_possible(self) -> bool:
        """Whether the rest can be asked for."""
        return bool(self._mark) or self._is_verified

    def headers(self, target: BinaryIO) -> Mapping[str, str]:
        """Returns the headers that ask for the rest; empty where the whole is asked for, and the target is emptied."""
        target.seek(0, 2)
        fetched = target.tell()
        if not fetched or not self.is_possible:
            _empty(target)
            return {}
        asked = {"Range": f"bytes={fetched}-"}
        return {**asked, "If-Range": self._mark} if self._mark else asked

    def begin(self, response: http.client.HTTPResponse, target: BinaryIO) -> int | None:
        """Puts the target where the response goes on.

        Returns:
            The offset of the first byte; None if the response is another part than the missing one, and the target is
            emptied, so that the next attempt asks for the whole.
        """
        fetched = target.tell()
        mark = _mark_of(response)
        if response.status == 206:
            span = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
            is_same = not self._mark or not mark or mark == self._mark
            if span is not None and int(span[1]) == fetched and _reaches_the_end(span) and is_same:
                self.has_continued = True
                return fetched
            _empty(target)
            return None
        _empty(target)
        self._mark = mark
        self._write()
        return 0

    def _read(self) -> str:
        try:
            written: Any = json.loads(self._note.read_bytes()) if self._note is not None else {}
            return str(written["mark"]) if written["uri"] == self._uri else ""
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def _write(self) -> None:
        if self._note is not None:
            self._note.write_text(json.dumps({"uri": self._uri, "mark": self._mark}), encoding="utf-8")


def _empty(target: BinaryIO) -> None:
    target.seek(0)
    target.truncate()


def _reaches_the_end(span: re.Match[str]) -> bool:
    return span[3] == "*" or int(span[2]) + 1 == int(span[3])


def _mark_of(response: http.client.HTTPResponse) -> str:
    tag = response.headers.get("ETag", "").strip()
    if tag.startswith('"') and tag.endswith('"') and len(tag) > 2:
        return tag
    modified, now = response.headers.get("Last-Modified", ""), response.headers.get("Date", "")
    try:
        age = parsedate_to_datetime(now) - parsedate_to_datetime(modified)
    except (TypeError, ValueError):
        return ""
    return modified if age.total_seconds() >= _SETTLED_SECONDS else ""

"""Where an installed distribution came from and what installed it, as its metadata states."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from essmc_core.foundation.addresses import public_address

_LARGEST = 1 << 20

Kind = Literal["wheel", "editable", "vcs", "folder", "archive", "unknown"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a distribution came from.

    Attributes:
        kind: ``wheel`` from a package index, ``editable``, ``vcs``, ``folder`` or ``archive`` by address, ``unknown``
            if the metadata cannot be read.
        installer: the program that installed it, e.g. ``pip``; empty if it is not stated.
        url: the address, without credentials and query; empty for a package index, which installers do not record.
        commit: of a checkout.
        revision: the branch or tag that was asked for.
        digest: ``sha256=…`` of an archive.
    """

    kind: Kind
    installer: str = ""
    url: str = ""
    commit: str = ""
    revision: str = ""
    digest: str = ""

    @property
    def text(self) -> str:
        """One phrase for listings."""
        by = f" by {self.installer}" if self.installer else ""
        asked = f" ({self.revision})" if self.revision and self.revision != self.commit else ""
        details = {
            "editable": f" {self.place}",
            "folder": f" {self.place}",
            "vcs": f" {self.url} at {self.commit or 'an unknown commit'}{asked}",
            "archive": f" {self.place} {self.digest or 'without a hash'}",
        }
        return f"{self.kind}{details.get(self.kind, '')}{by}"

    @property
    def public(self) -> str:
        """One phrase for files that are passed on: no path of this machine."""
        is_local = self.url.startswith("file:") or "file:" in self.url.partition("+")[2]
        details = {
            "vcs": f" at {self.commit or 'an unknown commit'}" if is_local else f" {self.url} at {self.commit}",
            "archive": f" {self.digest}" if is_local else f" {self.url} {self.digest}",
        }
        return f"{self.kind}{details.get(self.kind, '')}".rstrip()

    @property
    def place(self) -> str:
        """The path of a local folder or archive, else the address."""
        parts = urlsplit(self.url)
        return url2pathname(unquote(parts.path)) if parts.scheme == "file" else self.url


def origin_of(info: Path) -> Origin:
    """Returns the origin of a distribution.

    Args:
        info: its ``.dist-info``.
    """
    installer = "".join(_read(info / "INSTALLER").split())[:40]
    text = _read(info / "direct_url.json")
    if not text:
        return Origin("wheel" if (info / "WHEEL").is_file() or installer else "unknown", installer)
    try:
        stated = json.loads(text)
        return _from_direct_url(stated, installer)
    # Whatever the file contains, the distribution is installed.
    except (ValueError, TypeError, AttributeError, RecursionError):
        return Origin("unknown", installer)


def _from_direct_url(stated: Any, installer: str) -> Origin:
    url = public_address(str(stated.get("url", "")))
    vcs, archive, folder = (_mapping(stated, key) for key in ("vcs_info", "archive_info", "dir_info"))
    if vcs is not None:
        commit, revision = str(vcs.get("commit_id", "")), str(vcs.get("requested_revision", ""))
        return Origin("vcs", installer, f"{vcs.get('vcs', 'vcs')}+{url}", commit, revision)
    if archive is not None:
        hashes = _mapping(archive, "hashes") or {}
        digest = f"sha256={hashes['sha256']}" if "sha256" in hashes else str(archive.get("hash", ""))
        return Origin("archive", installer, url, digest=digest)
    return Origin("editable" if (folder or {}).get("editable") else "folder", installer, url)


def _mapping(stated: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    found = stated.get(key)
    return found if isinstance(found, Mapping) else None


def _read(path: Path) -> str:
    """Returns a small regular file's text, empty if there is none."""
    try:
        is_small = path.is_file() and path.stat().st_size <= _LARGEST
        return path.read_text(encoding="utf-8", errors="replace") if is_small else ""
    except OSError:
        return ""

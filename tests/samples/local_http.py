"""Settings under which the core fetches from a server of this machine, at once and into a cache of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from essmc_core.weights import http as http_download


def fetch_from_this_machine(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Lets nothing of the user's environment decide what is fetched, and repeats attempts without a pause."""
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(cache))
    for name in ("ESSMC_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(http_download, "_FIRST_PAUSE", 0.0)

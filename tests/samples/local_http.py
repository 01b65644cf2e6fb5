"""Servers of this machine, and settings under which the core fetches from them at once, into a cache of its own."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path

import pytest

from essmc_core.weights import http as http_download


def fetch_from_this_machine(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    """Lets nothing of the user's environment decide what is fetched, and repeats attempts without a pause."""
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(cache))
    for name in ("ESSMC_OFFLINE", "HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(http_download, "_FIRST_PAUSE", 0.0)


class QuietServer(http.server.ThreadingHTTPServer):
    """Answers in threads of its own, from when it is made, and says nothing of clients that go away."""

    daemon_threads = True

    def __init__(self, handler: type[http.server.BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing."""

"""Downloads that break off go on where they stopped, if and only if that gives the file that the server has."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from essmc_core.errors import WeightsCorrupt, WeightsHashMismatch
from essmc_core.weights.cache import cached_path, partial_note_of, partial_of
from essmc_core.weights.fetching import fetch
from tests.samples.local_http import QuietServer, fetch_from_this_machine

CONTENT = bytes(range(256)) * 800
OTHER = CONTENT[::-1]
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
OLD = "Wed, 01 Jan 2020 00:00:00 GMT"


class Server:
    """A server with ranges and marks; what it does differently is set by a test."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.headers: dict[str, str] = {"ETag": '"one"'}
        self.breaks_off_after: int | None = None
        self.stalls = threading.Event()
        self.hangs = False
        self.has_ranges = True
        self.compares = True
        self.shift = 0
        self.asked: list[str | None] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = QuietServer(Handler)
        self.url = f"{self.server.url}/w.pth"

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.has_ranges else 0
        if condition and self.compares and condition not in self.headers.values():
            start = 0
        if start >= len(self.content):
            handler.send_error(416)
            return
        start += self.shift if start else 0
        body = self.content[start:]
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        for name, value in {"Content-Length": str(len(body)), **self.headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body if self.breaks_off_after is None else body[: self.breaks_off_after])
        if self.hangs:
            self.stalls.wait(30)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    fetch_from_this_machine(monkeypatch, tmp_path / "cache")
    running = Server()
    yield running
    running.stalls.set()
    running.server.shutdown()
    running.server.server_close()


def leave_half(server: Server, content: bytes = CONTENT, sha256: str | None = None) -> Path:
    """Leaves half a download behind, as a killed process does."""
    path = cached_path(server.url, sha256)
    server.breaks_off_after, server.has_ranges = HALF, False
    with pytest.raises(WeightsCorrupt, match="broke off"):
        fetch(server.url, sha256=sha256)
    assert not path.exists() and partial_of(path).read_bytes() == content[:HALF]
    server.breaks_off_after, server.has_ranges = None, True
    server.asked.clear()
    return path


def assert_whole(path: Path, content: bytes = CONTENT) -> None:
    assert path.read_bytes() == content
    assert not partial_of(path).exists() and not partial_note_of(path).exists()


@pytest.mark.parametrize("mark", [{"ETag": '"one"'}, {"Last-Modified": OLD}])
def test_a_later_call_asks_for_the_rest_alone(server: Server, mark: dict[str, str]) -> None:
    server.headers = mark
    path = leave_half(server)
    assert_whole(fetch(server.url))
    assert server.asked == [f"bytes={HALF}-"] and path.exists()


def test_attempts_of_one_call_go_on_too(server: Server) -> None:
    server.breaks_off_after = HALF // 2 + 1
    assert_whole(fetch(server.url))
    step = HALF // 2 + 1
    assert server.asked == [None, f"bytes={step}-", f"bytes={2 * step}-", f"bytes={3 * step}-"]


@pytest.mark.parametrize("mark", [{}, {"ETag": 'W/"weak"'}, {"Last-Modified": "now"}, {"ETag": "bare"}])
def test_without_a_mark_that_counts_nothing_is_kept(server: Server, mark: dict[str, str]) -> None:
    fresh = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
    server.headers = {name: fresh if value == "now" else value for name, value in mark.items()}
    server.breaks_off_after = HALF
    with pytest.raises(WeightsCorrupt):
        fetch(server.url)
    assert set(server.asked) == {None} and not partial_of(cached_path(server.url, None)).exists()


def test_a_stated_digest_stands_in_for_a_mark(server: Server) -> None:
    server.headers = {}
    leave_half(server, sha256=SHA256)
    assert_whole(fetch(server.url, sha256=SHA256))
    assert server.asked == [f"bytes={HALF}-"]


@pytest.mark.parametrize("compares", [True, False])
def test_a_file_that_changed_on_the_server_is_begun_anew(server: Server, compares: bool) -> None:
    leave_half(server)
    server.content, server.headers, server.compares = OTHER, {"ETag": '"two"'}, compares
    assert_whole(fetch(server.url), OTHER)
    assert server.asked == [f"bytes={HALF}-"] + [None] * (not compares)


def test_a_file_that_became_shorter_is_begun_anew(server: Server) -> None:
    leave_half(server)
    server.content, server.headers = CONTENT[: HALF // 2], {"ETag": '"two"'}
    server.compares = False
    assert_whole(fetch(server.url), CONTENT[: HALF // 2])


def test_a_server_that_has_ranges_no_more_sends_all(server: Server) -> None:
    leave_half(server)
    server.has_ranges = False
    assert_whole(fetch(server.url))
    assert server.asked == [f"bytes={HALF}-"]


@pytest.mark.parametrize("shift", [-1, 1])
def test_another_part_than_was_asked_for_is_not_taken(server: Server, shift: int) -> None:
    leave_half(server)
    server.shift = shift
    assert_whole(fetch(server.url))
    assert server.asked == [f"bytes={HALF}-", None]


def test_parts_of_two_files_are_found_out_by_the_digest(server: Server) -> None:
    server.headers, server.content = {}, OTHER
    path = leave_half(server, OTHER, SHA256)
    server.content = CONTENT
    assert_whole(fetch(server.url, sha256=SHA256))
    assert server.asked == [f"bytes={HALF}-", None] and path.exists()


def test_a_server_with_another_file_is_refused_after_going_on(server: Server) -> None:
    path = leave_half(server, sha256=SHA256)
    server.content, server.compares = OTHER, False
    with pytest.raises(WeightsHashMismatch):
        fetch(server.url, sha256=SHA256)
    assert not path.exists() and not partial_of(path).exists()


def test_a_killed_process_is_taken_over_where_it_stopped(server: Server) -> None:
    path = cached_path(server.url, None)
    server.breaks_off_after, server.hangs = HALF, True
    code = "import sys; from essmc_core.weights.fetching import fetch; fetch(sys.argv[1])"
    with subprocess.Popen([sys.executable, "-c", code, server.url]) as process:
        end = time.monotonic() + 60
        while not (partial_of(path).exists() and partial_of(path).stat().st_size == HALF):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.02)
        process.kill()
    assert not path.exists()
    server.breaks_off_after, server.hangs = None, False
    server.stalls.set()
    assert_whole(fetch(server.url))
    assert server.asked == [None, f"bytes={HALF}-"]


@pytest.mark.slow
def test_without_a_network_the_hub_is_given_up_within_seconds(tmp_path: Path) -> None:
    code = """
import time
from essmc_core.errors import WeightsNotFound
from essmc_core.weights.fetching import fetch
import huggingface_hub
before = time.monotonic()
try: fetch("hf://essmc/tiny/w.pth")
except WeightsNotFound as error: print(time.monotonic() - before < 5, "ESSMC_OFFLINE" in error.hint)
"""
    environment = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.stdout == "True True\n", done.stderr

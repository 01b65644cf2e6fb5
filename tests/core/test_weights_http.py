"""Servers that mislead: redirects to elsewhere, lengths that lie, bodies that never end or hardly come."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from essmc_core.errors import WeightsCorrupt, WeightsError, WeightsNotFound
from essmc_core.weights import http as http_download
from essmc_core.weights.cache import cached_path
from essmc_core.weights.fetching import fetch
from tests.samples.local_http import QuietServer, fetch_from_this_machine

CONTENT = bytes(range(256)) * 100
Handler = http.server.BaseHTTPRequestHandler
Answer = Callable[[Handler], None]


def body(content: bytes = CONTENT, status: int = 200, **headers: str) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def to(location: str, status: int = 302) -> Answer:
    return body(b"moved", status, Location=location)


class Server:
    """Serves what a test sets, by path."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer] = {"/good.pth": body(Content_Length=str(len(CONTENT)))}
        self.asked: list[str] = []
        self.closing = threading.Event()
        outer = self

        class Pages(Handler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                outer.pages[self.path.partition("?")[0]](self)

            def log_message(self, format: str, *args: object) -> None: ...

        self.server = QuietServer(Pages)
        self.url = self.server.url

    def get(self, answer: Answer) -> str:
        """Fetches a file that is answered so, and returns its address."""
        self.pages["/w.pth"] = answer
        return f"{self.url}/w.pth"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    fetch_from_this_machine(monkeypatch, tmp_path / "cache")
    running = Server()
    yield running
    running.closing.set()
    running.server.shutdown()
    running.server.server_close()


def assert_refused(url: str, tmp_path: Path, message: str, kind: type[Exception] = WeightsError) -> None:
    with pytest.raises(kind, match=message) as caught:
        fetch(url)
    assert isinstance(caught.value, WeightsError)
    assert not cached_path(url, None).exists(), "nothing half-written is left"
    assert not list((tmp_path / "cache").rglob("*.part"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_to_http_are_followed_and_their_bodies_are_not_read(server: Server, status: int) -> None:
    def endless(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Location", "/good.pth?a=1&b=%20c")
        handler.end_headers()
        while not server.closing.is_set():
            handler.wfile.write(bytes(1000))

    assert fetch(server.get(endless)).read_bytes() == CONTENT
    assert server.asked == ["/w.pth", "/good.pth?a=1&b=%20c"]


@pytest.mark.parametrize(
    "location",
    ["file:///etc/hostname", "ftp://127.0.0.1/w.pth", "data:text/plain,weights", "javascript:alert(1)", "gopher://x/",
     "hf://owner/repo/w.pth", "FILE:///etc/hostname"],
)  # fmt: skip
def test_redirects_to_elsewhere_are_not_followed(server: Server, tmp_path: Path, location: str) -> None:
    assert_refused(server.get(to(location)), tmp_path, "only http and https", WeightsNotFound)
    assert server.asked == ["/w.pth"]


@pytest.mark.parametrize(
    "location",
    ["http://[bad/w.pth", "http://127.0.0.1:99999999/w.pth", "http://127.0.0.1:port/", "http:///w.pth", "//"],
)
def test_a_location_that_is_no_address_is_our_error(server: Server, tmp_path: Path, location: str) -> None:
    assert_refused(server.get(to(location)), tmp_path, "redirected to|cannot be|in a circle", WeightsNotFound)


def test_a_redirect_to_nowhere_is_our_error(server: Server, tmp_path: Path) -> None:
    assert_refused(server.get(body(b"", 302)), tmp_path, "without saying where", WeightsNotFound)


def test_redirects_in_a_circle_and_without_end_are_told(server: Server, tmp_path: Path) -> None:
    server.pages["/other.pth"] = to("/w.pth")
    assert_refused(server.get(to("/other.pth")), tmp_path, "in a circle", WeightsNotFound)
    assert_refused(server.get(to("/w.pth")), tmp_path, "in a circle", WeightsNotFound)

    def further(handler: Handler) -> None:
        to(f"/w.pth?{len(server.asked)}")(handler)

    server.asked.clear()
    assert_refused(server.get(further), tmp_path, "more than 10 times", WeightsNotFound)
    assert len(server.asked) == 11


@pytest.mark.parametrize("length", ["-5", "abc", "1, 2", "1e3", "²"])
def test_a_length_that_is_no_number_is_refused(server: Server, tmp_path: Path, length: str) -> None:
    answer = body(Content_Length=length.encode("utf-8").decode("latin-1"))
    assert_refused(server.get(answer), tmp_path, "no number", WeightsCorrupt)


def test_a_body_shorter_than_its_length_is_refused(server: Server, tmp_path: Path) -> None:
    answer = body(Content_Length=str(len(CONTENT) + 1))
    assert_refused(server.get(answer), tmp_path, "broke off", WeightsCorrupt)
    assert len(server.asked) == 4


def test_a_length_beyond_the_disk_is_refused_before_anything_is_read(server: Server, tmp_path: Path) -> None:
    assert_refused(server.get(body(Content_Length=str(1 << 60))), tmp_path, "the disk of the cache")
    assert server.asked == ["/w.pth"]


@pytest.mark.parametrize("status", [201, 204, 206])
def test_an_answer_that_is_not_the_file_is_refused(server: Server, tmp_path: Path, status: int) -> None:
    answer = body(b"" if status == 204 else CONTENT, status)
    assert_refused(server.get(answer), tmp_path, str(status), WeightsNotFound)


def test_a_body_without_a_length_is_bounded(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_download, "_LARGEST_UNSIZED", 100_000)

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not server.closing.is_set():
            handler.wfile.write(bytes(10_000))

    assert_refused(server.get(endless), tmp_path, "tells no length", WeightsCorrupt)


def chunked(*pieces: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"".join(pieces))

    return answer


def test_chunks_are_read_and_their_end_is_needed(server: Server, tmp_path: Path) -> None:
    whole = b"%x\r\n%s\r\n" % (len(CONTENT), CONTENT)
    assert_refused(server.get(chunked(whole)), tmp_path, "broke off|cannot be reached")
    assert_refused(server.get(chunked(b"zz\r\nwhat")), tmp_path, "broke off|cannot be")
    assert fetch(server.get(chunked(whole, b"0\r\n\r\n"))).read_bytes() == CONTENT


def test_a_body_that_hardly_comes_is_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_download, "_WINDOW", 0.3)

    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        while not server.closing.wait(0.02):
            handler.wfile.write(b"x")

    assert_refused(server.get(dripping), tmp_path, "stands still", WeightsNotFound)


def test_headers_that_hardly_come_are_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_download, "_ANSWER_TIMEOUT", 0.3)

    def dripping(handler: Handler) -> None:
        handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Slow: ")
        while not server.closing.wait(0.02):
            handler.wfile.write(b"x")
            handler.wfile.flush()

    assert_refused(server.get(dripping), tmp_path, "stands still", WeightsNotFound)


@pytest.mark.slow
def test_chunks_that_hardly_come_are_given_up(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_download, "_WINDOW", 0.2)

    def dripping(handler: Handler) -> None:
        chunked(b"f")(handler)
        # The length of a chunk, without end: no read returns.
        while not server.closing.wait(0.02):
            handler.wfile.write(b"0")

    assert_refused(server.get(dripping), tmp_path, "stands still|broke off|cannot be", WeightsError)


@pytest.mark.slow
def test_a_steady_download_outlives_any_window(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_download, "_WINDOW", 1.5)
    monkeypatch.setattr(http_download, "_LEAST_IN_WINDOW", 10)

    def steady(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(CONTENT)))
        handler.end_headers()
        for start in range(0, len(CONTENT), 1024):
            handler.wfile.write(CONTENT[start : start + 1024])
            time.sleep(0.15)

    assert fetch(server.get(steady)).read_bytes() == CONTENT

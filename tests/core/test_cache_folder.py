"""`essmc cache`: what is in the cache folder is listed, verified and pruned; what live processes use stays."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from essmc_core.cli.cache import cache
from essmc_core.models.defaults import ZOO
from essmc_core.weights.cache import cached_path, lock_of, record_origin
from essmc_core.weights.fetching import fetch
from tests.samples.local_http import QuietServer, fetch_from_this_machine

CONTENT = bytes(range(256)) * 400
SHA256 = hashlib.sha256(CONTENT).hexdigest()
ENTRY = ZOO.entry("torchvision/resnet50_tv_in1k")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with something of every kind, and nothing of the user's; one zoo entry: reading all takes long."""
    folder = tmp_path / "cache"
    monkeypatch.setattr(
        "essmc_core.cli.cache.ZOO", SimpleNamespace(table=[ENTRY], cache=SimpleNamespace(save=lambda: None))
    )
    fetch_from_this_machine(monkeypatch, folder)
    for name in (
        "registered/a.json", "discovery/pack.json", "zoo/facts-1.json", "engines/e.json", "checked/c.json",
        "timm/index-1.json", "torchvision/index-2.json", "weights/digests/d.json", "mine/thesis.tex", "notes.txt",
        "trusted-code.json",
        f"weights/sha256-{SHA256}/.w.pth.part", "weights/sha256-ff/.v.pth.lock", "engines/.e.json.1.2.tmp",
    ):  # fmt: skip
        write(folder / name, b"{}")
    write(folder / "indexes" / "i.json", b"index")
    recorded = {"sha256": hashlib.sha256(b"index").hexdigest(), "fetched": 1.0}
    write(folder / "indexes" / "i.fetched", json.dumps(recorded).encode())
    write(folder / "weights" / f"sha256-{SHA256}" / "w.pth", CONTENT)
    write(folder / "weights" / f"sha256-{SHA256[:8]}" / "w.pth", CONTENT)
    return folder


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def run(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(cache, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert (done.return_value or 0) == status, done.output
    return done.output


def listed() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("list", "--json"))
    return found


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(CONTENT)

        def log_message(self, format: str, *args: object) -> None: ...

    running = QuietServer(Handler)
    yield f"127.0.0.1:{running.server_port}/w.pth"
    running.shutdown()
    running.server_close()


def test_every_file_is_listed_once_with_its_category_and_size(folder: Path) -> None:
    found = listed()
    assert {file["path"] for file in found["files"]} == {str(folder / name) for name in names(folder)}
    by_name = {Path(file["path"]).relative_to(folder).as_posix(): file["category"] for file in found["files"]}
    assert by_name["engines/e.json"] == "choices of engines" and by_name["checked/c.json"] == "compared fingerprints"
    assert by_name["engines/.e.json.1.2.tmp"] == by_name[f"weights/sha256-{SHA256}/.w.pth.part"] == "partial"
    assert by_name["mine/thesis.tex"] == by_name["notes.txt"] == "other"
    assert found["categories"]["weights"] == {"files": 2, "size": 2 * len(CONTENT)}
    assert found["categories"]["locks"] == {"files": 1, "size": 2}
    shown = run()
    assert all(category in shown for category in found["categories"])
    assert f"{2 * len(CONTENT) / 1024:.1f} KiB" in shown


def test_an_empty_cache_is_listed_verified_and_pruned(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(folder / "none"))
    assert listed()["files"] == [] and json.loads(run("verify", "--json")) == []
    assert json.loads(run("prune", "--all", "--json")) == []


def test_fetched_weights_are_listed_with_their_address_but_no_credentials(folder: Path, server: str) -> None:
    path = fetch(f"http://{server}?token=secret")
    (file,) = (file for file in listed()["files"] if file["path"] == str(path))
    assert file["uri"] == f"http://{server}" and file["sha256"] == SHA256
    record_origin(path, f"http://me:secret@{server}#secret", SHA256)
    assert listed()["files"].count(file) == 1
    assert "secret" not in run() and not any(b"secret" in each.read_bytes() for each in folder.rglob("*.json"))


def test_weights_are_listed_with_the_entries_that_they_are_of(folder: Path) -> None:
    path = cached_path(ENTRY.facts.uri, ENTRY.facts.sha256)
    write(path, b"weights")
    (file,) = (file for file in listed()["files"] if file["path"] == str(path))
    assert file["entries"] == [ENTRY.qualified] and file["sha256"] == ENTRY.facts.sha256
    assert ENTRY.qualified in run()


def test_verify_finds_a_changed_byte_though_the_digest_was_remembered(folder: Path, server: str) -> None:
    path = fetch(f"http://{server}")
    good = json.loads(run("verify", "--json"))
    assert len(good) == 4 and {verdict["status"] for verdict in good} == {"good"}
    before = path.stat()
    path.write_bytes(CONTENT[:-1] + b"x")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    (wrong,) = (each for each in json.loads(run("verify", "--json", status=1)) if each["status"] != "good")
    assert wrong["path"] == str(path) and SHA256 in wrong["reason"] and wrong["found"] in wrong["reason"]
    assert "differs" in run("verify", status=1)


@pytest.mark.parametrize(
    "name", [f"weights/sha256-{SHA256}/w.pth", f"weights/sha256-{SHA256[:8]}/w.pth", "indexes/i.json"]
)
def test_verify_compares_with_every_recorded_digest(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"something else")
    wrong = [each["path"] for each in json.loads(run("verify", "--json", status=1)) if each["status"] == "differs"]
    assert wrong == [str(folder / name)]


def test_weights_without_a_recorded_digest_are_told_so(folder: Path) -> None:
    write(folder / "weights" / "uri-00" / "w.pth", CONTENT)
    assert "unknown" in run("verify")


def test_prune_needs_to_be_told_what(folder: Path) -> None:
    import click

    before = names(folder)
    for arguments in (
        (),
        ("--dry-run",),
        ("--all", "--partial"),
        ("--all", "--older-than", "1d"),
        ("--older-than", "soon"),
    ):
        with pytest.raises(click.UsageError):
            run("prune", *arguments)
    assert names(folder) == before


def test_prune_all_leaves_what_essmc_did_not_make_and_what_the_user_decided(folder: Path) -> None:
    before = names(folder)
    planned = json.loads(run("prune", "--all", "--dry-run", "--json"))
    assert names(folder) == before and not any(each["removed"] for each in planned)
    assert "3 files stay" in run("prune", "--all")
    assert names(folder) == {"mine/thesis.tex", "notes.txt", "trusted-code.json"}
    assert {path.name for path in folder.iterdir()} == {"mine", "notes.txt", "trusted-code.json"}
    assert {Path(each["path"]).relative_to(folder).as_posix() for each in planned} == before - names(folder)


def test_prune_partial_removes_what_interrupted_downloads_left(folder: Path) -> None:
    before = names(folder)
    run("prune", "--partial")
    gone = {f"weights/sha256-{SHA256}/.w.pth.part", "weights/sha256-ff/.v.pth.lock", "engines/.e.json.1.2.tmp"}
    assert before - names(folder) == gone


def test_prune_by_age_counts_from_when_a_file_was_written(folder: Path) -> None:
    old = folder / "engines" / "e.json"
    os.utime(old, (time.time() - 31 * 86400,) * 2)
    assert [each["path"] for each in json.loads(run("prune", "--older-than", "30d", "--json"))] == [str(old)]
    assert not old.exists() and json.loads(run("prune", "--older-than", "4w", "--json")) == []
    assert json.loads(run("prune", "--older-than", "1h", "--partial", "--json")) == []


def test_a_link_is_removed_and_what_it_leads_to_is_not(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "w.pth", CONTENT)
    linked = folder / "weights" / "uri-01"
    linked.mkdir()
    (linked / "w.pth").symlink_to(outside / "w.pth")
    (folder / "registered" / "elsewhere").symlink_to(outside, target_is_directory=True)
    run("prune", "--all")
    assert (outside / "w.pth").read_bytes() == CONTENT and not os.path.lexists(linked / "w.pth")


HOLDING = """
import sys
from essmc_core.weights.cache import sole_writer
from pathlib import Path
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_what_a_live_process_is_fetching_stays_and_that_of_a_killed_one_goes(folder: Path) -> None:
    path = folder / "weights" / f"sha256-{SHA256}" / "w.pth"
    command = [sys.executable, "-c", HOLDING, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        (path.parent / ".w.pth.part").write_bytes(b"half")
        run("prune", "--all")
        assert path.exists() and lock_of(path).exists() and (path.parent / ".w.pth.part").exists()
        assert not (folder / "engines").exists()
        process.kill()
    run("prune", "--partial")
    assert path.exists() and not lock_of(path).exists() and not (path.parent / ".w.pth.part").exists()
    run("prune", "--all")
    assert not path.exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux tells which files are open")
@pytest.mark.parametrize("how", ["mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ); file.close()", "1"])
def test_weights_that_a_live_process_has_mapped_or_open_stay(folder: Path, how: str) -> None:
    path = folder / "weights" / f"sha256-{SHA256}" / "w.pth"
    code = (
        f"import mmap, sys; file = open(sys.argv[1], 'rb'); kept = {how.partition(';')[0]}; {how.partition(';')[2]}\n"
    )
    code += "print('open', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "open\n"
        assert "in use by a live process" in run("prune", "--all")
        assert path.read_bytes() == CONTENT
        process.kill()
    run("prune", "--all")
    assert not path.exists()


def test_a_fetch_that_waited_while_the_cache_was_emptied_takes_a_lock_that_exists(folder: Path) -> None:
    from filelock import FileLock

    from essmc_core.weights.cache import sole_writer

    path = folder / "weights" / "uri-02" / "w.pth"
    path.parent.mkdir()
    inside = threading.Event()

    def wait() -> None:
        with sole_writer(path):
            if lock_of(path).exists():
                inside.set()

    with FileLock(lock_of(path)):
        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        lock_of(path).unlink()
    waiting.join(10)
    assert inside.is_set()

"""Indexes: the places that name them, their form, and how they are fetched, kept and put together."""

from __future__ import annotations

import hashlib
import http.server
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from essmc_core.index.fetching import read_place
from essmc_core.index.known import known_packs
from essmc_core.index.places import further_places
from essmc_core.index.reading import IndexUnusable, read_index
from essmc_core.index.schema import Index, PackFacts
from tests.samples.indexes import index_of
from tests.samples.local_http import QuietServer, fetch_from_this_machine

A, B = "0123456789abcdef" * 4, "f" * 64


class Server:
    """Serves texts by path, and counts what it is asked."""

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self.asked: list[str] = []
        outer = self

        class Pages(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                body = outer.pages.get(self.path.partition("?")[0])
                self.send_response(404 if body is None else 200)
                content = (body or "").encode()
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None: ...

        self._server = QuietServer(Pages)
        self.url = self._server.url

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    fetch_from_this_machine(monkeypatch, tmp_path / "cache")
    running = Server()
    yield running
    running.close()


def place_of(text: str):
    (place,) = further_places(text)
    return place


# The places that ESSMC_INDEX names.


@pytest.mark.parametrize(
    ("value", "addresses"),
    [
        ("", []),
        (" a.json , b.json ,", ["a.json", "b.json"]),
        ("/x/a.json:/y/b.json", ["/x/a.json", "/y/b.json"]),
        ("~/a.json:./b.json", ["~/a.json", "./b.json"]),
        ("https://h.example:8080/a.json", ["https://h.example:8080/a.json"]),
        ("https://h.example/a.json:https://i.example/b.json", ["https://h.example/a.json", "https://i.example/b.json"]),
        ("/x/a.json:HTTPS://h.example/A.json", ["/x/a.json:HTTPS://h.example/A.json"]),
        ("file:///x/a.json,b.json", ["file:///x/a.json", "b.json"]),
    ],
)
def test_files_and_addresses_are_told_apart(value, addresses):
    assert [place.address for place in further_places(value)] == addresses


@pytest.mark.parametrize(
    ("text", "sha256", "problem"),
    [
        (f"https://h.example/a#sha256={A}", A, ""),
        (f"a.json#sha256={A.upper()}", A, ""),
        ("a.json#sha256=12", "", "no #sha256=… with 64 hexadecimal digits"),
        (f"a.json#md5={A}", "", "no #sha256=…"),
        ("s3://bucket/a.json", "", "s3:// is not understood"),
    ],
)
def test_digests_and_schemes(text, sha256, problem):
    place = place_of(text)
    assert place.sha256 == sha256 and problem in place.problem and bool(problem) == bool(place.problem)


def test_credentials_are_not_shown():
    for written in ("https://me:pw@h.example/a.json?token=t", "https://me:p/w@h.example/a.json"):
        assert place_of(written).shown == "https://h.example/a.json"
    assert place_of("https://h.example:80/a@b.json").shown == "https://h.example:80/a@b.json"


# The form of an index.


def test_what_an_index_holds_is_printed_and_installed_without_harm():
    text = '{"version": 1, "packs": [{"distribution": "d", "name": "n", "summary": "a\\u001b[31mb\\nc"}]}'
    assert read_index(text, "it").packs[0].summary == "a [31mb c"
    for name in ("--index-url=http://evil.example", "a b", "", "A", "x;y", "../x", "https://evil.example/x.whl"):
        with pytest.raises(IndexUnusable, match=r"packs\.0\.distribution"):
            read_index(json.dumps({"version": 1, "packs": [{"distribution": name, "name": "n"}]}), "it")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "states no version"),
        ('{"version": true, "packs": []}', "states no version"),
        ('{"version": "1"}', "states no version"),
        ('{"version": 2}', "is an index of version 2, and this essmc-core reads up to version 1"),
        ('{"version": 1, "packs": [{"name": "x"}]}', "packs.0.distribution: Field required"),
        ('{"version": 1, "packs": 3}', "packs: Input should be"),
    ],
)
def test_what_is_no_index_is_refused_with_its_name(text, message):
    with pytest.raises(IndexUnusable) as caught:
        read_index(text, "my.json")
    assert str(caught.value).startswith("my.json") and message in str(caught.value)


def test_facts_of_later_versions_are_left_out():
    found = read_index('{"version": 1, "colour": 1, "packs": [{"distribution": "d", "name": "n", "smell": 2}]}', "it")
    assert found.packs == (PackFacts(distribution="d", name="n"),)


def test_the_same_packs_give_the_same_bytes_in_any_order():
    one, two = (PackFacts(distribution=name, name=name) for name in "ab")
    text = Index(version=1, packs=(one, two)).to_text()
    assert Index(version=1, packs=(two, one)).to_text() == text
    assert read_index(text, "it").packs == (one, two)
    assert '"zoo"' not in text


# Fetching.


def test_an_address_is_fetched_once_a_day_and_kept(server, monkeypatch):
    server.pages["/i.json"] = index_of("a")
    place = place_of(f"{server.url}/i.json")
    for _ in range(3):
        found = read_place(place, patient=True)
        assert [pack.name for pack in found.index.packs] == ["a"] and found.remark == ""
    assert len(server.asked) == 1
    tomorrow = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    assert read_place(place, patient=False).index.packs and len(server.asked) == 1
    assert read_place(place, patient=True).remark == "" and len(server.asked) == 2


def test_a_change_is_said_once_with_both_digests(server, monkeypatch):
    server.pages["/i.json"] = before = index_of("a")
    place = place_of(f"{server.url}/i.json")
    read_place(place, patient=True)
    server.pages["/i.json"] = after = index_of("a", "b")
    later = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    found = read_place(place, patient=True)
    assert [pack.name for pack in found.index.packs] == ["a", "b"]
    for text in (before, after):
        assert hashlib.sha256(text.encode()).hexdigest() in found.remark
    assert "has changed since 20" in found.remark
    assert read_place(place, patient=True).remark == ""


def test_a_server_that_is_gone_or_sends_nonsense_leaves_the_copy(server, monkeypatch):
    server.pages["/i.json"] = index_of("a")
    place = place_of(f"{server.url}/i.json")
    read_place(place, patient=True)
    later = time.time() + 25 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    for page in (None, "<html>"):
        server.pages.pop("/i.json", None)
        if page is not None:
            server.pages["/i.json"] = page
        found = read_place(place, patient=True)
        assert [pack.name for pack in found.index.packs] == ["a"] and "the copy of 20" in found.remark
    server.close()
    assert "cannot be reached" in read_place(place, patient=True).remark


def test_a_stated_digest_is_verified_and_then_nothing_is_asked_again(server, monkeypatch):
    server.pages["/i.json"] = text = index_of("a")
    digest = hashlib.sha256(text.encode()).hexdigest()
    with pytest.raises(IndexUnusable, match=f"has the sha256 {digest}, not {B}"):
        read_place(place_of(f"{server.url}/i.json#sha256={B}"), patient=True)
    place = place_of(f"{server.url}/i.json#sha256={digest}")
    read_place(place, patient=True)
    asked = len(server.asked)
    later = time.time() + 1e9
    monkeypatch.setattr(time, "time", lambda: later)
    server.pages["/i.json"] = index_of("evil")
    assert [pack.name for pack in read_place(place, patient=True).index.packs] == ["a"]
    assert len(server.asked) == asked


def test_offline_uses_the_copy_alone(server, monkeypatch):
    server.pages["/i.json"] = index_of("a")
    place = place_of(f"{server.url}/i.json")
    monkeypatch.setenv("ESSMC_OFFLINE", "1")
    with pytest.raises(IndexUnusable, match="not in the cache, and this session is offline"):
        read_place(place, patient=True)
    monkeypatch.delenv("ESSMC_OFFLINE")
    read_place(place, patient=True)
    monkeypatch.setenv("ESSMC_OFFLINE", "1")
    later = time.time() + 1e9
    monkeypatch.setattr(time, "time", lambda: later)
    assert read_place(place, patient=True).index.packs
    assert len(server.asked) == 1


def test_what_is_too_large_is_refused(server, monkeypatch):
    from essmc_core.index import fetching

    server.pages["/i.json"] = index_of("a")
    monkeypatch.setattr(fetching, "_LARGEST", 20)
    with pytest.raises(IndexUnusable, match="no index is"):
        read_place(place_of(f"{server.url}/i.json"), patient=True)


def test_messages_hold_no_credentials(server):
    with pytest.raises(IndexUnusable) as caught:
        read_place(place_of(f"{server.url.replace('://', '://me:pw@')}/i.json?token=sesame"), patient=False)
    assert "sesame" not in str(caught.value) and "pw" not in str(caught.value)


# All indexes together.


def test_further_indexes_add_packs_and_newer_versions(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(index_of("video", "own", version="0.0.1"))
    (tmp_path / "b.json").write_text(index_of("own", version="0.0.10"))
    (tmp_path / "c.json").write_text("{")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ESSMC_INDEX", "a.json,b.json,c.json,missing.json")
    known = known_packs()
    own, video = known.named("own"), known.named("essmc-video")
    assert own is not None and own.version == "0.0.10"
    assert video is not None and "ResNet3D" in video.names_of("backbones"), "an older version replaces nothing"
    assert ["c.json" in remark or "missing.json" in remark for remark in known.remarks] == [True, True]


def test_a_broken_index_breaks_no_other_command(python, tmp_path):
    extra = {"ESSMC_INDEX": f"http://127.0.0.1:9/i.json,{tmp_path / 'none'},s3://x/y,%00", "ESSMC_PACKS": ""}
    assert python.essmc("list", **extra).stderr == ""
    done = python.essmc("show", "NowhereHead", check=False, **extra)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "not looked for everywhere" in done.stderr
    assert all(name in done.stderr for name in ("127.0.0.1:9", str(tmp_path / "none"), "s3://", "%00"))


def test_a_missing_name_is_hinted_at_by_a_further_index(python, tmp_path):
    (tmp_path / "own.json").write_text(index_of("acme"))
    extra = {"ESSMC_INDEX": str(tmp_path / "own.json"), "ESSMC_PACKS": ""}
    done = python.essmc("show", "acmeHead", check=False, **extra)
    assert "essmc-acme brings it: pip install essmc-acme" in done.stderr
    listed = python.essmc("list", "heads", "acme*", **extra)
    assert "pip install essmc-acme" in listed.stderr
    packed = python.essmc("list", "heads", "--pack", "acme", check=False, **extra)
    assert packed.returncode == 2 and "pip install essmc-acme" in packed.stderr

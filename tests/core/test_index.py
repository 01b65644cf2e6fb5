"""Indexes: read, fetched, kept, compared; what is found in them; and how a pack is described."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from essmc_core.errors import EssmcError
from essmc_core.index.fetching import read_place
from essmc_core.index.known import KnownPacks, known_packs
from essmc_core.index.places import further_places
from essmc_core.index.reading import IndexUnusable, read_index
from essmc_core.index.schema import ComponentFacts, EntryFacts, FamilyFacts, Index, PackFacts
from essmc_core.index.search import search, suggestions
from essmc_core.installation.indexing import make_index
from tests.samples.local_http import fetch_from_this_machine

A, B = "0123456789abcdef" * 4, "f" * 64


def index_of(*names: str, version: str = "1.0") -> str:
    """Returns an index of packs that bring a head each."""
    packs = [
        {
            "distribution": f"essmc-{name}",
            "name": name,
            "version": version,
            "components": {"heads": [{"name": f"{name}Head"}]},
        }
        for name in names
    ]
    return json.dumps({"version": 1, "packs": packs})


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

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

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
    assert place_of("https://me:pw@h.example/a.json?token=t").shown == "https://h.example/a.json"


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


# Searching.


def facts(name: str, summary: str = "", **more: object) -> PackFacts:
    return PackFacts.model_validate({"distribution": f"essmc-{name}", "name": name, "summary": summary, **more})


LIBRARY = [
    facts(
        "video",
        "Backbones for clips",
        components={
            "backbones": [
                ComponentFacts(name="SlowFast", summary="two paths", aliases=("SF",)),
                ComponentFacts(name="Fast"),
            ],
            "heads": [ComponentFacts(name="PathHead", summary="of SlowFast"), ComponentFacts(name="SlowFastHead")],
        },
        zoo=[EntryFacts(name="slowfast_r50", summary="Kinetics"), EntryFacts(name="slowfast_r101")],
    ),
    facts("timm", families={"backbones": [FamilyFacts(pattern="timm/*", count=2, names=("vit_b", "fastvit"))]}),
    facts("other", families={"heads": [FamilyFacts(pattern="other/*", count=900)]}, commands=[{"name": "fast"}]),
]


@pytest.mark.parametrize(
    ("text", "kind", "names"),
    [
        ("slowfast", None, ["SlowFast", "slowfast_r50", "slowfast_r101", "SlowFastHead", "PathHead"]),
        ("SF", None, ["SlowFast"]),
        ("fast", "backbones", ["Fast", "timm/fastvit", "SlowFast"]),
        ("fast", "commands", ["fast"]),
        ("slowfast kinetics", None, ["slowfast_r50"]),
        ("paths", None, ["SlowFast"]),
        ("timm", None, ["essmc-timm", "timm/fastvit", "timm/vit_b"]),
        ("timm/vit*", None, ["timm/vit_b"]),
        ("other/x", None, []),
        ("clips", None, ["essmc-video"]),
        ("nothing", None, []),
        ("   ", None, []),
    ],
)
def test_the_best_comes_first(text, kind, names):
    found = [hit.name for hit in search(text, LIBRARY, kind)]
    assert found[: len(names)] == names
    if not names:
        assert found == []


def test_a_component_has_the_lifecycle_of_its_pack_unless_it_states_one():
    parts = {"heads": [ComponentFacts(name="OldHead", lifecycle="deprecated"), ComponentFacts(name="NewHead")]}
    found = search("head", [facts("aged", lifecycle="stable", components=parts)])
    assert {hit.name: hit.lifecycle for hit in found} == {"OldHead": "deprecated", "NewHead": "stable"}


def test_a_misspelled_word_is_suggested():
    assert suggestions("slowfats", LIBRARY)[0] == "SlowFast"
    assert suggestions("qqqqqq", LIBRARY) == []


def test_search_finds_what_is_not_installed_and_imports_nothing_heavy(python):
    code = """
    import json, sys
    from essmc_core.cli.app import cli
    try:
        cli.main(["search", "slowfast", "--json"], standalone_mode=False)
    except SystemExit:
        pass
    print(json.dumps(sorted({"torch", "timm", "torchvision", "transformers"} & set(sys.modules))))
    """
    done = python.run(code, ESSMC_PACKS="", ESSMC_BLOCK="")
    assert done.stdout.splitlines()[-1] == "[]"
    found = json.loads(done.stdout[: done.stdout.rindex("[]")])
    assert [found[0][key] for key in ("name", "kind", "pack")] == ["SlowFast", "backbones", "essmc-video"]
    assert found[0]["status"] == "blocked"


def test_search_among_what_is_installed_imports_nothing_heavy(python):
    code = """
    import sys
    from essmc_core.cli.app import cli
    try:
        cli.main(["search", "slowfast"], standalone_mode=False)
    except SystemExit:
        pass
    print(sorted({"torch", "timm", "torchvision", "transformers", "torchmetrics"} & set(sys.modules)))
    """
    lines = python.run(code).stdout.splitlines()
    assert lines[1].split()[:3] == ["SlowFast", "backbones", "yes"] and lines[-1] == "[]"


def test_search_says_which_core_a_pack_needs(python, tmp_path):
    packs = [
        {"distribution": "essmc-late", "name": "late", "core": ">=99"},
        {"distribution": "essmc-lax", "name": "lax"},
    ]
    (tmp_path / "own.json").write_text(json.dumps({"version": 1, "packs": packs}))
    extra = {"ESSMC_INDEX": str(tmp_path / "own.json"), "ESSMC_PACKS": ""}
    assert "pip install essmc-late  (needs essmc-core>=99)" in python.essmc("search", "late", **extra).stdout
    found = json.loads(python.essmc("search", "essmc-la", "--json", **extra).stdout)
    assert {hit["name"]: hit["compatible"] for hit in found} == {"essmc-late": False, "essmc-lax": True}


def test_search_says_how_to_install(python, tmp_path):
    (tmp_path / "own.json").write_text(index_of("acme"))
    extra = {"ESSMC_INDEX": f"{tmp_path / 'own.json'},{tmp_path / 'none.json'}", "ESSMC_PACKS": ""}
    done = python.essmc("search", "acme", **extra)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert rows == [
        ["essmc-acme", "packs", "pip", "install", "essmc-acme"],
        ["acmeHead", "heads", "pip", "install", "essmc-acme"],
    ]
    assert "Warning: ESSMC_INDEX names" in done.stderr
    assert "did you mean 'acmeHead'" in python.essmc("search", "acmeHaed", **extra).stderr
    wrong = python.essmc("search", "acme", "--kind", "haeds", check=False, **extra)
    assert wrong.returncode == 2 and "did you mean 'heads'?" in wrong.stderr
    assert "there is some among heads, packs" in python.essmc("search", "acme", "--kind", "necks", **extra).stderr


# Describing packs.

PLUGIN = """
from pathlib import Path
from essmc_core import hookimpl

@hookimpl
def register_components(registries):
    registries.heads.register("Own", "essmc_own.net:Own", summary="A head", aliases=["Mine"], lifecycle="deprecated")
    for number in range(30):
        registries.backbones.register(f"net{number}", "essmc_own.net:Own", bare=False, summary="Made")

@hookimpl
def register_zoo(zoo):
    zoo.add_directory(Path(__file__).parent / "zoo")

@hookimpl
def register_commands(cli):
    cli.add_lazy("own", "essmc_own.net:command", help="Do it.")
"""
NET = """
print("hello from the pack")

class Own:
    def __init__(self, dim: int, width: float = 0.5, names: tuple[str, ...] = ("a",)):
        raise RuntimeError("never built")
"""
ENTRY = """
summary: Own model
model: {type: Own}
input: {modality: image, size: 8}
aliases: [own_alias]
results: [{dataset: k400, metric: acc@1, value: 71.5, source: nobody}]
cost: {params: 5, gmacs: 0.25, at: [3, 8, 8]}
licence: {code: MIT, weights: unknown}
"""
METADATA = """Metadata-Version: 2.4
Name: essmc-own
Version: 2.1
Summary: A pack of one's own
License-Expression: MIT
Classifier: Development Status :: 4 - Beta
Requires-Python: >=3.10
Requires-Dist: numpy>=1
Requires-Dist: essmc-core<1,>=0.1
Requires-Dist: pytest; extra == "test"
"""


def make_wheel(folder: Path, plugin: str = PLUGIN, name: str = "essmc_own") -> Path:
    """Writes a wheel as a build would, its files in the order of their names."""
    info = f"{name}-2.1.dist-info"
    files = {
        f"{name}/__init__.py": "", f"{name}/plugin.py": plugin, f"{name}/net.py": NET,
        f"{name}/zoo/own_net.yaml": ENTRY,
        f"{info}/METADATA": METADATA, f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[essmc]\nown = {name}.plugin\n", f"{info}/RECORD": "",
    }  # fmt: skip
    path = folder / f"{name}-2.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


@pytest.mark.slow
def test_a_wheel_is_described_without_being_installed(python, tmp_path):
    wheel = make_wheel(tmp_path)
    done = python.essmc("index", str(wheel), "-o", str(tmp_path / "one.json"), "--json")
    (pack,) = json.loads(done.stdout)["packs"]
    assert pack == {
        "distribution": "essmc-own", "name": "own", "version": "2.1", "summary": "A pack of one's own",
        "core": "<1,>=0.1", "python": ">=3.10", "licence": "MIT", "lifecycle": "experimental", "requires": ["numpy>=1"],
        "described_with": pack["described_with"],
        "components": {
            "heads": [
                {
                    "name": "Own", "summary": "A head", "signature": "(dim, width=0.5, names=('a',))",
                    "aliases": ["Mine"], "lifecycle": "deprecated",
                }
            ]
        },
        "families": {
            "backbones": [
                {
                    "pattern": "own/*", "count": 30, "names": sorted(f"net{number}" for number in range(30)),
                    "summary": "Made", "signature": "(dim, width=0.5, names=('a',))",
                }
            ]
        },
        "zoo": [
            {
                "name": "own_net", "summary": "Own model", "modality": "image", "params": 5, "macs": 0.25e9,
                "results": [{"dataset": "k400", "metric": "acc@1", "value": 71.5}],
                "licence": {"code": "MIT", "weights": "unknown"}, "aliases": ["own_alias"],
            }
        ],
        "commands": [{"name": "own", "help": "Do it."}],
    }  # fmt: skip
    assert set(pack["described_with"]) == {"numpy"}
    text = (tmp_path / "one.json").read_text()
    assert read_index(text, "it").to_text() == text
    found = python.essmc("search", "own_alias", ESSMC_INDEX=str(tmp_path / "one.json"), ESSMC_PACKS="")
    assert "own_net" in found.stdout and "pip install essmc-own" in found.stdout


@pytest.mark.slow
def test_a_folder_gives_what_ships_with_the_core(python, tmp_path):
    demo = Path(__file__).parents[2] / "plugins" / "essmc-demo"
    before = sorted(demo.rglob("*"))
    python.essmc("index", str(demo), "-o", str(tmp_path / "demo.json"))
    assert sorted(demo.rglob("*")) == before, "building leaves nothing behind"
    (built,) = read_index((tmp_path / "demo.json").read_text(), "it").packs
    assert built == KnownPacks(known_packs().packs).named("demo")


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (["none.whl"], "there is no wheel none.whl"),
        (["empty"], "empty holds neither pyproject.toml nor setup.py"),
        (["no-such-pack"], "no pack 'no-such-pack' is installed"),
        (["dir/nothing"], "there is no dir/nothing"),
        (["essmc-demo", "demo"], "essmc-demo is named twice"),
        (["odd.whl"], "odd.whl is no name of a wheel"),
    ],
)
def test_what_is_no_pack_is_one_message(tmp_path, monkeypatch, sources, message):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.whl").write_text("")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EssmcError) as caught:
        make_index(sources)
    assert message in str(caught.value) and caught.value.hint


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("bad", "raise RuntimeError('boom')", "the pack essmc-bad 1.0 is quarantined: RuntimeError: boom"),
        ("dies", "import os; os._exit(7)", "(exit status 7)"),
    ],
)
def test_a_pack_that_cannot_be_imported_is_not_described(python, site, name, source, message):
    site.add(f"essmc-{name}", source)
    done = python.essmc("index", name, "-o", "i.json", check=False, ESSMC_BLOCK=name)
    assert done.returncode == 2 and f"essmc-{name} cannot be described: " in done.stderr and message in done.stderr
    assert not (python.cwd / "i.json").exists()


def test_an_installed_pack_is_described_by_its_name(python, site):
    site.add("essmc-a", components={"necks.N": "essmc_a.plugin:hookimpl"})
    (pack,) = json.loads(python.essmc("index", "a", "--json").stdout)["packs"]
    assert pack["distribution"] == "essmc-a" and pack["components"]["necks"][0]["name"] == "N"
    assert pack["licence"] == "unknown" and pack["lifecycle"] == "stable"


def test_a_lifecycle_is_shown(python, site):
    body = "from essmc_core import hookimpl\n\n@hookimpl\ndef register_components(registries):\n"
    body += "    registries.heads.register('Young', 'essmc_a.net:Young', lifecycle='experimental')\n"
    site.add("essmc-a", body, files={"net.py": "class Young:\n    pass\n"})
    assert "status   experimental" in python.essmc("show", "Young").stdout
    assert json.loads(python.essmc("list", "heads", "Young", "--json").stdout)[0]["lifecycle"] == "experimental"
    row = python.essmc("search", "Young").stdout.splitlines()[1].split()
    assert row == ["Young", "heads", "yes", "(experimental)"]


def test_a_lifecycle_that_is_none_quarantines_the_pack(python, site):
    body = "from essmc_core import hookimpl\n\n@hookimpl\ndef register_components(registries):\n"
    site.add("essmc-a", body + "    registries.heads.register('H', 'essmc_a.x:H', lifecycle='young')\n")
    shown = json.loads(python.essmc("packs", "a", "--json", ESSMC_PACKS="a").stdout)
    assert "must be one of experimental, stable, deprecated" in shown[0]["reason"]

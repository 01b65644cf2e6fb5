"""How `essmc index` describes packs: wheels, folders and installed distributions."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from essmc_core.errors import EssmcError
from essmc_core.index.known import KnownPacks, known_packs
from essmc_core.index.reading import read_index
from essmc_core.installation.indexing import make_index

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

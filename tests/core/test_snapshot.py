"""What constant packs register is restored without importing them, and always equals what importing them registers."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest

from essmc_core.discovery.constant import is_constant

HEAD = "from essmc_core import hookimpl\n"
CONSTANT = {
    "literal names": HEAD
    + "@hookimpl\ndef register_components(registries):\n    registries.heads.register('A', 'p.n:A')\n",
    "a loop over a table": HEAD
    + "NAMES = {'A': 'One', 'B': 'Two'}\n"
    + "@hookimpl\ndef register_components(registries):\n"
    + "    add = registries.backbones.register\n"
    + "    for name, text in NAMES.items():\n        add(name, f'p.nets:{name}', summary=text.lower())\n",
    "a folder beside the module": "from pathlib import Path\nimport essmc_core\n"
    "@essmc_core.hookimpl\ndef register_zoo(zoo):\n    zoo.add_directory(Path(__file__).parent / 'zoo')\n",
    "a docstring": '"""Nothing."""\n__version__ = "1.0"\n',
    "a table of the pack": HEAD + "from p.names import NAMES\n@hookimpl\ndef register_components(registries):\n"
    "    for name in NAMES:\n        registries.heads.register(name, f'p.nets:{name}')\n",
}
CHANGING = {
    "an environment variable": "import os\nNAME = os.environ.get('NAME', 'A')\n",
    "a library": "from timm import list_models\n",
    "a library within a function": "def names():\n    import timm\n    return timm.list_models()\n",
    "a file": "NAMES = open('names.txt').read().split()\n",
    "a file by pathlib": "from pathlib import Path\nNAMES = Path('names.txt').read_text().split()\n",
    "a folder's content": "from pathlib import Path\nNAMES = [path.stem for path in Path('x').glob('*.py')]\n",
    "whether a file exists": "from pathlib import Path\nNAME = 'A' if Path('x').exists() else 'B'\n",
    "the version of Python": "import sys\nNAME = 'A' if sys.version_info > (3, 12) else 'B'\n",
    "what can be imported": "try:\n    import timm\nexcept ImportError:\n    timm = None\n",
    "the built-in import": "timm = __import__('timm')\n",
    "evaluated text": "eval('1')\n",
    "a function of Python under its own name": "open = open\nTEXT = open('x')\n",
    "a private attribute": HEAD
    + "@hookimpl\ndef register_components(registries):\n    registries._registries.clear()\n",
    "the registries themselves": "import essmc_core\nNAMES = essmc_core.BACKBONES.names()\n",
    "a decorator that does more": HEAD + "def register_components(registries):\n    registries.commit()\n",
    "output": "print('hello')\n",
    "an assignment elsewhere": "import essmc_core\nessmc_core.name = 1\n",
    "a relative import": "from .names import NAMES\n",
    "all names of a module": "from p.names import *\n",
    "a module of another pack": "from q.names import NAMES\n",
    "a class": "class Plugin:\n    pass\n",
    "no Python": "def (",
    "a loop without end": "while True:\n    pass\n",
}


@pytest.mark.parametrize("case", CONSTANT)
def test_modules_that_depend_on_their_text_alone_are_constant(case):
    assert is_constant(CONSTANT[case], {"p", "p.names", "p.plugin"})


@pytest.mark.parametrize("case", CHANGING)
def test_modules_that_depend_on_anything_else_are_not(case):
    assert not is_constant(CHANGING[case], {"p", "p.names", "p.plugin"})


PLUGIN = """
from pathlib import Path
from essmc_core import hookimpl

@hookimpl
def register_components(registries):
    registries.add_kind("detectors", "detector").register("Detector{tag}", "{package}.nets:Net", aliases=["D{tag}"])
    registries.heads.register(
        "Head{tag}", "{package}.nets:Net", summary="A head", aliases={{"H{tag}": {{"width": 2}}}}, bound={{"depth": 3}},
        retired={{"old": (None, "leave it out")}}, check="{package}.nets:check", deprecated=["Old{tag}"], bare={bare},
        lifecycle="experimental",
    )

@hookimpl
def register_zoo(zoo):
    zoo.add_directory(Path(__file__).parent / "zoo")
    zoo.add_template("{package}.nets:entry", table="{package}.nets:rows", bare={bare})

@hookimpl
def register_commands(cli):
    cli.add_lazy("say-{tag}", "{package}.nets:command", help="Say {tag}.")
"""
ENTRY = "summary: A model\nmodel: {type: Classifier}\n"
SHOW = """
import dataclasses, json, sys
import essmc_core
from essmc_core.models.defaults import DISCOVERY
loaded = sorted(name for name in sys.modules if name.startswith("s_") and name.endswith(".plugin"))
facts = ("version", "status", "reason", "components", "zoo", "commands", "remarks")
packs = {pack.name: [getattr(pack, fact) for fact in facts] for pack in essmc_core.packs()}
rows = sorted(repr(record) for registry in essmc_core.REGISTRIES for record in registry.table if record.pack in packs)
entries = sorted((entry.qualified, str(entry.where)) for entry in essmc_core.ZOO.table)
commands = sorted(repr(command) for command in DISCOVERY.commands)
print(json.dumps({"packs": packs, "rows": rows, "entries": entries, "commands": commands, "loaded": loaded}))
"""


def _add(site, name, plugin=None, bare=True, **more):
    package = f"s_{name}"
    text = PLUGIN.format(tag=name.capitalize(), package=package, bare=bare) if plugin is None else plugin
    nets = "class Net:\n    pass\n\ndef rows():\n    return [{'name': 'row'}]\n"
    files = {"nets.py": nets, f"zoo/{name}_tiny.yaml": ENTRY, **more.pop("files", {})}
    return site.add(package, text, files=files, **more)


def _register(name):
    return f"    registries.heads.register({name!r}, 's_x.nets:Net')\n"


HOOK = HEAD + "@hookimpl\ndef register_components(registries):\n"
ENVIRONMENT = "import os\n" + HOOK + "    registries.heads.register(os.environ['HEAD'], 's_environment.nets:Net')\n"
READING = "from pathlib import Path\n" + HOOK + (
    "    for name in Path(__file__).with_name('names.txt').read_text().split():\n"
    "        registries.heads.register(name, 's_reading.nets:Net')\n"
)  # fmt: skip


def test_what_is_restored_is_what_would_be_imported_whatever_changed(site, python, tmp_path):
    unchanged, private = _add(site, "unchanged"), _add(site, "private", bare=False)
    edited = _add(site, "edited", HOOK + _register("EditedA"))
    helped = _add(site, "helped", HEAD + "from s_helped.names import NAMES\n" + HOOK[len(HEAD) :]
                  + "    for name in NAMES:\n        registries.heads.register(name, 's_helped.nets:Net')\n",
                  files={"names.py": "NAMES = ['HelpedA']\n"})  # fmt: skip
    upgraded, moved, shadowed = (_add(site, name) for name in ("upgraded", "moved", "shadowed"))
    grown, emptied = _add(site, "grown"), _add(site, "emptied")
    _add(site, "environment", ENVIRONMENT)
    reading = _add(site, "reading", READING, files={"names.txt": "ReadingA"})
    environment = {"HEAD": "EnvironmentA", "ESSMC_CACHE_DIR": str(tmp_path / "cache")}
    # Files that were written just now are not recorded, as another change might not show.
    time.sleep(2.1)

    imported = python.json(SHOW, **environment)
    assert len(imported["loaded"]) == 11 and all(pack[1] == "ok" for pack in imported["packs"].values())
    restored = python.json(SHOW, **environment)
    assert restored["loaded"] == ["s_environment.plugin", "s_reading.plugin"]
    assert {**restored, "loaded": None} == {**imported, "loaded": None}

    # The size and the time of the change of an edited file may be those of the old one.
    times = (edited / "plugin.py").stat()
    (edited / "plugin.py").write_text(HOOK + _register("EditedB"))
    os.utime(edited / "plugin.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    (helped / "names.py").write_text("NAMES = ['HelpedB']\n")
    metadata = next(site.folder.glob("s_upgraded-*.dist-info"))
    (metadata / "METADATA").write_text((metadata / "METADATA").read_text().replace("Version: 1.0", "Version: 1.1"))
    (moved / "other.py").write_text(HOOK + _register("Moved"))
    points = next(site.folder.glob("s_moved-*.dist-info")) / "entry_points.txt"
    points.write_text("[essmc]\ns_moved = s_moved.other\n")
    other = tmp_path / "earlier" / "s_shadowed"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("")
    (other / "plugin.py").write_text(HOOK + _register("Shadowed"))
    (grown / "zoo" / "grown_large.yaml").write_text(ENTRY)
    shutil.rmtree(emptied / "zoo")
    (reading / "names.txt").write_text("ReadingB")
    python.cwd = other.parent
    changed = python.json(SHOW, **{**environment, "HEAD": "EnvironmentB"})

    fresh = python.json(SHOW, **{**environment, "HEAD": "EnvironmentB", "ESSMC_CACHE_DIR": str(tmp_path / "none")})
    assert {**changed, "loaded": None} == {**fresh, "loaded": None}
    heads = " ".join(changed["rows"])
    for name in ("EditedB", "HelpedB", "Moved", "Shadowed", "ReadingB", "EnvironmentB"):
        assert f"'{name}'" in heads
    assert changed["packs"]["s-upgraded"][0] == "1.1"
    assert changed["packs"]["s-grown"][4] == 3
    assert changed["packs"]["s-emptied"][1] == "quarantined"
    assert not {"s_unchanged.plugin", "s_private.plugin", "s_grown.plugin"} & set(changed["loaded"])
    assert (unchanged / "plugin.py").exists() and (private / "plugin.py").exists() and upgraded.exists()
    assert shadowed.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[[1]]", b"null", b"\xff\xfe", b"[]"])
def test_a_snapshot_that_cannot_be_read_is_made_anew(site, python, tmp_path, content):
    _add(site, "one")
    environment = {"ESSMC_CACHE_DIR": str(tmp_path / "cache")}
    time.sleep(2.1)
    first = python.json(SHOW, **environment)
    for path in (tmp_path / "cache" / "registered").glob("*.json"):
        path.write_bytes(content)
    assert python.json(SHOW, **environment) == first
    assert python.json(SHOW, **environment)["loaded"] == []


def test_a_restored_plugin_is_imported_for_pluggy_and_brought_once(site, python, tmp_path):
    _add(site, "one")
    site.add("s-second", entry_point="s_one.plugin")
    environment = {"ESSMC_CACHE_DIR": str(tmp_path / "cache")}
    time.sleep(2.1)
    for _ in range(2):
        found = python.json(
            "import essmc_core, json\nfrom essmc_core.models.defaults import DISCOVERY\n"
            "packs = {p.name: p.reason for p in essmc_core.packs()}\n"
            "names = [name for name, _ in DISCOVERY.manager.list_name_plugin()]\n"
            "print(json.dumps([packs, names]))",
            **environment,
        )
        assert found[0]["s-one"] == "" and "s-one has registered already" in found[0]["s-second"]
        assert "s-one:0" in found[1] and "s-second:0" not in found[1]


def test_where_nothing_can_be_written_packs_are_imported(site, python, tmp_path):
    _add(site, "one")
    (tmp_path / "file").write_text("")
    time.sleep(2.1)
    for _ in range(2):
        assert python.json(SHOW, ESSMC_CACHE_DIR=str(tmp_path / "file" / "cache"))["loaded"] == ["s_one.plugin"]


def test_a_retry_imports_every_pack_again(site, python, tmp_path):
    _add(site, "one")
    environment = {"ESSMC_CACHE_DIR": str(tmp_path / "cache")}
    time.sleep(2.1)
    python.json(SHOW, **environment)
    assert list((tmp_path / "cache" / "registered").glob("*.json"))
    packs = json.loads(python.essmc("packs", "--retry", "--json", **environment).stdout)
    assert {pack["name"]: pack["status"] for pack in packs}["s-one"] == "ok"

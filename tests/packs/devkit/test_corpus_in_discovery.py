"""No broken pack of the corpus breaks discovery: listings stay JSON, and state is put back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.packs.devkit.broken_packs import build_sound_pack, corpus, install

ENDING = ("ends-the-process", "crashes", "kills-itself")
"""Their import ends the process."""
LEFT_OUT = (*ENDING, "interrupts", "hangs", "eats-memory", "calls-home", "slow", "starts-a-process", "starts-a-thread")
"""Ctrl-C reaches the user, and an import that never ends is the user's to end; the others take time alone."""
PACKS = {pack.name: pack for pack in corpus("discovery.yaml")}


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sound_pack(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def all_of_them(sound: Path, new_site: Any, python: Any) -> Any:
    """A Python that sees every pack of the corpus that lets a process live."""
    for name, pack in PACKS.items():
        if name not in LEFT_OUT:
            install(pack, sound, new_site(name).folder)
    return python


def listed(python: Any, *command: str) -> tuple[Any, str]:
    done = python.essmc(*command, "--json", ESSMC_CACHE_DIR=str(python.cwd / "cache"))
    return json.loads(done.stdout), done.stderr


@pytest.mark.timeout(600)
def test_listings_stay_json_and_state_is_put_back(all_of_them: Any) -> None:
    packs, told = listed(all_of_them, "packs")
    found = {pack["name"]: pack for pack in packs}
    assert set(PACKS) - set(LEFT_OUT) - {"zoo"} <= set(found)
    assert found["prints"]["status"] == "ok"
    assert "[essmc-prints] hello" in told
    assert "[essmc-prints-below-python] hello from below" in told
    for name, words in CHANGED.items():
        assert any(words in one for one in found[name]["changed"]), (name, found[name])
    # Each is blamed for its own changes alone.
    assert {name for name in found if found[name]["changed"]} - set(CHANGED) <= set(), {
        name: one["changed"] for name, one in found.items() if one["changed"]
    }
    components, _ = listed(all_of_them, "list", "heads")
    assert "MovesHead" in json.dumps(components)
    entries, _ = listed(all_of_them, "models")
    assert "moves_tiny" in json.dumps(entries)


CHANGED: Mapping[str, str] = {
    "moves": "the current directory",
    "sets-variables": "environment variables",
    "handles-signals": "signal handlers",
    "silences-warnings": "warning filters",
    "seeds": "random numbers",
    "extends-the-path": "sys.path",
    "sets-the-locale": "the locale",
    "logs": "logging of the root logger",
    "recurses-deeper": "the recursion limit",
    "collects-no-garbage": "garbage collection",
    "catches-errors": "sys.excepthook",
    "sets-a-timeout": "the timeout of sockets",
    "traces": "the trace function",
    "replaces-print": "builtins.print",
    "adds-a-builtin": "builtins.shout",
    "replaces-a-method": "pathlib.Path.exists",
    "replaces-a-function": "json.dumps",
    "replaces-a-module": "sys.modules['json']",
    "replaces-a-layer": "torch.nn.Linear",
    "sets-the-dtype": "torch's default dtype",
}
"""What `essmc packs` says that each of them changed."""


@pytest.mark.parametrize("name", ENDING)
def test_a_pack_that_ends_the_process_is_left_out_at_the_next_start(
    name: str, sound: Path, new_site: Any, python: Any
) -> None:
    site = new_site(name).folder
    install(PACKS[name], sound, site)
    install(PACKS["prints"], sound, new_site("other").folder)
    cache = {"ESSMC_CACHE_DIR": str(python.cwd / "cache")}
    assert python.essmc("list", "heads", "--json", check=False, **cache).returncode != 0
    heads, _ = listed(python, "list", "heads")
    assert "PrintsHead" in json.dumps(heads)
    packs, _ = listed(python, "packs")
    (pack,) = (one for one in packs if one["name"] == name)
    assert pack["status"] == "quarantined" and "is left out until it changes" in pack["reason"]
    # Mended, it is used again without being asked to.
    plugin = site / f"essmc_{name.replace('-', '_')}" / "plugin.py"
    plugin.write_text(plugin.read_text().partition("\nimport os\n")[0].partition("\nimport ctypes\n")[0])
    packs, _ = listed(python, "packs")
    assert next(one for one in packs if one["name"] == name)["status"] == "ok"

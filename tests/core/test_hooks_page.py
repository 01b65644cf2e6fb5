"""docs/hooks.md names every hook, every method of what hooks receive, and every argument that these take."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from essmc_core.discovery.commands import StagedCommands
from essmc_core.discovery.hooks import PackHooks
from essmc_core.discovery.staging import StagedRegistries, StagedRegistry, StagedZoo
from essmc_core.registry.declared import LIFECYCLES
from essmc_core.registry.kinds import BUILT_IN, annotation_alias

PAGE = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text(encoding="utf-8")
OURS = {"commit", "components", "kinds", "entries", "commands"}
"""Methods of the same objects that discovery calls, not packs."""


def offered(received: type) -> list[tuple[str, str]]:
    return [
        (name, argument)
        for name, method in inspect.getmembers(received, inspect.isfunction)
        if not name.startswith("_") and name not in OURS
        for argument in list(inspect.signature(method).parameters)[1:]
    ]


def test_every_hook_is_there():
    hooks = [name for name in vars(PackHooks) if not name.startswith("_")]
    assert [name for name in hooks if f"| `{name}` |" not in PAGE] == []
    assert len(hooks) >= 3


@pytest.mark.parametrize("received", [StagedRegistries, StagedZoo, StagedCommands])
def test_every_method_is_shown_with_its_arguments(received):
    for method, argument in offered(received):
        shown = re.findall(rf"\b{method}\(([^)]*)\)", PAGE)
        assert any(re.search(rf"\b{argument}\b", arguments) for arguments in shown), f"{method}({argument})"


def test_every_argument_of_register_has_a_row():
    rows = re.findall(r"^\| `(\w+)=?` \| ", PAGE, re.MULTILINE)
    arguments = [argument for method, argument in offered(StagedRegistry) if method == "register"]
    assert [argument for argument in arguments if argument not in rows] == []
    assert all(f"`{word}`" in PAGE for word in LIFECYCLES)


def test_every_kind_is_there_with_its_annotation():
    import essmc_core

    (section,) = re.findall(r"\n## Components\n(.*?)\nWhat `register` takes", PAGE, re.DOTALL)
    named = re.findall(r"`(\w+)`", section)
    assert [kind for kind in BUILT_IN if kind not in named] == []
    aliases = [alias for alias in map(annotation_alias, BUILT_IN.values()) if hasattr(essmc_core, alias)]
    assert [alias for alias in aliases if alias not in named] == []

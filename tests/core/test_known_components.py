"""The list of what our packs bring, which names the pack to install, agrees with what they register.

``ESSMC_WRITE_KNOWN=1 pytest tests/core/test_known_components.py`` writes it anew.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch

import essmc_core
from essmc_core.discovery import missing
from essmc_core.models.defaults import DISCOVERY

LIST = Path(missing.__file__).with_name("known_components.json")
PLUGINS = Path(__file__).parents[2] / "plugins"


def _ours() -> dict[str, str]:
    folders = {folder.name for folder in PLUGINS.iterdir() if folder.is_dir()}
    return {pack.name: pack.distribution for pack in essmc_core.packs() if pack.distribution in folders}


class _Recorder:
    def __init__(self) -> None:
        self.names: list[str] = []

    def add_lazy(self, name: str, target: str, *, help: str) -> None:
        self.names.append(name)


def _registered() -> dict[str, dict[str, str]]:
    ours = _ours()
    known: dict[str, dict[str, str]] = {}
    for registry in essmc_core.REGISTRIES:
        for record in registry.table:
            if record.pack in ours:
                name = record.name if record.bare else f"{record.pack}/*"
                known.setdefault(registry.kind, {})[name] = ours[record.pack]
    for entry in essmc_core.ZOO.table:
        if entry.pack in ours:
            known.setdefault("zoo", {})[entry.name] = ours[entry.pack]
    for pack in essmc_core.packs():
        if pack.name in ours:
            recorder = _Recorder()
            manager = DISCOVERY.manager
            others = [plugin for name, plugin in manager.list_name_plugin() if name != f"{pack.distribution}:0"]
            manager.subset_hook_caller("register_commands", others)(cli=recorder)
            known.setdefault("commands", {}).update(dict.fromkeys(recorder.names, pack.distribution))
    return {kind: dict(sorted(names.items())) for kind, names in sorted(known.items())}


def test_every_pack_of_this_repository_is_installed():
    assert {folder.name for folder in PLUGINS.iterdir() if folder.is_dir()} == set(_ours().values())


@pytest.mark.skipif(
    not hasattr(torch.optim, "Muon"), reason="torch has fewer optimizers than the list was written with"
)
def test_list_agrees_with_what_the_packs_register():
    if os.environ.get("ESSMC_WRITE_KNOWN") == "1":
        LIST.write_text(json.dumps(_registered(), indent=1) + "\n", encoding="utf-8")
    assert json.loads(LIST.read_text(encoding="utf-8")) == _registered()

"""The index that comes with the core, by which packs are found that are not installed, agrees with our packs.

``essmc index ./plugins/* -o essmc_core/index/shipped.json`` writes it anew, and so does
``ESSMC_WRITE_KNOWN=1 pytest tests/core/test_known_components.py``, from what is installed.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

import essmc_core
from essmc_core.index import reading
from essmc_core.index.schema import VERSION, Index, PackFacts
from essmc_core.installation.indexing import describe_one
from essmc_core.models.defaults import DISCOVERY

SHIPPED = Path(reading.__file__).with_name("shipped.json")
PLUGINS = Path(__file__).parents[2] / "plugins"
FOLDERS = sorted(folder.name for folder in PLUGINS.iterdir() if folder.is_dir())


@pytest.fixture(scope="module")
def described() -> dict[str, PackFacts]:
    """Our packs, as they are installed."""
    found = {name: describe_one(name, DISCOVERY) for name in FOLDERS}
    if os.environ.get("ESSMC_WRITE_KNOWN") == "1":
        SHIPPED.write_text(Index(version=VERSION, packs=tuple(found.values())).to_text(), encoding="utf-8")
    return found


def plain(pack: PackFacts, *, with_libraries: bool) -> dict[str, Any]:
    """Returns the facts of a pack, without the ones that the versions of other libraries decide."""
    found = pack.model_dump(mode="json", exclude_defaults=True)
    if not with_libraries:
        for key in ("described_with", "families", "zoo_families"):
            found.pop(key, None)
        found["components"] = {
            kind: sorted(component["name"] for component in components)
            for kind, components in found.get("components", {}).items()
            if kind not in ("optimizers", "lr_schedulers")
        }
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_the_shipped_index_says_what_each_pack_brings(described, name):
    (shipped,) = [pack for pack in reading.shipped_index().packs if pack.distribution == name]
    same_libraries = shipped.described_with == described[name].described_with
    assert plain(shipped, with_libraries=same_libraries) == plain(described[name], with_libraries=same_libraries)


def test_every_pack_of_this_repository_is_installed_and_shipped():
    assert {pack.distribution for pack in essmc_core.packs()} >= set(FOLDERS)
    assert [pack.distribution for pack in reading.shipped_index().packs] == FOLDERS


def test_the_file_is_as_the_command_writes_it():
    text = SHIPPED.read_text(encoding="utf-8")
    assert reading.read_index(text, "it").to_text() == text
    assert json.loads(text)["version"] == VERSION

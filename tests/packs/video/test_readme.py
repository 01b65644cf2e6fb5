"""The README of essmc-video names all that the pack offers to build a model of."""

from __future__ import annotations

import re
from pathlib import Path

from essmc_core import REGISTRIES

README = Path(__file__).parents[3] / "plugins" / "essmc-video" / "README.md"


def test_readme_names_every_backbone_and_head() -> None:
    named = set(re.findall(r"`(\w+)`", README.read_text(encoding="utf-8")))
    registries = (REGISTRIES["backbones"], REGISTRIES["heads"])
    found = [registry.component(name) for registry in registries for name in registry.names()]
    registered = {component.name for component in found if component.pack == "video"}
    assert len(registered) > 20
    assert registered - named == set()

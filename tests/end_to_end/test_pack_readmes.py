"""Snippets and commands in the READMEs of the packs of networks run as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from essmc_core import MODELS

PLUGINS = Path(__file__).parents[2] / "plugins"
PACKS = ("essmc-classifiers", "essmc-efficientnet-lite", "essmc-timm", "essmc-torchvision", "essmc-video")
GIVEN = "import torch\n\nimages, video = torch.randn(2, 3, 64, 64), torch.randn(2, 3, 8, 64, 64)\n"
"""What readers have at hand."""
DOWNLOADS = "essmc-torchvision"
"""Its weights come by network, which tests do without."""


def blocks(language: str) -> list[pytest.param]:
    found = []
    for pack in PACKS:
        text = (PLUGINS / pack / "README.md").read_text(encoding="utf-8")
        shown = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        if pack == DOWNLOADS:
            shown = [block.replace("pretrained=True", "pretrained=False") for block in shown]
        found += [pytest.param(block, id=f"{pack}-{index}") for index, block in enumerate(shown)]
    return found


@pytest.mark.parametrize("snippet", blocks("python"))
def test_python_snippets_run(snippet: str, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", GIVEN + snippet], check=True, cwd=tmp_path, timeout=300)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_configurations_are_built(text: str) -> None:
    assert MODELS.build(yaml.safe_load(text)).backbone is not None


@pytest.mark.parametrize("block", blocks("bash"))
def test_commands_run(block: str, tmp_path: Path) -> None:
    import PIL.Image
    import skimage.data

    PIL.Image.fromarray(skimage.data.chelsea()).save(tmp_path / "photo.jpg")
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert {command[0] for command in commands} <= {"pip", "essmc"}
    for command in commands:
        if command[0] == "essmc":
            subprocess.run([sys.executable, "-m", "essmc_core", *command[1:]], check=True, cwd=tmp_path, timeout=300)

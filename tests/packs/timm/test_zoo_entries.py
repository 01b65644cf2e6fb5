"""An entry for each of timm's pretrained weights: what timm states, read from its source, and timm's networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset

from essmc_core import build_model
from essmc_core.errors import ConfigError
from essmc_core.foundation.licences import canonical_licence
from essmc_core.inputs import InputSpec
from essmc_core.models.defaults import ZOO
from essmc_core.weights import load_pretrained
from essmc_core.zoo.zoo import ZooEntry
from essmc_timm import scan_weights, zoo_entries
from essmc_timm.index import load_weights

TAGS = timm.list_pretrained()
# Of each kind of classifier that is not one linear layer, a small network; then networks with one, or with none.
WHOLE = (
    "shvit_s1.in1k", "levit_128s.fb_dist_in1k", "deit_tiny_distilled_patch16_224.fb_in1k", "efficientvit_m0.r224_in1k",
    "efficientvim_m1.e300_in1k", "repvit_m0_9.dist_450e_in1k",
)  # fmt: skip
LINEAR = ("resnet18.a1_in1k", "dla34.in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k")
WITHOUT = "convnextv2_atto.fcmae"


def entry_of(tag: str) -> ZooEntry:
    return ZOO.entry(f"timm/{tag}")


def test_every_tag_is_an_entry_that_states_what_timm_states() -> None:
    listed = {entry.name: entry for entry in ZOO.entries("timm/*", pack="timm")}
    assert len(TAGS) > 1500
    assert set(TAGS) <= set(listed)
    for tag in TAGS:
        record: Any = timm.get_pretrained_cfg(tag)
        entry = listed[tag]
        made: Any = zoo_entries.entry(entry.source.row.values)  # type: ignore[attr-defined]
        stated = made["input"]
        assert (3, *stated["size"]) == record.input_size, tag
        assert (tuple(stated["mean"]), tuple(stated["std"])) == (record.mean, record.std), tag
        assert (stated["crop_pct"], stated["interpolation"]) == (min(record.crop_pct, 1), record.interpolation), tag
        assert InputSpec.from_mapping(stated).modality == entry.modality == "image"
        hub = record.hf_hub_id
        assert entry.facts.uri == (f"hf://{hub}/model.safetensors" if hub else record.url), tag
        assert entry.licence.code == "Apache-2.0"
        assert entry.licence.weights == licence_of(record.license), tag
        backbone = made["model"]["backbone"]
        assert backbone["type"] == f"timm/{tag.partition('.')[0]}"
        head = made["model"]["head"]
        assert backbone.get("scores", head.get("num_classes")) == (record.num_classes or 1000), tag
        assert ("labels" in made) == (infer_imagenet_subset(record.to_dict()) is not None), tag
        assert backbone.get("img_size", list(record.input_size[1:])) == list(record.input_size[1:])
        assert ("img_size" in backbone) == record.fixed_input_size


def licence_of(stated: str | None) -> str:
    if stated in (None, "unknown", "other"):
        return "unknown"
    try:
        return canonical_licence(str(stated))
    except ConfigError:
        return f"LicenseRef-{stated}"


def test_places_are_lines_of_timms_source() -> None:
    for tag in ("resnet18.a1_in1k", WITHOUT, "eva02_large_patch14_448.mim_m38m_ft_in22k_in1k"):
        where = entry_of(tag).where
        assert f"'{tag}'" in Path(where.source).read_text(encoding="utf-8").splitlines()[where.line - 1]


def test_class_names_are_timms() -> None:
    subsets = {}
    for tag in TAGS:
        if subset := infer_imagenet_subset(timm.get_pretrained_cfg(tag).to_dict()):  # type: ignore[union-attr]
            subsets.setdefault(subset, tag)
    assert len(subsets) == 6
    for subset, tag in subsets.items():
        info: Any = ImageNetInfo(subset)
        assert entry_of(tag).labels() == [info.index_to_description(index) for index in range(info.num_classes())]


def test_what_is_kept_in_the_cache_is_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path))
    first = load_weights()
    (file,) = (tmp_path / "timm").glob("weights-*.json")
    assert [one.name for one in load_weights()] == [one.name for one in first]
    assert json.loads(json.dumps([one.stated for one in first])) == [one.stated for one in load_weights()]
    file.write_text('{"fingerprint": 3}')
    monkeypatch.setattr(scan_weights, "scan_weights", lambda *_: first[:3])
    assert load_weights() == first[:3]
    assert [scan_weights.spdx(text) for text in ("mit", None, "gemma", "other")] == [
        "MIT",
        "unknown",
        "LicenseRef-gemma",
        "unknown",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("tag", [*WHOLE, *LINEAR])
def test_an_entry_gives_timms_probabilities_with_timms_file(tmp_path: Path, tag: str) -> None:
    torch.manual_seed(0)
    reference = timm.create_model(tag, pretrained=False).eval()
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    model = build_model(f"timm/{tag}").eval()
    layout = {key: value for key, value in entry_of(tag).config.to_dict()["weights"].items() if key != "uri"}
    report = load_pretrained(model, {"uri": str(tmp_path / "model.safetensors"), **layout})
    assert report.complete and not report.unexpected
    inputs = torch.randn(1, *timm.get_pretrained_cfg(tag).input_size)  # type: ignore[union-attr]
    with torch.no_grad():
        torch.testing.assert_close(model(inputs), reference(inputs).softmax(dim=1), rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("tag", [WHOLE[0], WITHOUT])
def test_files_start_a_training_for_other_classes(tmp_path: Path, tag: str) -> None:
    reference = timm.create_model(tag, pretrained=False)
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    source = {**entry_of(tag).config.to_dict()["weights"], "uri": str(tmp_path / "model.safetensors")}
    model = build_model(f"timm/{tag}", num_classes=5, weights=source)
    loaded = model.state_dict()
    body = [key for key in reference.state_dict() if not key.startswith("head.")]
    assert all(torch.equal(loaded[f"backbone.{key}"], reference.state_dict()[key]) for key in body)
    size = timm.get_pretrained_cfg(tag).input_size  # type: ignore[union-attr]
    outputs = model(torch.randn(2, *size), torch.tensor([0, 4]))
    outputs["loss"].backward()
    assert outputs["batch_size"] == 2


def test_listing_imports_no_timm_and_a_torch_neither(python: Any) -> None:
    code = (
        "import json, sys, essmc_core as e\n"
        "names = e.list_models('timm/resnet18.*', modality='image', commercial=True)\n"
        "print(json.dumps([names, [m for m in ('torch', 'timm', 'packaging', 'yaml') if m in sys.modules]]))"
    )
    names, heavy = python.json(code)
    assert "timm/resnet18.a1_in1k" in names
    assert "timm/resnet18.fb_ssl_yfcc100m_ft_in1k" not in names, "its weights are CC-BY-NC-4.0"
    assert not {"torch", "timm"} & set(heavy)
    shown = python.essmc("show", "timm/resnet18.a1_in1k", "--yaml").stdout
    assert "uri: hf://timm/resnet18.a1_in1k/model.safetensors" in shown
    assert python.essmc("validate", "timm/resnet18.a1_in1k").stdout.startswith("timm/resnet18.a1_in1k is valid")

"""torchvision's zoo entries: facts as torchvision states them, weights that load through key maps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision import models

from essmc_core import build_model
from essmc_core.errors import ConfigError, WeightsHashMismatch
from essmc_core.models.cost import measure_cost
from essmc_core.models.defaults import ZOO
from essmc_core.weights import WeightsSource, load_pretrained
from essmc_torchvision.backbone import torchvision_backbone
from essmc_torchvision.generate_entries import IMAGE_MODELS, entry_name
from essmc_torchvision.key_maps import export_state_dict
from tests.samples.written_entries import written_entries

BY_PIP = {"mobilenet_v2_pip_in1k"}
"""Weights of torchvision's from elsewhere; `test_weights_by_pip.py` is about them."""
ENTRIES = [name for name in written_entries(pack="torchvision") if name not in BY_PIP]
CLIPS = models.list_models(module=models.video)
RECORDS = {
    entry_name(name, weights): weights
    for name in [*IMAGE_MODELS, *CLIPS]
    for weights in models.get_model_weights(name)
    if weights.meta["categories"]
}


def test_every_video_model_has_an_entry_for_each_of_its_weights() -> None:
    assert set(ENTRIES) == set(RECORDS)
    stated = {name for name, weights in RECORDS.items() if any(weights in models.get_model_weights(c) for c in CLIPS)}
    assert stated == set(written_entries(pack="torchvision", modality="video"))


@pytest.mark.parametrize("name", ENTRIES)
def test_entries_state_torchvisions_parameters_accuracies_and_classes(name: str) -> None:
    entry, meta = ZOO.entry(name), RECORDS[name].meta
    # torchvision counts the auxiliary classifiers of training, too; they are no part of the model.
    if not name.startswith(("googlenet", "inception_v3")):
        assert entry.params == meta["num_params"]
    assert {result["metric"]: result["value"] for result in entry.config["results"]} == next(
        iter(meta["_metrics"].values())
    )
    assert entry.labels() == meta["categories"]
    assert entry.section("weights")["uri"] == RECORDS[name].url


@pytest.mark.slow
@pytest.mark.parametrize("name", written_entries(pack="torchvision", modality="video"))
def test_video_macs_are_torchvisions_to_three_decimals(name: str) -> None:
    record, model_name = RECORDS[name], ZOO.entry(name).config["model"]["backbone"]["type"].partition("/")[2]
    size = record.transforms().crop_size
    classes = len(record.meta["categories"])

    def whole() -> torch.nn.Module:
        backbone: Any = torchvision_backbone(model_name)
        return torch.nn.Sequential(backbone, torch.nn.Linear(backbone.num_features, classes))

    cost = measure_cost(whole, (3, 16, *size))
    assert cost.params == record.meta["num_params"]
    assert round(cost.gmacs, 3) == pytest.approx(record.meta["_ops"], abs=0.0011)


def torchvision_file(folder: Path, name: str, **arguments: Any) -> tuple[Path, torch.nn.Module]:
    """Writes the checkpoint of a random torchvision model, named by its digest as torchvision does."""
    model = models.get_model(name, weights=None, **arguments).eval()
    path = folder / "weights.pth"
    torch.save(model.state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(folder / f"{name}-{digest[:8]}.pth"), model


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "original", "shape"),
    [
        ("resnet18_tv_in1k", "resnet18", (1, 3, 64, 64)),
        ("mobilenet_v3_small_tv_in1k", "mobilenet_v3_small", (1, 3, 64, 64)),
        ("mc3_18_tv_k400", "mc3_18", (1, 3, 4, 32, 32)),
        ("s3d_tv_k400", "s3d", (1, 3, 14, 224, 224)),
    ],
)
def test_a_torchvision_file_gives_torchvisions_probabilities(
    tmp_path: Path, name: str, original: str, shape: tuple[int, ...]
) -> None:
    path, reference = torchvision_file(tmp_path, original)
    key_map = ZOO.entry(name).section("weights")["key_map"]
    source = {"uri": str(path), "sha256_prefix": path.stem[-8:], "key_map": [list(pair) for pair in key_map]}
    model = build_model(name).eval()
    report = load_pretrained(model, source)
    assert report.complete and not report.unexpected
    inputs = torch.randn(shape)
    with torch.no_grad():
        torch.testing.assert_close(model(inputs), reference(inputs).softmax(dim=1), rtol=1e-4, atol=1e-6)
    head = "head.out" if len(shape) == 5 else "head.fc"
    exported = export_state_dict(model.state_dict(), original, head)
    for key, tensor in reference.state_dict().items():
        assert torch.equal(exported[key], tensor), key


def test_a_file_whose_digest_begins_otherwise_is_refused(tmp_path: Path) -> None:
    path, _ = torchvision_file(tmp_path, "squeezenet1_1")
    with pytest.raises(WeightsHashMismatch, match="00000000"):
        load_pretrained(torch.nn.Linear(1, 1), {"uri": str(path), "sha256_prefix": "00000000"})


@pytest.mark.parametrize("prefix", ["abc", "xyzxyzxy", "0" * 65])
def test_a_digest_prefix_that_is_none_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match="sha256_prefix"):
        WeightsSource.parse({"uri": "file.pth", "sha256_prefix": prefix})

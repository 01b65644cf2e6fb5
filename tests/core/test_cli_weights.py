"""Weights that cannot be used end, at the command line, in one clear message and exit status 2; nothing is run."""

from __future__ import annotations

import os
import pickle

import pytest
import torch

import essmc_core
from essmc_core.discovery.missing import explain_missing, explain_no_match
from essmc_core.models.defaults import DISCOVERY

MODEL = {
    "model": {
        "type": "VideoClassifier",
        "backbone": {"type": "ResNetR2D3D", "depth": 10, "num_filters": [8, 8, 8, 8, 8]},
        "neck": "GlobalAveragePooling",
        "head": {"type": "VideoClassifierHead", "num_classes": 4},
    }
}


class _Payload:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "good.pth"
    torch.save(essmc_core.build_model(MODEL).state_dict(), path)
    return path


def _write(kind: str, folder, good) -> dict[str, object]:
    path = folder / "weights.pth"
    spec: dict[str, object] = {"uri": str(path)}
    if kind == "truncated":
        path.write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "wrong hash":
        path.write_bytes(good.read_bytes())
        spec["sha256"] = "0" * 64
    elif kind == "wrong architecture":
        other = {**MODEL["model"], "backbone": {"type": "ResNetR2D3D", "depth": 18, "num_filters": [8, 8, 16, 24, 40]}}
        torch.save(essmc_core.build_model(other).state_dict(), path)
    elif kind == "malicious":
        with open(path, "wb") as file:
            pickle.dump(_Payload(str(folder / "ran")), file)
    elif kind == "absent package":
        spec["uri"] = "pkg://no-such-distribution-here/weights.pth"
    return spec


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", "weights.pth"),
        ("empty", "weights.pth"),
        ("truncated", "weights.pth"),
        ("wrong hash", "0" * 64),
        ("wrong architecture", "shape"),
        ("malicious", "posix.system"),
        ("absent package", "pip install no-such-distribution-here"),
    ],
)
def test_bad_weights(kind, message, good, python, tmp_path):
    from essmc_core.config import Config

    weights = _write(kind, tmp_path, good)
    (tmp_path / "model.yaml").write_text(Config.from_mapping({**MODEL, "weights": weights}).dump())
    done = python.essmc("build", str(tmp_path / "model.yaml"), "--pretrained", check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("Error: ") and message in done.stderr
    assert "Traceback" not in done.stderr and done.stdout == ""
    assert not (tmp_path / "ran").exists()


def test_good_weights_are_loaded_and_reported(good, python, tmp_path):
    from essmc_core.config import Config

    (tmp_path / "model.yaml").write_text(Config.from_mapping(MODEL).dump())
    shown = python.essmc("build", str(tmp_path / "model.yaml"), "--checkpoint", str(good)).stdout
    assert f"weights     {good} (coverage 100.0%)" in shown


@pytest.mark.parametrize(
    ("kind", "name", "distribution"),
    [
        ("backbones", "ResNet3D", "essmc-video"),
        ("backbones", "video/ResNet3D", "essmc-video"),
        ("backbones", "timm/some_model_of_tomorrow", "essmc-timm"),
        ("models", "VideoClassifier", "essmc-classifiers"),
        ("zoo", "tf_efficientnet_lite0_in1k", "essmc-efficientnet-lite"),
        ("commands", "demo", "essmc-demo"),
    ],
)
def test_a_pack_that_is_not_installed_is_named(kind, name, distribution):
    assert explain_missing(kind, name, []) == f"{distribution} brings it: pip install {distribution}"
    assert explain_missing(kind, "nobody_brings_this", []) == ""


@pytest.mark.parametrize(
    ("kind", "pattern", "distribution"),
    [
        ("backbones", "ResNet3D*", "essmc-video"),
        ("backbones", "timm/vit*", "essmc-timm"),
        ("zoo", "tf_efficientnet_lite*", "essmc-efficientnet-lite"),
        ("backbones", "ResNet3D_TAdb*", ""),
    ],
)
def test_packs_whose_names_would_match_are_named(kind, pattern, distribution):
    told = explain_no_match(kind, pattern, [])
    assert told == (f"{distribution} would: pip install {distribution}" if distribution else "")
    assert explain_no_match(kind, pattern, DISCOVERY.packs.values()) == "", "they are installed"

"""Weights by the names of another project: there and back bit by bit, and nothing is written that it cannot hold."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import Tensor

import essmc_core
from essmc_core.cli.convert import convert as command
from essmc_core.errors import ConfigError, WeightsMismatch
from essmc_core.models.converting import _write
from essmc_core.weights import load_pretrained
from essmc_core.weights.described_file import NotWritten

LINEAR = {"type": "VideoClassifierHead", "num_classes": 5}
WINDOWS = {"type": "WindowPoolHead", "num_classes": 5}
NARROW = {"stem_width": 8, "stage_widths": [16, 16, 32, 32]}
CLASSIFIERS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    # By what only that project's names have, the backbone, and the head.
    ("pytorchvideo", "blocks.5.proj.weight", {"type": "SlowOnly", **NARROW}, WINDOWS),
    ("pytorchvideo", "blocks.6.proj.weight", {"type": "C2D", **NARROW}, WINDOWS),
    ("pytorchvideo", "blocks.1.res_blocks.0.branch2.conv_b.conv_t.weight", {"type": "R2Plus1DBottleneck", **NARROW},
     {**WINDOWS, "average": "probabilities"}),
    ("pytorchvideo", "blocks.0.multipathway_blocks.1.conv.weight",
     {"type": "SlowFast", "stem_width": 16, "stage_widths": [32, 32, 64, 64]},
     {"type": "SlowFastHead", "num_classes": 5}),
    ("pytorchvideo", "blocks.0.conv.conv_xy.weight", {"type": "X3D", "depth_factor": 1.0, "width_factor": 1.0},
     {"type": "X3DHead", "num_classes": 5, "dim_hidden": 32}),
    ("pytorchvideo", "cls_positional_encoding.cls_token",
     {"type": "MViT", "depth": 2, "patch_embed_dim": 32, "spatial_size": 32, "temporal_size": 4,
      "pool_kv_stride_adaptive": [1, 2, 2], "pool_kvq_kernel": [3, 3, 3]}, LINEAR),
    ("PySlowFast", "s1.pathway0_stem.conv.weight", {"type": "SlowOnly", **NARROW}, WINDOWS),
    ("PySlowFast", "s1.pathway1_stem.conv.weight",
     {"type": "SlowFast", "stem_width": 16, "stage_widths": [32, 32, 64, 64]},
     {"type": "SlowFastHead", "num_classes": 5}),
    ("PySlowFast", "s1.pathway0_stem.conv_xy.weight",
     {"type": "X3D", "depth_factor": 1.0, "width_factor": 1.0, "shortcut_norm": "always"},
     {"type": "X3DHead", "num_classes": 5, "dim_hidden": 32}),
]  # fmt: skip


def state_of(backbone: dict[str, Any], head: dict[str, Any]) -> dict[str, Tensor]:
    """Returns the weights of a classifier, in float16 where they are floats, so that a cast would be seen."""
    torch.manual_seed(0)
    made = essmc_core.MODELS.build({"type": "VideoClassifier", "backbone": backbone, "head": head, "neck": "Identity"})
    return {key: value.half() if value.is_floating_point() else value for key, value in made.state_dict().items()}


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        assert found[key].dtype == value.dtype and torch.equal(found[key], value), key


@pytest.mark.slow
@pytest.mark.parametrize(("project", "theirs", "backbone", "head"), CLASSIFIERS)
def test_there_and_back_every_bit_is_the_same(
    project: str, theirs: str, backbone: dict[str, Any], head: dict[str, Any], tmp_path: Path
) -> None:
    state = state_of(backbone, head)
    torch.save({"epoch": 3, "model_state": state}, tmp_path / "ours.pth")
    done = essmc_core.convert(tmp_path / "ours.pth", tmp_path / "theirs.pyth", to=project)
    written = torch.load(tmp_path / "theirs.pyth", weights_only=True)
    assert theirs in written and not any(key.startswith("backbone.") for key in written)
    assert done.written_as == project and done.tensors == len(written) == len(state)
    back = essmc_core.convert(tmp_path / "theirs.pyth", tmp_path / "back.safetensors", to="essmc")
    assert back.read_as == project
    assert_same(load_file(tmp_path / "back.safetensors"), state)


@pytest.mark.parametrize(
    ("library", "name", "video"),
    [("torchvision", "resnet18", False), ("timm", "vit_tiny_patch16_224", False), ("torchvision", "mc3_18", True)],
)
def test_what_is_written_for_a_library_is_its_own_networks(
    library: str, name: str, video: bool, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    if library == "timm":
        theirs = timm.create_model(name, num_classes=3)
    else:
        theirs = torchvision.models.get_model(name, num_classes=3)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    essmc_core.convert(tmp_path / "theirs.pth", tmp_path / "ours.safetensors", to="essmc")
    model, last = ("VideoClassifier", "VideoClassifierHead") if video else ("Classifier", "ClassifierHead")
    config = {"type": model, "backbone": {"type": f"{library}/{name}"}, "head": {"type": last, "num_classes": 3}}
    if video:
        config["neck"] = "GlobalAveragePooling"
    ours = essmc_core.build_model(config).eval()
    assert load_pretrained(ours, tmp_path / "ours.safetensors").fits_whole
    inputs = torch.randn(1, 3, *((4, 32, 32) if video else (224, 224)))
    with torch.no_grad():
        torch.testing.assert_close(ours.raw_scores(inputs), theirs.eval()(inputs), rtol=0, atol=1e-6)
    torch.save(ours.state_dict(), tmp_path / "trained.pth")
    essmc_core.convert(tmp_path / "trained.pth", tmp_path / "again.safetensors", to=library)
    assert_same(load_file(tmp_path / "again.safetensors"), dict(theirs.state_dict()))


def test_what_another_project_cannot_hold_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    csn = {"type": "ResNet3D_CSN", "depth": 26, "num_filters": [8, 16, 16, 32, 32]}
    torch.save(state_of(csn, LINEAR), tmp_path / "ours.pth")
    (tmp_path / "theirs.pth").write_bytes(b"what was there")
    with pytest.raises(WeightsMismatch, match="PySlowFast has no network with these names"):
        essmc_core.convert(tmp_path / "ours.pth", tmp_path / "theirs.pth", to="PySlowFast")
    torch.save(state_of({"type": "S3DG"}, LINEAR), tmp_path / "ours.pth")
    with pytest.raises(WeightsMismatch, match=r"timm has no name for backbone\.block1\.0\.conv1\.weight"):
        essmc_core.convert(tmp_path / "ours.pth", tmp_path / "theirs.pth", to="timm")
    torch.save({"a.weight": torch.zeros(2)}, tmp_path / "ours.pth")
    with pytest.raises(WeightsMismatch, match="no network that is known") as caught:
        essmc_core.convert(tmp_path / "ours.pth", tmp_path / "theirs.pth", to="essmc")
    assert "essmc inspect" in str(caught.value.hint)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours.pth", "theirs.pth"]
    assert (tmp_path / "theirs.pth").read_bytes() == b"what was there"


def test_targets_that_cannot_be_written_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\.h5 ends in none of \.safetensors"):
        essmc_core.convert("missing.pth", tmp_path / "w.h5", to="essmc")
    with pytest.raises(NotWritten, match="no directory"):
        essmc_core.convert("missing.pth", tmp_path / "none" / "w.pth", to="essmc")
    with pytest.raises(ConfigError, match="by the names of 'pytorchvide'") as caught:
        essmc_core.convert("missing.pth", tmp_path / "w.pth", to="pytorchvide")
    assert "pytorchvideo" in str(caught.value.hint)


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), tmp_path / "w.pth")
    words = [str(tmp_path / "w.pth"), str(tmp_path / "ours.pth"), "--to", "essmc"]
    shown = CliRunner().invoke(command, words, standalone_mode=False, catch_exceptions=False).output
    assert "ours.pth: 122 tensors, from the names of torchvision to those of essmc" in shown.replace(
        "timm", "torchvision"
    )
    told = CliRunner().invoke(command, [*words, "--json"], standalone_mode=False, catch_exceptions=False).output
    assert json.loads(told)["tensors"] == 122


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_full_disk_is_one_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("torch.save", full)
    monkeypatch.setattr("safetensors.torch.save_file", full)
    target = tmp_path / f"there{suffix}"
    with pytest.raises(NotWritten, match=f"there{suffix} cannot be written: No space left"):
        _write(target, {"weight": torch.zeros(2)})
    assert list(tmp_path.iterdir()) == []

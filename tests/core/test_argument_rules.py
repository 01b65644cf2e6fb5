"""Rules that several arguments share: `essmc validate` and building refuse the same, in the same words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from essmc_core.building.build import mistakes_of
from essmc_core.config import Config, load_config
from essmc_core.errors import ConfigError
from essmc_core.models.defaults import REGISTRIES
from essmc_core.registry.reading import read_signature

SMALL_MVIT = {"type": "MViT", "depth": 2, "spatial_size": 32, "temporal_size": 4}
LIFT = {"type": "Lift2D", "backbone": {"type": "timm/resnet18"}}
VIVIT = {"type": "ViVit", "depth": 1, "num_features": 24, "num_frames": 4, "image_size": 32}
HEAD = {"dim": 8, "num_classes": 3}
BACKBONES: list[tuple[dict[str, Any], str, str]] = [
    (LIFT | {"shift_div": 1}, "shift_div", "shift_div is 2 or more"),
    (LIFT | {"route_kernels": [3]}, "route_kernels", "a calibration has two"),
    (LIFT | {"mode": "inflate", "temporal_kernel": 2}, "temporal_kernel", "kernels over time are odd"),
    (LIFT | {"num_frames": 0}, "num_frames", "at least one frame"),
    (LIFT | {"route_ratio": 0}, "route_ratio", "route_ratio is 1 or more"),
    (SMALL_MVIT | {"num_heads": 5}, "num_heads", "5 heads cannot share 96 features"),
    (SMALL_MVIT | {"embed_dim_mul": [[7, 2.0]]}, "embed_dim_mul", "embed_dim_mul has an entry for block 7"),
    (SMALL_MVIT | {"pool_q_stride_size": [[1, 2, 2]]}, "pool_q_stride_size", "entries of the form"),
    (SMALL_MVIT | {"pool_q_stride_size": [[1, 1, 0, 2]]}, "pool_q_stride_size", "must be above 0"),
    (
        SMALL_MVIT | {"pool_kv_stride_adaptive": [1, 2, 2], "pool_kv_stride_size": [[0, 1, 2, 2]]},
        "", "are both given",
    ),
    (SMALL_MVIT | {"use_2d_patch": True}, "", "images have one frame"),
    (SMALL_MVIT | {"spatial_size": [32]}, "spatial_size", "neither one number nor height and width"),
    (SMALL_MVIT | {"spatial_size": 1}, "", "expected at least 2 frames"),
    (SMALL_MVIT | {"conv_patch_embed_stride": [4, 4]}, "conv_patch_embed_stride", "has 3 numbers for clips"),
    (VIVIT | {"branch_cfg": {"num_heads": 5}}, "", "5 heads cannot share 24 features"),
    (VIVIT | {"num_features": 32}, "num_features", "12 heads cannot share 32 features"),
    (VIVIT | {"image_size": 40}, "", "cannot be cut into 2×16×16 patches"),
    (VIVIT | {"num_frames": 5}, "", "cannot be cut into 2×16×16 patches"),
    (VIVIT | {"tubelet_size": 3}, "", "cannot be cut into 3×16×16 patches"),
    (VIVIT | {"type": "Timesformer", "class_token": False}, "class_token", "works with a class token"),
    (
        VIVIT | {"type": "ViVit_Fac_Dot", "branch_cfg": {"num_heads": 3}}, "", "3 heads cannot be halved",
    ),
    (VIVIT | {"type": "ViVit_Fac_Enc", "branch_name": "TimesformerLayer"}, "branch_name", "looks along time"),
    (VIVIT | {"depth": 0}, "depth", "depth must be at least 1, got 0"),
    ({"type": "TAdaFormer", "input_size": 225}, "input_size", "multiple of the patch size 16, got 225"),
    ({"type": "TAdaFormer", "heads": 7}, "heads", "7 heads do not divide a width of 768"),
    ({"type": "TAdaFormer", "head_dim": 100}, "head_dim", "no multiple of head_dim=100"),
    ({"type": "TAdaFormer", "tubelet_size": 2}, "tubelet_size", "kernels over time are odd"),
    ({"type": "TAdaConvNeXtV2", "depths": [1, 1, 1]}, "depths", "has four stages"),
    ({"type": "TAdaConvNeXtV2", "head_dim": 50}, "head_dim", "no multiple of head_dim=50"),
    ({"type": "TAdaConvNeXtV2", "route_kernels": [2, 3]}, "route_kernels", "kernels over time are odd"),
    ({"type": "SlowFast", "depth": 18}, "depth", "no bottleneck network of depth 18"),
    ({"type": "SlowFast", "beta": 7}, "beta", "1/7 of the channels"),
    ({"type": "SlowFast", "alpha": 0}, "alpha", "alpha must be at least 1, got 0"),
    ({"type": "SlowFast", "fusion_kernel_size": 4}, "fusion_kernel_size", "fusion_kernel_size is odd"),
    ({"type": "SlowFast", "slow_temporal_kernels": [[1], [3]]}, "slow_temporal_kernels", "has 2 entries"),
    ({"type": "SlowOnly", "depth": 18}, "depth", "no bottleneck network of depth 18"),
    ({"type": "I3D", "temporal_kernels": [[1], [2], [3], [3]]}, "temporal_kernels", "odd lengths"),
    ({"type": "C2D", "spatial_strides": [1, 3, 2, 2]}, "spatial_strides", "cannot stride by 1 in time and 3"),
    ({"type": "X3D", "spatial_strides": [1, 2]}, "spatial_strides", "spatial_strides has 2 entries"),
    ({"type": "X3D", "stem_kernel_size": [3, 3]}, "stem_kernel_size", "is \\(time, height, width\\)"),
    ({"type": "ResNet3D_TAda", "depth": 11}, "depth", "no ResNet3D_TAda of depth 11"),
    ({"type": "ResNet3D_TAda", "depth": 50, "expansion_ratio": 2000}, "expansion_ratio", "has no channels"),
    (
        {"type": "ResNet3D_TAda", "depth": 50, "downsampling_temporal": [False, False, False, True, True]},
        "downsampling_temporal", "cannot downsample time",
    ),
    (
        {"type": "ResNet2Plus1d", "kernel_size": [[3, 7, 7], [2, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]},
        "kernel_size", "kernels of residual branches are odd",
    ),
    ({"type": "ResNetR2D3D", "non_local": [True, False, False, False, False]}, "non_local", "the stem cannot end"),
]  # fmt: skip
HEADS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "SlowFastHead", "pool_kernel_sizes": [[1, 2, 2]]} | HEAD, "pool_kernel_sizes", "has 1 entries"),
    ({"type": "X3DHead", "pool_kernel_size": [2, 2]} | HEAD, "pool_kernel_size", "is \\(time, height, width\\)"),
    ({"type": "WindowPoolHead", "pool_kernel_size": [2]} | HEAD, "pool_kernel_size", "is \\(time, height, width\\)"),
]
TRANSFORMS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "LoadVideoFromFile", "num_frames": 8}, "", "Interval sampling needs clip_duration"),
    (
        {"type": "LoadVideoFromFile", "num_frames": 8, "sample_type": "segment", "decoder": "ffmpeg"},
        "decoder",
        "There is no decoder 'ffmpeg'",
    ),
    ({"type": "MoSIGenerator", "crop_size": 8, "num_frames": 4, "num_speeds": 4}, "num_speeds", "must be odd"),
    ({"type": "ColorJitterVideo", "brightness": -0.1}, "brightness", "brightness=-0.1 is negative"),
    ({"type": "ColorJitterVideo", "hue": [-0.6, 0.1]}, "hue", "no range within"),
    ({"type": "RandomResizedCrop", "size": 8, "scale": [0.5, 0.2]}, "scale", "must be a range above 0"),
    ({"type": "RandomResizedCropVideo", "size": 8, "ratio": [0, 1]}, "ratio", "must be a range above 0"),
    ({"type": "AutoResizedCropVideo", "size": 8, "scale": [1, 0.5]}, "scale", "must be a range above 0"),
    ({"type": "FromInput", "flip": 2}, "flip", "flip=2 is no probability"),
    ({"type": "TorchvisionTransform", "name": "RandAugmented"}, "name", "no transform 'RandAugmented'"),
]
DATASETS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "MovingImages", "channels": 2}, "channels", "channels is 1 or 3"),
    ({"type": "MovingImages", "speeds": [1, 1]}, "speeds", "distinct speeds"),
    ({"type": "VideoFolder", "data_root_dir": "x", "on_error": "replace"}, "on_error", "in evaluation"),
    ({"type": "ImageFolder", "root_dir": "x", "on_error": "replace"}, "on_error", "in evaluation"),
    ({"type": "VideoFolder", "data_root_dir": "x", "spatial_crops": 8}, "spatial_crops", "are not possible"),
    ({"type": "WebDataset", "urls": "x.tar", "on_error": "replace"}, "on_error", "nothing to replace"),
]
CASES = [("backbones", *case) for case in BACKBONES] + [("heads", *case) for case in HEADS]
CASES += [("transforms", *case) for case in TRANSFORMS] + [("datasets", *case) for case in DATASETS]
SAID_BY_CONSTRUCTORS = [case for case in CASES if "must be at least" not in case[3]]
"""Without what annotations alone say: constructors take what torch takes."""


@pytest.mark.parametrize(("kind", "written", "place", "message"), CASES, ids=lambda value: _name(value))
def test_validate_and_building_refuse_the_same(
    tmp_path: Path, kind: str, written: Mapping[str, Any], place: str, message: str
) -> None:
    path = tmp_path / "component.yaml"
    path.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in written.items()))
    issues = mistakes_of(kind, load_config(path), REGISTRIES, read_signature)
    assert [issue.path for issue in issues] == [place or "(top)"]
    line = 1 + next((n for n, text in enumerate(path.read_text().splitlines()) if text.startswith(f"{place}:")), 0)
    assert issues[0].where is not None
    assert (issues[0].where.source, issues[0].where.line) == (str(path), line)
    with pytest.raises(ConfigError, match=message) as built:
        REGISTRIES[kind].build(written)
    assert issues[0].message in str(built.value)


@pytest.mark.parametrize(("kind", "written", "place", "message"), SAID_BY_CONSTRUCTORS, ids=lambda value: _name(value))
def test_constructors_say_it_in_the_same_words(kind: str, written: Mapping[str, Any], place: str, message: str) -> None:
    arguments = {name: value for name, value in written.items() if name != "type"}
    with pytest.raises(ConfigError, match=message):
        REGISTRIES[kind][str(written["type"])](**arguments)


def _name(value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return "" if isinstance(value, str) else None
    return f"{value['type']}-{list(value)[-1]}"


def test_arguments_of_torchvision_are_read_from_its_source() -> None:
    written = {"type": "TorchvisionTransform", "name": "GaussianBlur", "arguments": {"sigm": 1}}
    issues = mistakes_of("transforms", Config.from_mapping(written), REGISTRIES, read_signature)
    assert [(issue.path, issue.message, issue.hint) for issue in issues] == [
        ("arguments.sigm", "torchvision's GaussianBlur has no argument 'sigm'", "did you mean 'sigma'?"),
        ("arguments", "torchvision's GaussianBlur needs the argument 'kernel_size'", ""),
    ]


@pytest.mark.parametrize("wrong", [{"shuffle": True}, {"num_folds": 2}], ids=str)
def test_a_loader_does_not_shuffle_a_stream(wrong: Mapping[str, Any]) -> None:
    stream = {"type": "DataLoader", "dataset": {"type": "WebDataset", "urls": "x.tar"}}
    issues = mistakes_of("loaders", Config.from_mapping({**stream, **wrong}), REGISTRIES, read_signature)
    assert [(issue.path, issue.message) for issue in issues] == [
        (next(iter(wrong)), "A dataset of shards shuffles by itself.")
    ]
    assert not mistakes_of("loaders", Config.from_mapping(stream), REGISTRIES, read_signature)

"""What is said where a written pipeline and `input` differ: one line for each difference, none where they agree."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from essmc_core.zoo.checks.pipeline_notes import pipeline_notes

HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
PICTURE = {"modality": "image", "size": 224, "crop_pct": 0.875, "interpolation": "bicubic", **HALF}
CLIP = {"modality": "video", "size": 112, "crop_pct": 0.875, "frames": 8, "stride": 8, "fps": 30, **HALF}


def notes(pipeline: Any, given: dict[str, Any], part: str = "eval", **dataset: Any) -> list[str]:
    found = pipeline_notes({part: {"dataset": {"type": "X", "pipeline": pipeline, **dataset}}}, given)
    prefix = f"data.{part}.dataset.pipeline: "
    assert all(line.startswith(prefix) for line in found)
    return [line.removeprefix(prefix) for line in found]


def picture_pipeline(**changes: Any) -> list[Any]:
    resize = {"type": "Resize", "size": 256, "interpolation": "bicubic", **changes.pop("resize", {})}
    crop = {"type": "CenterCrop", "size": 224, **changes.pop("crop", {})}
    return ["LoadImageFromFile", resize, crop, "ImageToTensor", {"type": "Normalize", **HALF, **changes}]


def clip_pipeline(load: dict[str, Any], **changes: Any) -> list[Any]:
    return [
        {"type": "DecodeVideoToTensor", "num_frames": 8, **load},
        "VideoToTensor",
        {"type": "data/ResizeVideo", "size": 128},
        {"type": "CenterCropVideo", "size": [112, 112]},
        {"type": "NormalizeVideo", **HALF, **changes},
    ]


def test_nothing_is_said_where_they_agree() -> None:
    assert notes(picture_pipeline(), PICTURE) == []
    assert notes(clip_pipeline({"sample_interval": 8, "target_fps": 30}), CLIP) == []
    assert notes(clip_pipeline({"sample_interval": 4, "target_fps": 15}), CLIP) == []
    assert notes([{"type": "FromInput"}], PICTURE) == []
    assert notes([{"type": "FromInput", "input": PICTURE}], PICTURE) == []
    train = ["LoadImageFromFile", {"type": "RandomResizedCrop", "size": 224, "interpolation": "bicubic"},
             "RandomHorizontalFlip", "ImageToTensor", {"type": "Normalize", **HALF}]  # fmt: skip
    assert notes(train, PICTURE, "train") == []


@pytest.mark.parametrize(
    ("pipeline", "given", "expected"),
    [
        (picture_pipeline(crop={"size": 192}), PICTURE, ["size [192, 192], and `input` says [224, 224]"]),
        (picture_pipeline(mean=[0.485, 0.456, 0.406]), PICTURE,
         ["mean [0.485, 0.456, 0.406], and `input` says [0.5, 0.5, 0.5]"]),
        (picture_pipeline(std=[0.5]), PICTURE, ["std [0.5], and `input` says [0.25, 0.25, 0.25]"]),
        (picture_pipeline(resize={"interpolation": "bilinear"}), PICTURE,
         ["interpolation bilinear, and `input` says bicubic"]),
        (picture_pipeline(resize={"size": 224}), PICTURE,
         ["the shorter side is scaled to 224, and `input` (crop_pct 0.875) says 256"]),
        (picture_pipeline()[:-1], PICTURE,
         ["values are not normalised, and `input` says mean [0.5, 0.5, 0.5], std [0.25, 0.25, 0.25]"]),
        (picture_pipeline(), {**PICTURE, "layout": "NHWC"}, ["layout NCHW, and `input` says NHWC"]),
        (clip_pipeline({"sample_interval": 4}), CLIP, ["a clip lasts 1.07 s, and `input` says 2.13 s"]),
        (clip_pipeline({"sample_interval": 8, "num_frames": 16}), CLIP,
         ["frames 16, and `input` says 8", "a clip lasts 4.27 s, and `input` says 2.13 s"]),
        (clip_pipeline({"sample_mode": "segment"}), CLIP, ["sampling segment, and `input` says stride"]),
        (clip_pipeline({"sample_interval": 8}), {**CLIP, "fps": None},
         ["a clip lasts 2.13 s, and `input` says a stride of 8 frames of the file, which is as long at 30 frames per "
          "second alone (`input.fps` states a rate)"]),
        ([{"type": "LoadVideoFromFile", "num_frames": 8, "clip_duration": 1.0}], CLIP,
         ["a clip lasts 1 s, and `input` says 2.13 s"]),
        ([{"type": "AutoResizedCropVideo", "size": 112, "scale": [0.5, 1.0]}], CLIP,
         ["the crop is 1 of the shorter side, and `input` says 0.875"]),
        ([{"type": "FromInput", "input": {**CLIP, "stride": 4}}], CLIP, ["stride 4, and `input` says 8"]),
    ],
)  # fmt: skip
def test_each_difference_is_a_line(pipeline: Any, given: dict[str, Any], expected: list[str]) -> None:
    assert notes(pipeline, given) == expected


def test_what_is_unknown_is_passed_over() -> None:
    assert notes([{"type": "Mine"}, "ImageToTensor"], PICTURE) == []
    assert notes([object(), {"type": "RandomResizedCrop", "size": 7}], PICTURE) == [
        "size [7, 7], and `input` says [224, 224]", "interpolation bilinear, and `input` says bicubic",
    ]  # fmt: skip
    assert notes("ImageToTensor", {"modality": "image"}) == []
    for data in (None, [], {"train": None}, {"train": {"dataset": "ImageFolder"}}, {"eval": {"dataset": [3]}}):
        assert pipeline_notes(data, PICTURE) == []


def test_scales_of_training_are_not_compared() -> None:
    pipeline = ["LoadImageFromFile", {"type": "Resize", "size": 300, "interpolation": "bicubic"},
                {"type": "RandomCrop", "size": 224}, "ImageToTensor", {"type": "Normalize", **HALF}]  # fmt: skip
    assert notes(pipeline, PICTURE, "train") == []
    assert notes(pipeline, PICTURE, "train", mode="test") != [] and notes(pipeline, PICTURE) != []


def test_every_data_set_is_looked_at() -> None:
    small = {"type": "X", "pipeline": [{"type": "Compose", "transforms": [{"type": "CenterCrop", "size": 7}]}]}
    data = {
        "train": {"dataset": {"one": small, "two": {"type": "DatasetRepeater", "dataset": small, "num_repeats": 2}}},
        "eval": {"dataset": [small, {"type": "ConcatDataset", "datasets": [small]}]},
    }
    assert [line.partition(": ")[0] for line in pipeline_notes(data, PICTURE)] == [
        "data.train.dataset.one.pipeline",
        "data.train.dataset.two.dataset.pipeline",
        "data.eval.dataset.0.pipeline",
        "data.eval.dataset.1.datasets.0.pipeline",
    ]


def test_it_imports_no_torch() -> None:
    code = "import sys, essmc_core.zoo.checks.pipeline_notes; print('torch' in sys.modules, 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"

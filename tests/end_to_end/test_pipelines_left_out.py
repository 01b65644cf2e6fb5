"""From folders to predictions without writing a pipeline: training, evaluation and predict look at the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import essmc_core
from essmc_devkit.testing.fixtures import Python
from essmc_solvers.commands.job import read_job

INPUT: dict[str, Any] = {
    "modality": "image", "size": [32, 32], "crop_pct": 0.8, "interpolation": "bicubic", "mean": [0.5] * 3,
    "std": [0.5] * 3,
}  # fmt: skip


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Bright pictures and dark ones."""
    rng = np.random.default_rng(0)
    for part in ("train", "val"):
        for name, level in (("bright", 200), ("dark", 30)):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for number in range(6):
                pixels = rng.integers(level - 20, level + 20, (40, 56, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    return tmp_path


def write_config(folder: Path, **changes: Any) -> Path:
    config = {
        "model": {
            "type": "Classifier",
            "backbone": {"type": "timm/resnet10t"},
            "head": {"type": "ClassifierHead", "num_classes": 2},
        },
        "input": INPUT,
        "data": {
            "train": {"dataset": {"type": "ImageFolder", "root_dir": str(folder / "train"), "mode": "train"},
                      "batch_size": 4},
            "eval": {"dataset": {"type": "ImageFolder", "root_dir": str(folder / "val")}, "batch_size": 4},
        },
        "solver": {"max_epochs": 1, "optimizer": {"type": "SGD", "lr": 0.01}, "device": "cpu", "seed": 0},
        **changes,
    }  # fmt: skip
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def test_what_was_trained_sees_in_predict_what_it_saw_in_evaluation(photos: Path, python: Python) -> None:
    config = write_config(photos)
    done = python.essmc("train", str(config), "--work-dir", str(photos / "run"))
    assert "note:" not in done.stderr
    (loader,) = [read_job(str(config)).loader("eval", required=True)]
    model = essmc_core.build_model(config, weights=str(photos / "run" / "epoch-00001.pth")).eval()
    seen = 0
    for batch in loader:
        with torch.inference_mode():
            expected = model(batch["img"])
        for meta, row in zip(batch["meta"], expected, strict=True):
            file = photos / "val" / meta["img_path"]
            found = essmc_core.predict(config, file, checkpoint=photos / "run" / "epoch-00001.pth", topk=2)
            for ranked in found.predictions:
                assert ranked.probability == pytest.approx(float(row[ranked.index]), abs=1e-6)
            seen += 1
            if seen == 5:
                return


def test_train_and_validate_say_how_a_written_pipeline_differs(photos: Path, python: Python) -> None:
    pipeline = [
        {"type": "LoadImageFromFile"}, {"type": "Resize", "size": [24, 24]}, {"type": "ImageToTensor"},
        {"type": "Normalize", "mean": [0.5] * 3, "std": [0.5] * 3},
    ]  # fmt: skip
    config = write_config(photos)
    data = yaml.safe_load(config.read_text())
    data["data"]["eval"]["dataset"]["pipeline"] = pipeline
    config.write_text(yaml.safe_dump(data))
    lines = [
        "note: data.eval.dataset.pipeline: size [24, 24], and `input` says [32, 32]",
        "note: data.eval.dataset.pipeline: interpolation bilinear, and `input` says bicubic",
    ]
    assert python.essmc("validate", str(config)).stdout.splitlines()[1:] == lines
    assert len(json.loads(python.essmc("validate", str(config), "--json").stdout)["notes"]) == 2
    done = python.essmc("train", str(config), "--work-dir", str(photos / "run"))
    assert [line for line in done.stderr.splitlines() if line.startswith("note:")] == lines


def test_files_without_pipeline_and_input_are_refused_before_the_model_is_built(photos: Path, python: Python) -> None:
    config = write_config(photos, input=None)
    checked = python.essmc("validate", str(config), check=False)
    assert checked.returncode == 2 and "2 mistakes" in checked.stderr
    assert "data.eval.dataset: ImageFolder has no `pipeline`, and the configuration no `input`" in checked.stderr
    done = python.essmc("train", str(config), "--work-dir", str(photos / "run"), check=False)
    assert done.returncode == 2 and "ImageFolder has no `pipeline`" in done.stderr
    assert "Traceback" not in done.stderr and not (photos / "run").exists()


def test_validate_tells_pictures_from_videos(photos: Path, python: Python) -> None:
    config = write_config(photos, input={**INPUT, "modality": "video", "frames": 4, "seconds": 1.0})
    checked = python.essmc("validate", str(config), "data.train.dataset.pipeline=[LoadImageFromFile]", check=False)
    assert checked.returncode == 2 and "1 mistake" in checked.stderr
    assert "ImageFolder has pictures and no `pipeline`, and by its `input` the model takes a video" in checked.stderr

"""Predict, eval and the evaluation during training give a model the same tensor of a file, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import Tensor, nn

import essmc_core
from essmc_core import MODELS, TrainModule
from essmc_solvers.commands.job import read_job
from tests.samples.media import write_frames

HALF = {"mean": [0.4, 0.45, 0.5], "std": [0.25, 0.2, 0.3]}
PICTURE: dict[str, Any] = {"modality": "image", "size": [24, 20], "crop_pct": 0.8, "interpolation": "bicubic", **HALF}
CLIP: dict[str, Any] = {
    "modality": "video", "size": [24, 24], "crop_pct": 0.8, "frames": 4, "stride": 3, **HALF
}  # fmt: skip


class Witness(TrainModule):
    """Remembers what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []
        self.weight = nn.Parameter(torch.zeros(2))

    def forward_test(self, inputs: Tensor) -> Tensor:
        self.seen.append(inputs.clone())
        return self.weight.expand(len(inputs), 2).softmax(1)

    forward_train = forward_test


@pytest.fixture(autouse=True)
def witness() -> Iterator[None]:
    MODELS.register("Witness")(Witness)
    yield
    MODELS.table.remove_where(lambda record: record.name == "Witness")


def noise(seed: int, width: int, height: int, channels: int = 3) -> Any:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    return pixels if channels > 1 else pixels[..., 0]


def write_pictures(root: Path) -> list[Path]:
    """Pictures of several sizes, modes, formats and orientations."""
    root.mkdir(parents=True)
    made = {
        "wide.jpg": Image.fromarray(noise(0, 90, 40)),
        "tall.png": Image.fromarray(noise(1, 31, 97)),
        "small.png": Image.fromarray(noise(2, 5, 7)),
        "thin.png": Image.fromarray(noise(3, 2, 4000)),
        "grey.jpg": Image.fromarray(noise(4, 50, 40, 1)),
        "clear.png": Image.fromarray(noise(5, 50, 40, 4)),
        "palette.png": Image.fromarray(noise(6, 50, 40)).quantize(16),
        "palette.gif": Image.fromarray(noise(7, 50, 40)).quantize(16),
        "deep.png": Image.fromarray(noise(8, 50, 40, 1).astype(np.uint16) * 250),
        "ink.jpg": Image.fromarray(noise(9, 50, 40)).convert("CMYK"),
        "faint.png": Image.fromarray(noise(10, 50, 40, 4)).convert("LA"),
        "lossy.webp": Image.fromarray(noise(11, 50, 40)),
    }
    for name, picture in made.items():
        picture.save(root / name)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(noise(20 + orientation, 60, 40)).save(root / f"turned{orientation}.jpg", exif=exif)
    return sorted(root.iterdir())


def write_video(path: Path, codec: str, pixels: str, frames: int, rate: Any, **options: str) -> None:
    shown = (noise(number, 64, 48) for number in range(frames))
    write_frames(path, shown, codec=codec, pixels=pixels, rate=rate, options=options)


def write_videos(root: Path) -> list[Path]:
    """Videos of several containers, codecs, rates and lengths."""
    root.mkdir(parents=True)
    write_video(root / "reordered.mp4", "libx264", "yuv420p", 40, 30, bf="2", g="12")
    write_video(root / "film.mkv", "libx264", "yuv444p", 33, "24000/1001", g="10")
    write_video(root / "old.avi", "mpeg4", "yuv420p", 30, 15)
    write_video(root / "broadcast.ts", "mpeg2video", "yuv420p", 30, 25, g="12")
    write_video(root / "exact.mkv", "ffv1", "bgr0", 20, 10)
    write_video(root / "short.mov", "mjpeg", "yuvj420p", 2, 10)
    return sorted(root.iterdir())


def write_config(path: Path, given: dict[str, Any], dataset: dict[str, Any]) -> Path:
    loader = {"dataset": dataset, "batch_size": 3}
    config = {
        "model": {"type": "Witness"},
        "input": given,
        "data": {"train": loader, "eval": loader},
        "solver": {"max_epochs": 1, "optimizer": {"type": "SGD", "lr": 0.1}, "device": "cpu"},
    }
    path.write_text(yaml.safe_dump(config))
    return path


def in_evaluation(config: Path, key: str, *, evaluating: bool) -> list[Tensor]:
    """Returns what the loader of ``essmc eval``, or that of the evaluation in ``essmc train``, gives to the model."""
    loader = read_job(str(config), evaluating=evaluating).loader("eval", required=True)
    assert loader is not None
    return [item for batch in loader for item in batch[key]]


def in_prediction(file: Path, given: dict[str, Any], views: tuple[int, int] | None = None) -> Tensor:
    """Returns what ``essmc predict`` gives to the model of a file."""
    model = Witness()
    essmc_core.predict(model, file, input=given, labels=["a", "b"], views=views)
    return torch.cat(model.seen)


def assert_the_same(config: Path, key: str, expected: list[Tensor]) -> None:
    for evaluating in (True, False):
        found = in_evaluation(config, key, evaluating=evaluating)
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == other.dtype == torch.float32 and torch.equal(one, other)


@pytest.mark.parametrize(
    "how", [{}, {"layout": "NHWC"}, {"size": [32, 16], "crop_pct": 1.0, "interpolation": "lanczos"}]
)
def test_pictures(tmp_path: Path, how: dict[str, Any]) -> None:
    files, given = write_pictures(tmp_path / "photos" / "a"), {**PICTURE, **how}
    config = write_config(tmp_path / "c.yaml", given, {"type": "ImageFolder", "root_dir": str(tmp_path / "photos")})
    assert_the_same(config, "img", [in_prediction(file, given)[0] for file in files])


@pytest.mark.parametrize(
    ("how", "views"),
    [
        ({}, None),
        ({"layout": "NTHWC"}, None),
        ({"fps": 12}, (3, 1)),
        ({"stride": None, "seconds": 0.7}, (1, 3)),
        ({"stride": None, "sampling": "segment"}, (2, 3)),
        ({"stride": 20}, (2, 1)),
    ],
)
def test_videos(tmp_path: Path, how: dict[str, Any], views: tuple[int, int] | None) -> None:
    files, given = write_videos(tmp_path / "videos" / "a"), {**CLIP, **how}
    temporal, spatial = views or (1, 1)
    dataset = {"type": "VideoFolder", "data_root_dir": str(tmp_path / "videos"), "temporal_crops": temporal,
               "spatial_crops": spatial}  # fmt: skip
    config = write_config(tmp_path / "c.yaml", given, dataset)
    assert_the_same(config, "video", [view for file in files for view in in_prediction(file, given, views)])


def test_torchcodec_serves_all_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError):
        pytest.skip("torchcodec is not installed")
    files = write_videos(tmp_path / "videos" / "a")
    config = write_config(tmp_path / "c.yaml", CLIP, {"type": "VideoFolder", "data_root_dir": str(tmp_path / "videos")})
    expected = [in_prediction(file, CLIP)[0] for file in files]
    monkeypatch.setenv("ESSMC_VIDEO_DECODER", "torchcodec")
    assert_the_same(config, "video", expected)
    assert all(torch.equal(in_prediction(file, CLIP)[0], clip) for file, clip in zip(files, expected, strict=True))

"""Pipelines made from `input`: evaluation sees bit for bit what predict sees, training sees it augmented."""

from __future__ import annotations

import json
import pickle
import tarfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from essmc_core import TRANSFORMS
from essmc_core.errors import ConfigError
from essmc_core.inputs import InputSpec, Views, load_clip, load_image, load_views
from essmc_data.errors import UnreadableInput
from essmc_data.loading import build_loader
from essmc_data.transforms.from_input import FromInput, has_sides
from tests.samples.media import write_frames, write_pixels

HALF = {"mean": [0.4, 0.45, 0.5], "std": [0.25, 0.2, 0.3]}
PICTURE: dict[str, Any] = {"modality": "image", "size": [24, 20], "crop_pct": 0.8, "interpolation": "bicubic", **HALF}
CLIP: dict[str, Any] = {
    "modality": "video", "size": [24, 24], "crop_pct": 0.8, "frames": 4, "stride": 8, "fps": 30, **HALF
}  # fmt: skip


def write_picture(path: Path, seed: int, size: tuple[int, int] = (50, 40)) -> Path:
    return write_pixels(path, np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


def write_video(path: Path, frames: int, rate: Any = 30, size: tuple[int, int] = (48, 32), seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    shown = (rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for _ in range(frames))
    return write_frames(path, shown, rate=rate, options={"qp": "20"})


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for number, suffix in enumerate(("jpg", "png", "jpg", "png")):
        write_picture(root / "ab"[number // 2] / f"{number}.{suffix}", number, (50 + 9 * number, 40))
    return root


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("videos")
    for number, rate in enumerate((10, 25, "30000/1001", 60)):
        write_video(root / "ab"[number // 2] / f"{number}.mp4", 45, rate, seed=number)
    return root


def items(dataset: dict[str, Any], model_input: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    loader = build_loader({"dataset": dataset, **options}, model_input=model_input)
    return [loader.dataset[index] for index in range(len(loader.dataset))]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_evaluation_of_pictures_sees_what_predict_sees(photos: Path, layout: str) -> None:
    given = {**PICTURE, "layout": layout}
    for item in items({"type": "ImageFolder", "root_dir": str(photos)}, given):
        file = photos / item["meta"]["img_path"]
        assert torch.equal(item["img"][None], load_image(file, InputSpec.from_mapping(given)))


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"layout": "NTHWC"},
        {"fps": None},
        {"fps": None, "stride": None, "seconds": 1.0},
        {"fps": None, "stride": None, "sampling": "segment"},
        {"size": [16, 24], "interpolation": "lanczos"},
    ],
)
def test_evaluation_of_videos_sees_what_predict_sees(videos: Path, how: dict[str, Any]) -> None:
    given = {**CLIP, **how}
    for item in items({"type": "VideoFolder", "data_root_dir": str(videos)}, given):
        file = videos / item["meta"]["video_path"]
        assert torch.equal(item["video"][None], load_clip(file, InputSpec.from_mapping(given)))


@pytest.mark.parametrize("sampling", ["stride", "segment"])
@pytest.mark.parametrize(("temporal", "spatial"), [(3, 1), (1, 3), (2, 3), (1, 2)])
def test_its_views_are_those_of_predict(videos: Path, temporal: int, spatial: int, sampling: str) -> None:
    given = CLIP if sampling == "stride" else {**CLIP, "fps": None, "stride": None, "sampling": "segment"}
    dataset = {"type": "VideoFolder", "data_root_dir": str(videos), "temporal_crops": temporal}
    made = items({**dataset, "spatial_crops": spatial}, given)
    for number, file in enumerate(sorted(videos.rglob("*.mp4"))):
        own = made[number * temporal * spatial : (number + 1) * temporal * spatial]
        views = torch.stack([item["video"] for item in own])
        assert torch.equal(views, load_views(file, InputSpec.from_mapping(given), Views(temporal, spatial)))


def train(dataset: dict[str, Any], given: dict[str, Any], epochs: int = 1, **options: Any) -> list[dict[str, Any]]:
    loader = build_loader({"dataset": {**dataset, "mode": "train"}, **options}, model_input=given)
    found = []
    for epoch in range(epochs):
        loader.set_epoch(epoch)
        found += [loader.dataset[index] for index in range(len(loader.dataset))]
    return found


def test_training_on_pictures_varies_them_and_keeps_their_statistics(tmp_path: Path) -> None:
    # Red left, green right: what is left of both tells of mirroring, and no other colour comes in.
    image = Image.new("RGB", (64, 48), (255, 0, 0))
    image.paste((0, 255, 0), (32, 0, 64, 48))
    (tmp_path / "a").mkdir()
    image.save(tmp_path / "a" / "1.png")
    dataset = {"type": "ImageFolder", "root_dir": str(tmp_path)}
    found = [item["img"] for item in train(dataset, PICTURE, 40)]
    assert all(picture.shape == (3, 24, 20) and picture.dtype == torch.float32 for picture in found)
    assert len({picture.sum().item() for picture in found}) > 20
    mean, std = torch.tensor(HALF["mean"]).view(3, 1, 1), torch.tensor(HALF["std"]).view(3, 1, 1)
    colours = [picture * std + mean for picture in found]
    for colour in colours:
        assert colour.min() >= -1e-5 and colour.max() <= 1 + 1e-5 and colour[2].abs().max() < 1e-5
        torch.testing.assert_close(colour[0] + colour[1], torch.ones(24, 20), rtol=0, atol=0.02)
    both = [colour for colour in colours if 0.1 < colour[0].mean() < 0.9]
    mirrored = sum(bool(colour[1, :, 0].mean() > colour[0, :, 0].mean()) for colour in both)
    assert 3 < mirrored < len(both) - 3
    again = [item["img"] for item in train(dataset, PICTURE, 40)]
    assert all(torch.equal(one, other) for one, other in zip(found, again, strict=True))


def sides(clips: list[Tensor]) -> set[bool]:
    """Whether the brighter side of clips is on the right."""
    return {bool(clip[..., -1].mean() > clip[..., 0].mean()) for clip in clips}


@pytest.mark.parametrize(
    ("names", "pipeline", "expected"),
    [
        (["cat", "dog"], None, {True, False}),
        (["turn left", "turn right"], None, {True}),
        (["Pushing_from_Left", "rest"], None, {True}),
        (["cleft", "bright"], None, {True, False}),
        (["cat", "dog"], [{"type": "FromInput", "flip": 0.0}], {True}),
        (["turn left", "turn right"], [{"type": "FromInput", "flip": 1.0}], {False}),
    ],
)
def test_classes_that_have_sides_are_not_mirrored(
    tmp_path: Path, names: list[str], pipeline: Any, expected: set[bool]
) -> None:
    for name in names:
        (tmp_path / name).mkdir()
        ramp = np.broadcast_to(np.arange(0, 240, 5, dtype=np.uint8)[None, :, None], (32, 48, 3))
        Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / name / "1.png")
    dataset = {"type": "ImageFolder", "root_dir": str(tmp_path), "pipeline": pipeline}
    assert sides([item["img"] for item in train(dataset, PICTURE, 12)]) == expected
    assert sides([item["img"] for item in items(dataset, PICTURE)]) == {True}


def test_words_that_have_sides() -> None:
    assert has_sides(["Moving something from left to right"]) and has_sides(["turn_clockwise"])
    assert not has_sides(["copyright", "cleft"]) and not has_sides([])


def test_training_on_videos_cuts_all_frames_alike_and_begins_anywhere(tmp_path: Path) -> None:
    path = tmp_path / "a" / "1.mkv"
    path.parent.mkdir()
    rng = np.random.default_rng(0)
    still = rng.integers(0, 60, (32, 48, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=30)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "bgr0"
        for number in range(60):
            frame = av.VideoFrame.from_ndarray(still + np.uint8(3 * number), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode())
    given = {**CLIP, "interpolation": "nearest", "stride": 4, "mean": [0.0] * 3, "std": [1.0] * 3}
    found = [item["video"] for item in train({"type": "VideoFolder", "data_root_dir": str(tmp_path)}, given, 30)]
    starts = set()
    for clip in found:
        assert clip.shape == (3, 4, 24, 24)
        steps = (clip[:, 1:] - clip[:, :-1]) * 255
        # The same part of a still picture, brighter by 3 a frame, four frames apart.
        torch.testing.assert_close(steps, torch.full_like(steps, 12.0), rtol=0, atol=0.01)
        starts.add(round(float(clip[:, 0].min()) * 255) // 3)
    assert len(starts) > 10 and max(starts) <= 48 + 1 and min(starts) < 15


def test_loading_processes_make_the_same_items(photos: Path) -> None:
    dataset = {"type": "ImageFolder", "root_dir": str(photos), "mode": "train"}
    given = []
    for workers in (0, 2):
        config = {"dataset": dataset, "batch_size": 2, "num_workers": workers}
        given.append([batch["img"] for batch in build_loader(config, seed=3, model_input=PICTURE)])
    assert all(torch.equal(one, other) for one, other in zip(*given, strict=True))
    pickle.loads(pickle.dumps(FromInput(PICTURE)))


def test_loading_transforms_keep_to_seconds_where_the_rate_varies(tmp_path: Path) -> None:
    # 2 s at 5 frames a second, then 2 s at 30: the grey level is 60 a second.
    times = [number / 5 for number in range(10)] + [2 + number / 30 for number in range(60)]
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"bf": "0", "qp": "1"})
        stream.width = stream.height = 64
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 600)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), round(60 * time), np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time * 600), Fraction(1, 600)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())

    def seconds(transform: dict[str, Any], clip: int = 0, clips: int = 1) -> list[float]:
        meta = {"video_path": str(tmp_path / "a.mp4"), "clip_id": clip, "num_clips": clips}
        frames = TRANSFORMS.build(transform)({"meta": meta})["video"]
        return [float(level) / 60 for level in frames.float().mean((1, 2, 3))]

    middles = seconds({"type": "LoadVideoFromFile", "num_frames": 4, "sample_type": "segment"})
    assert middles == pytest.approx([0.5, 1.5, 2.5, 3.5], abs=0.15)
    assert seconds({"type": "DecodeVideoToTensor", "num_frames": 4, "sample_mode": "segment"}) == middles
    for clip in (0, 1):
        found = seconds({"type": "LoadVideoFromFile", "num_frames": 4, "clip_duration": 2.0}, clip, 2)
        assert 2 * clip - 0.05 <= found[0] and found[-1] <= 2 * clip + 2.05 and found[-1] - found[0] > 1.6
        found = seconds({"type": "DecodeVideoToTensor", "num_frames": 4, "sample_interval": 15}, clip, 2)
        assert 2 * clip - 0.05 <= found[0] and found[-1] <= 2 * clip + 2.05 and found[-1] - found[0] > 1.6


def test_data_sets_in_data_sets_are_completed(photos: Path) -> None:
    one = {"type": "ImageFolder", "root_dir": str(photos)}
    loader = build_loader({"dataset": [one, {"type": "DatasetRepeater", "dataset": one, "num_repeats": 2}]},
                          model_input=PICTURE)  # fmt: skip
    assert len(loader.dataset) == 12
    assert all(loader.dataset[index]["img"].shape == (3, 24, 20) for index in range(12))


def test_lists_of_pictures_get_one_too(photos: Path, tmp_path: Path) -> None:
    names = sorted(path.relative_to(photos).as_posix() for path in photos.rglob("*.*"))
    (tmp_path / "list.txt").write_text("".join(f"{name} {number // 2}\n" for number, name in enumerate(names)))
    (tmp_path / "list.json").write_text(json.dumps([{"img_path": name, "gt_label": 0} for name in names]))
    for kind, key in (("ImageCsv", "csv_path"), ("ImageClassifyJsonDataset", "json_path")):
        where = str(tmp_path / ("list.txt" if kind == "ImageCsv" else "list.json"))
        made = items({"type": kind, key: where, "image_dir": str(photos)}, PICTURE)
        for item, name in zip(made, names, strict=True):
            assert torch.equal(item["img"][None], load_image(photos / name, InputSpec.from_mapping(PICTURE)))


def test_shards_get_one_too(photos: Path, videos: Path, tmp_path: Path) -> None:
    for root, given, load in ((photos, PICTURE, load_image), (videos, CLIP, load_clip)):
        files = sorted(root.rglob("*.*"))
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            for file in files:
                archive.add(file, file.name)
        loader = build_loader({"dataset": {"type": "WebDataset", "urls": str(tmp_path / "a.tar")}}, model_input=given)
        key = "img" if given is PICTURE else "video"
        made = [item[key] for item in loader.dataset]
        assert len(made) == len(files)
        for tensor, file in zip(made, files, strict=True):
            assert torch.equal(tensor[None], load(file, InputSpec.from_mapping(given)))


def test_written_pipelines_and_made_items_are_left_alone(photos: Path) -> None:
    dataset = {"type": "ImageFolder", "root_dir": str(photos), "pipeline": [{"type": "LoadImageFromFile"}]}
    assert isinstance(items(dataset, PICTURE)[0]["img"], Image.Image)
    assert "img" not in items({**dataset, "pipeline": []}, PICTURE)[0]
    clips = items({"type": "MovingImages", "mode": "test", "clips": 3}, CLIP)
    assert clips[0]["video"].shape == (3, 8, 32, 32)
    loader = build_loader({"dataset": {"type": "ImageFolder", "root_dir": str(photos)}})
    assert "img" not in loader.dataset[0]


def test_an_input_of_its_own_goes_before_the_configuration_s(photos: Path) -> None:
    own = {**PICTURE, "size": 10}
    dataset = {"type": "ImageFolder", "root_dir": str(photos), "pipeline": [{"type": "FromInput", "input": own}]}
    assert items(dataset, PICTURE)[0]["img"].shape == (3, 10, 10)


def test_what_cannot_be_made_is_said_at_once(photos: Path, videos: Path) -> None:
    pictures = {"type": "ImageFolder", "root_dir": str(photos)}
    with pytest.raises(ConfigError, match="ImageFolder has no `pipeline`, and the configuration no `input`"):
        build_loader({"dataset": pictures}, model_input={})
    with pytest.raises(ConfigError, match="ImageFolder has pictures, and by its `input` the model takes a video"):
        build_loader({"dataset": pictures}, model_input=CLIP)
    with pytest.raises(ConfigError, match="VideoFolder has videos"):
        build_loader({"dataset": {"type": "VideoFolder", "data_root_dir": str(videos)}}, model_input=PICTURE)
    with pytest.raises(ConfigError, match="does not know what the model takes"):
        FromInput()({"meta": {"img_path": str(photos / "a" / "0.jpg")}})
    with pytest.raises(ConfigError, match="flip"):
        FromInput(PICTURE, flip=1.5)
    with pytest.raises(ConfigError, match="scale"):
        FromInput(PICTURE, scale=(0.0, 1.0))


@pytest.mark.parametrize("mode", ["train", "test"])
def test_files_that_cannot_be_read_obey_on_error(photos: Path, tmp_path: Path, mode: str) -> None:
    (tmp_path / "a").mkdir()
    write_picture(tmp_path / "a" / "1.png", 0)
    (tmp_path / "a" / "2.png").write_bytes(b"no picture")
    (tmp_path / "a" / "3.png").symlink_to(tmp_path / "nowhere.png")
    dataset = {"type": "ImageFolder", "root_dir": str(tmp_path), "mode": mode, "on_error": "skip"}
    loader = build_loader({"dataset": dataset, "batch_size": 3}, model_input=PICTURE)
    (batch,) = list(loader)
    assert len(batch["img"]) == 1 and loader.dataset.bad_inputs == 2
    loader = build_loader({"dataset": {**dataset, "on_error": "stop"}, "batch_size": 3}, model_input=PICTURE)
    with pytest.raises(UnreadableInput, match=r"2\.png|3\.png"):
        list(loader)


def test_thin_pictures_are_cut_first_in_training_too(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("RGB", (2, 40_000), (102, 102, 102)).save(tmp_path / "a" / "1.png")
    for item in train({"type": "ImageFolder", "root_dir": str(tmp_path)}, PICTURE, 3):
        assert item["img"].shape == (3, 24, 20)

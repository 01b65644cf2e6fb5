"""Pictures that strangers made: of any shape, mode and state, at bounded memory, with one clear error each."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image, features

from essmc_core.errors import EssmcError, InputError
from essmc_core.inputs import InputSpec, load_image
from essmc_core.inputs import picture as pictures
from essmc_core.inputs.files import as_written_or_home

PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}


def spec(**values: Any) -> InputSpec:
    return InputSpec.from_mapping({"modality": "image", "size": 8, "crop_pct": 1.0, **PLAIN, **values})


def write_png_header(path: Path, width: int, height: int, colour: int = 2) -> Path:
    """A PNG of that size with almost no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(b"\0" * 100))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b""))
    return path


def largest_scaled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Collects how many pixels each scaling makes."""
    made: list[int] = []
    resize = Image.Image.resize

    def counted(self: Image.Image, size: tuple[int, int], *rest: Any, **more: Any) -> Image.Image:
        made.append(size[0] * size[1])
        return resize(self, size, *rest, **more)

    monkeypatch.setattr(Image.Image, "resize", counted)
    return made


@pytest.mark.parametrize("size", [(1, 20_000), (20_000, 1), (60_000, 2), (1, 65_000), (3, 30_000)])
def test_thin_pictures_are_cut_before_they_are_scaled(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", size, (255, 0, 51)).save(tmp_path / "thin.png")
    made = largest_scaled(monkeypatch)
    tensor = load_image(tmp_path / "thin.png", spec(size=224, crop_pct=0.875))
    assert max(made) <= 256 * 256
    torch.testing.assert_close(tensor.mean((0, 2, 3)), torch.tensor([1.0, 0.0, 0.2]))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos", "box", "hamming", "nearest"])
@pytest.mark.parametrize("size", [(40, 900), (700, 30), (64, 64)])
def test_a_part_scaled_alone_is_the_part_of_the_scaled_picture(
    size: tuple[int, int], interpolation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8))
    asked = spec(size=[28, 24], crop_pct=0.875, interpolation=interpolation)
    whole = pictures.scale_and_crop(image, asked, 3)
    monkeypatch.setattr(pictures, "MAX_SCALED_PIXELS", 1)
    for one, other in zip(whole, pictures.scale_and_crop(image, asked, 3), strict=True):
        difference = numpy.abs(numpy.asarray(one).astype(int) - numpy.asarray(other))
        # Places in the picture are rounded to single precision: rarely, a value is rounded to its neighbour, and with
        # "nearest" a pixel to its.
        assert (difference > 1).mean() < (0.15 if interpolation == "nearest" else 1e-9)
        assert (difference > 0).mean() < 0.15


def test_one_view_of_several_is_that_one() -> None:
    image = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (40, 90, 3), dtype=numpy.uint8))
    every = pictures.picture_to_views(image, spec(), 3)
    for view in range(3):
        assert torch.equal(pictures.picture_to_views(image, spec(), 3, view)[0], every[view])


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 1), (200_000, 100_000)])
def test_too_many_pixels_are_refused_before_they_are_decoded(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_png_header(tmp_path / "bomb.png", *size)
    # Libraries turn Pillow's own limit off.
    for limit in (Image.MAX_IMAGE_PIXELS, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(InputError, match=r"bomb\.png cannot be read as an image: .*(pixels|limit)"):
            load_image(path, spec())


def test_large_pictures_raise_no_warning_and_are_converted_in_bands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    monkeypatch.setattr(pictures, "_BAND_PIXELS", 100)
    rng = numpy.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (37, 41, 4), dtype=numpy.uint8), "RGBA")
    image.save(tmp_path / "a.png")
    found = pictures.to_rgb(image)
    monkeypatch.undo()
    assert numpy.array_equal(numpy.asarray(found), numpy.asarray(pictures.to_rgb(image)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    load_image(tmp_path / "a.png", spec())
    assert not [warning for warning in recwarn if issubclass(warning.category, Image.DecompressionBombWarning)]


@pytest.mark.parametrize("values", [{"size": 100_000}, {"size": [1, 2**40]}])
def test_an_input_that_no_memory_holds_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(EssmcError, match="pixels"):
        spec(**values)
    with pytest.raises(EssmcError, match="pixels"):
        spec(modality="video", size=[224, 224], frames=10**9, stride=1)


# -- modes -------------------------------------------------------------------------------------------------------------


def test_modes_without_a_known_range_are_refused(tmp_path: Path) -> None:
    Image.fromarray(numpy.full((4, 4), 1 << 20, dtype=numpy.int32)).save(tmp_path / "a.tiff")
    with pytest.raises(InputError, match="32-bit"):
        load_image(tmp_path / "a.tiff", spec())


def test_big_endian_greys_of_16_bits(tmp_path: Path) -> None:
    Image.frombytes("I;16B", (4, 4), struct.pack(">H", 257 * 90) * 16).save(tmp_path / "a.tiff")
    assert round(float(load_image(tmp_path / "a.tiff", spec()).mean()) * 255) == 90


def test_a_premultiplied_picture_is_converted() -> None:
    image = Image.new("LA", (4, 4), (100, 255)).convert("La")
    assert pictures.to_rgb(image).getpixel((0, 0)) == (100, 100, 100)


def test_animations_give_their_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (9, 9), (level, level, level)) for level in (40, 200)]
    for suffix in ("gif", "webp", "png", "tiff"):
        how = {"lossless": True} if suffix == "webp" else {}
        frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], **how)
        assert round(float(load_image(tmp_path / f"a.{suffix}", spec()).mean()) * 255) == 40, suffix


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_that_of_pillow(tmp_path: Path, orientation: int) -> None:
    from PIL import ImageOps

    image = Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=numpy.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        expected = pictures.picture_to_tensor(ImageOps.exif_transpose(opened), spec())
    assert torch.equal(load_image(tmp_path / "a.png", spec())[0], expected)


def test_damaged_exif_data_are_passed_over(tmp_path: Path) -> None:
    image = Image.new("RGB", (9, 9), (51, 51, 51))
    for number, exif in enumerate(
        [b"Exif\0\0MM\0*\0\0\0\xff", b"Exif\0\0nonsense", b"Exif\0\0II*\0\x08\0\0\0\xff\xff"]
    ):
        image.save(tmp_path / f"{number}.jpg", exif=exif, quality=95)
        assert round(float(load_image(tmp_path / f"{number}.jpg", spec()).mean()) * 255) == 51


# -- damage ------------------------------------------------------------------------------------------------------------

SUFFIXES = ["png", "jpg", "gif", "webp", "tiff", "bmp", "ico", "tga", "ppm", "jp2"]
if features.check("avif"):
    SUFFIXES.append("avif")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_damage_anywhere_is_one_error_of_ours_or_a_picture(tmp_path: Path, suffix: str) -> None:
    rng = numpy.random.default_rng(0)
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(rng.integers(0, 256, (48, 48, 3), dtype=numpy.uint8)).save(path)
    whole, refused = path.read_bytes(), []
    cuts = [whole[: len(whole) * part // 12] for part in range(1, 12)]
    for number in range(24):
        bent = bytearray(whole)
        for place in rng.integers(0, min(len(bent), 200 if number % 2 else len(bent)), 6):
            bent[place] = rng.integers(0, 256)
        cuts.append(bytes(bent))
    for number, content in enumerate(cuts):
        broken = tmp_path / f"broken{number}.{suffix}"
        broken.write_bytes(content)
        try:
            load_image(broken, spec())
        except InputError as error:
            refused.append((str(broken), error.message))
    assert len(refused) >= 3
    assert all(name in message and "\n" not in message for name, message in refused)


def test_a_drawing_is_not_handed_to_another_program(tmp_path: Path) -> None:
    text = "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n{} loop\n%%EOF\n"
    (tmp_path / "a.eps").write_text(text)
    with pytest.raises(InputError, match="drawing"):
        load_image(tmp_path / "a.eps", spec())


# -- paths -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def special(tmp_path: Path) -> dict[str, tuple[Any, str]]:
    """Paths that are no files, and what is said of them."""
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "file").write_bytes(b"1")
    return {
        "pipe": (tmp_path / "pipe.png", "is a named pipe"),
        "folder": (tmp_path / "folder.png", "is a directory"),
        "dangling": (tmp_path / "dangling.png", "is a link to .*nowhere.png, where there is no file"),
        "loop": (tmp_path / "loop.png", "leads back to itself"),
        "empty": (tmp_path / "empty.png", "is an empty file"),
        "device": ("/dev/zero", "is a device"),
        "null": ("a\0b.png", "null character"),
        "user": ("~nobody-of-this-name/a.png", "There is no file ~nobody-of-this-name/a.png"),
        "name": ("x" * 5000 + ".png", "a path or name of 5004 characters is too long"),
        "below": (tmp_path / "file" / "a.png", "There is no file"),
    }


def test_what_is_no_file_is_called_what_it_is(special: dict[str, tuple[Any, str]]) -> None:
    for path, says in special.values():
        with pytest.raises(InputError, match=says) as caught:
            load_image(path, spec())
        assert len(str(caught.value)) < 800


def test_the_training_transforms_say_the_same(special: dict[str, tuple[Any, str]]) -> None:
    errors = pytest.importorskip("essmc_data.errors")
    from essmc_data.transforms.load_image import LoadImageFromFile

    for key, (path, says) in special.items():
        if key == "user":
            continue
        with pytest.raises(errors.UnreadableInput, match=says):
            LoadImageFromFile()({"meta": {"img_path": str(path)}})


def test_a_socket_is_called_a_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Their paths are short.
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.png")
        with pytest.raises(InputError, match="is a socket"):
            load_image("socket.png", spec())


def test_names_may_begin_with_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Image.new("RGB", (9, 9)).save("~photo.png")
    assert load_image("~photo.png", spec()).shape == (1, 3, 8, 8)
    assert as_written_or_home("~/a.png") == tmp_path / "home" / "a.png"


def test_thin_pictures_do_not_grow_in_training_either(tmp_path: Path) -> None:
    errors = pytest.importorskip("essmc_data.errors")
    from essmc_data.transforms.image import Resize
    from essmc_data.transforms.load_image import LoadImageFromFile
    from essmc_data.transforms.torchvision import TorchvisionTransform
    from essmc_data.transforms.video import ResizeVideo

    Image.new("RGB", (1, 20_000)).save(tmp_path / "thin.png")
    for backend in ("pillow", "cv2", "torchvision"):
        item = LoadImageFromFile(backend=backend)({"meta": {"img_path": str(tmp_path / "thin.png")}})
        for resize in (Resize(256), TorchvisionTransform("Resize", {"size": [256]})):
            with pytest.raises(errors.UnreadableInput, match=r"thin\.png is 1x20000 pixels large"):
                resize(item)
        assert Resize([16, 16])(item)["img"] is not None
    with pytest.raises(errors.UnreadableInput, match="would have 256x5120000"):
        ResizeVideo(256)({"video": torch.zeros(3, 1, 20_000, 1, dtype=torch.uint8)})


@pytest.mark.slow
def test_a_thin_bomb_takes_little_memory(tmp_path: Path) -> None:
    Image.new("RGB", (1, 60_000)).save(tmp_path / "thin.png")
    code = """
import resource, sys
from essmc_core.inputs import InputSpec, load_image
from PIL import Image
Image.init()
spec = InputSpec.from_mapping({"modality": "image", "size": 224, "mean": [0.5] * 3, "std": [0.5] * 3})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
load_image(sys.argv[1], spec)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "thin.png")], capture_output=True, text=True, check=True
    ).stdout
    assert int(shown) < 200

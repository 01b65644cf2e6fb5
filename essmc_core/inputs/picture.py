"""One picture to one normalised tensor: colour, scale, crop, normalise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from essmc_core.inputs.spec import InputSpec

if TYPE_CHECKING:
    from PIL.Image import Image, Resampling

_WHITE = (255, 255, 255, 255)
_BAND_PIXELS = 1 << 24
"""Pixels that are converted at a time, so that intermediate modes of a large picture take little memory."""
MAX_SCALED_PIXELS = 1 << 24
"""Pixels of a scaled picture, beyond which what is not needed is left out before scaling."""
_LARGEST_GREY = 65535


def to_rgb(image: Image) -> Image:
    """Converts any mode of PIL to 8-bit RGB.

    Transparent pictures are put on white, and 16-bit greys are scaled to 8 bits.

    Raises:
        ValueError: the mode has no known range (floating point, 32 bits) or no conversion.
    """
    from PIL import Image as pil

    width, height = image.size
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if width * height <= _BAND_PIXELS:
        return _band_to_rgb(image)
    rgb = pil.new("RGB", image.size)
    rows = max(1, _BAND_PIXELS // width)
    for top in range(0, height, rows):
        band = image.crop((0, top, width, min(top + rows, height)))
        band.info = dict(image.info)
        rgb.paste(_band_to_rgb(band), (0, top))
    return rgb


def _band_to_rgb(image: Image) -> Image:
    from PIL import Image as pil

    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown")
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    if image.mode == "La":
        image = image.convert("LA")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        opaque = pil.new("RGBA", image.size, _WHITE)
        return pil.alpha_composite(opaque, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def scale_and_crop(image: Image, spec: InputSpec, views: int = 1, view: int | None = None) -> list[Image]:
    """Scales a picture until it covers ``size / crop_pct``, keeping its ratio, and cuts out the centre.

    Sizes are rounded as torchvision's ``Resize`` and ``CenterCrop`` do on PIL images, so that published
    accuracies hold. Of a picture that would become very large, because it is very thin, only the parts that are cut
    out are scaled.

    Args:
        image: the picture.
        spec: what the model takes.
        views: how many parts to cut out: one is the centre, more are spread along the side that is cut most, from one
            end to the other; three are left, centre and right of a wide picture.
        view: the only one of them to cut out.
    """
    height, width = spec.size
    scaled = _scaled_size(image.size, spec)
    spare_width, spare_height = scaled[0] - width, scaled[1] - height
    places = [0.5] if views == 1 else [number / (views - 1) for number in range(views)]
    boxes = []
    for place in places if view is None else [places[view]]:
        across, down = (place, 0.5) if spare_width >= spare_height else (0.5, place)
        left, top = round(spare_width * across), round(spare_height * down)
        boxes.append((left, top, left + width, top + height))
    resampling = _resampling(spec)
    if scaled[0] * scaled[1] > MAX_SCALED_PIXELS:
        return [_scaled_part(image, box, scaled, resampling) for box in boxes]
    if scaled != image.size:
        image = image.resize(scaled, resampling)
    return [image.crop(box) for box in boxes]


def crop_and_scale(image: Image, box: tuple[int, int, int, int], spec: InputSpec) -> Image:
    """Cuts (left, top, right, bottom) out of a picture and scales it to ``size``, as augmentation does."""
    height, width = spec.size
    return image.crop(box).resize((width, height), _resampling(spec))


def _resampling(spec: InputSpec) -> Resampling:
    from PIL.Image import Resampling

    return Resampling[spec.interpolation.upper()]


def _scaled_size(old: tuple[int, int], spec: InputSpec) -> tuple[int, int]:
    """Returns (width, height) of a picture that covers ``size / crop_pct``."""
    height, width = spec.size
    cover_height, cover_width = math.floor(height / spec.crop_pct), math.floor(width / spec.crop_pct)
    old_width, old_height = old
    if cover_height * old_width >= cover_width * old_height:
        return max(cover_width, int(cover_height * old_width / old_height)), cover_height
    return cover_width, max(cover_height, int(cover_width * old_height / old_width))


def _scaled_part(
    image: Image, box: tuple[int, int, int, int], scaled: tuple[int, int], resampling: Resampling
) -> Image:
    """Returns the part that ``box`` would cut out of the picture if it were scaled as a whole."""
    old_width, old_height = image.size
    across, down = old_width / scaled[0], old_height / scaled[1]
    left, top, right, bottom = box
    part = (left * across, top * down, min(right * across, old_width), min(bottom * down, old_height))
    return image.resize((right - left, bottom - top), resampling, box=part)


def normalize(image: Image, spec: InputSpec) -> Tensor:
    """Returns the RGB picture as a float tensor (3, H, W): values in [0, 1], minus ``mean``, over ``std``."""
    width, height = image.size
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(height, width, 3)
    scaled = pixels.permute(2, 0, 1).to(torch.float32) / 255
    mean, std = (torch.tensor(values, dtype=torch.float32).view(3, 1, 1) for values in (spec.mean, spec.std))
    return ((scaled - mean) / std).contiguous()


def picture_to_tensor(image: Image, spec: InputSpec) -> Tensor:
    """Applies all steps to a picture of any mode; returns (3, H, W)."""
    return picture_to_views(image, spec, 1)[0]


def picture_to_views(image: Image, spec: InputSpec, views: int, view: int | None = None) -> Tensor:
    """Applies all steps to a picture of any mode; returns (views, 3, H, W), see `scale_and_crop`."""
    return torch.stack([normalize(part, spec) for part in scale_and_crop(to_rgb(image), spec, views, view)])


def _from_16_bits(image: Image) -> Image:
    # PIL's own conversion clips at 255 instead of scaling.
    numbers = image.convert("I")
    least, most = cast("tuple[int, int]", numbers.getextrema())
    if least < 0 or most > _LARGEST_GREY:
        raise ValueError("32-bit pixels, whose range is unknown")
    return numbers.point(lambda value: value * (1 / 257) + 0.5).convert("L")

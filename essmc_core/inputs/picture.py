"""One picture to one normalised tensor: colour, scale, crop, normalise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from essmc_core.inputs.spec import InputSpec

if TYPE_CHECKING:
    from PIL.Image import Image

_WHITE = (255, 255, 255, 255)


def to_rgb(image: Image) -> Image:
    """Converts any mode of PIL to 8-bit RGB.

    Transparent pictures are put on white, and 16-bit greys are scaled to 8 bits.

    Raises:
        ValueError: the mode has no known range (floating point) or no conversion.
    """
    from PIL import Image as pil

    if image.mode == "F":
        raise ValueError("floating-point pixels, whose range is unknown")
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    if "A" in image.mode or "a" in image.mode or "transparency" in image.info:
        opaque = pil.new("RGBA", image.size, _WHITE)
        return pil.alpha_composite(opaque, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def scale_and_crop(image: Image, spec: InputSpec, views: int = 1) -> list[Image]:
    """Scales a picture until it covers ``size / crop_pct``, keeping its ratio, and cuts out the centre.

    Sizes are rounded as torchvision's ``Resize`` and ``CenterCrop`` do on PIL images, so that published
    accuracies hold.

    Args:
        image: the picture.
        spec: what the model takes.
        views: how many parts to cut out: one is the centre, more are spread along the side that is cut most, from one
            end to the other; three are left, centre and right of a wide picture.
    """
    from PIL.Image import Resampling

    height, width = spec.size
    cover_height, cover_width = math.floor(height / spec.crop_pct), math.floor(width / spec.crop_pct)
    old_width, old_height = image.size
    if cover_height * old_width >= cover_width * old_height:
        scaled = (max(cover_width, int(cover_height * old_width / old_height)), cover_height)
    else:
        scaled = (cover_width, max(cover_height, int(cover_width * old_height / old_width)))
    if scaled != image.size:
        image = image.resize(scaled, Resampling[spec.interpolation.upper()])
    spare_width, spare_height = scaled[0] - width, scaled[1] - height
    crops = []
    for place in [0.5] if views == 1 else [view / (views - 1) for view in range(views)]:
        across, down = (place, 0.5) if spare_width >= spare_height else (0.5, place)
        left, top = round(spare_width * across), round(spare_height * down)
        crops.append(image.crop((left, top, left + width, top + height)))
    return crops


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


def picture_to_views(image: Image, spec: InputSpec, views: int) -> Tensor:
    """Applies all steps to a picture of any mode; returns (views, 3, H, W), see `scale_and_crop`."""
    return torch.stack([normalize(crop, spec) for crop in scale_and_crop(to_rgb(image), spec, views)])


def _from_16_bits(image: Image) -> Image:
    # PIL's own conversion clips at 255 instead of scaling.
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")

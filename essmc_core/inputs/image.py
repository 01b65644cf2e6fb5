"""Image files to tensors."""

from __future__ import annotations

import os
from pathlib import Path

from torch import Tensor

from essmc_core.errors import InputError, MissingDependency
from essmc_core.inputs.files import check_file
from essmc_core.inputs.picture import picture_to_tensor
from essmc_core.inputs.spec import InputSpec


def load_image(path: str | os.PathLike[str], spec: InputSpec) -> Tensor:
    """Reads an image as a model takes it: oriented by its EXIF tag, RGB, scaled, cropped at the centre, normalised.

    Args:
        path: a file of any format that PIL reads; of an animation, the first frame.
        spec: what the model takes.

    Returns:
        A float32 tensor (1, 3, H, W), or (1, H, W, 3) if that is the layout.

    Raises:
        InputError: the file is missing, damaged or no image, or the model takes videos.
        MissingDependency: Pillow is not installed.
    """
    file = check_file(Path(path), spec)
    if spec.modality != "image":
        raise InputError(f"{file} was to be read as an image, but the model takes {spec}.")
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError as error:
        raise MissingDependency(
            "Images are read with Pillow, which is not installed.", hint="pip install pillow"
        ) from error
    try:
        with Image.open(file) as opened:
            tensor = picture_to_tensor(ImageOps.exif_transpose(opened), spec)
    except UnidentifiedImageError as error:
        raise InputError(f"{file} is not an image that can be read.", hint=f"The model takes {spec}.") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as an image: {error}.", hint=f"The model takes {spec}.") from error
    return (tensor if spec.layout == "NCHW" else tensor.permute(1, 2, 0)).contiguous()[None]

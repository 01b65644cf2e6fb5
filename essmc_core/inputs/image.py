"""Image files to tensors."""

from __future__ import annotations

import os
from pathlib import Path

from torch import Tensor

from essmc_core.errors import InputError, UnreadableInput
from essmc_core.inputs.files import check_file
from essmc_core.inputs.picture import picture_to_tensor
from essmc_core.inputs.picture_file import read_picture
from essmc_core.inputs.spec import InputSpec


def load_image(path: str | os.PathLike[str], spec: InputSpec) -> Tensor:
    """Reads an image as a model takes it: oriented by its EXIF tag, RGB, scaled, cropped at the centre, normalised.

    Args:
        path: a file of any format that PIL reads; of an animation, the first frame.
        spec: what the model takes.

    Returns:
        A float32 tensor (1, 3, H, W), or (1, H, W, 3) if that is the layout.

    Raises:
        InputError: the file is missing, damaged, too large or no image, or the model takes videos.
        MissingDependency: Pillow is not installed.
    """
    file = check_file(Path(path), spec)
    if spec.modality != "image":
        raise InputError(f"{file} was to be read as an image, but the model takes {spec}.")
    try:
        picture = read_picture(file, str(file))
    except UnreadableInput as error:
        error.hint = error.hint or f"The model takes {spec}."
        raise
    return in_layout(picture_to_tensor(picture, spec), spec)[None]


def in_layout(picture: Tensor, spec: InputSpec) -> Tensor:
    """Returns a picture (3, H, W) with its dimensions in the order of the model's layout."""
    return (picture if spec.layout == "NCHW" else picture.permute(1, 2, 0)).contiguous()

"""Reading a picture of a file or URL."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from essmc_core.inputs import picture_file
from essmc_core.inputs.files import checked_file
from essmc_data.files.locations import is_url, local_path
from essmc_data.files.opening import read_bytes

if TYPE_CHECKING:
    from PIL.Image import Image


def read_picture(path: str) -> Image:
    """Returns the picture of a file or URL as PIL's, RGB, upright by its EXIF tag.

    Raises:
        UnreadableInput: it is missing, empty, damaged, no picture, or larger than
            `essmc_core.inputs.picture_file.MAX_PIXELS`.
    """
    source = io.BytesIO(read_bytes(path)) if is_url(path) else checked_file(local_path(path))
    return picture_file.read_picture(source, path)

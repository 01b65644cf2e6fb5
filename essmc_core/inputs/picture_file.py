"""Opening untrusted picture files of any format: one picture, upright, RGB, of bounded size."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from essmc_core.errors import MissingDependency, UnreadableInput
from essmc_core.inputs.picture import to_rgb

if TYPE_CHECKING:
    from PIL.Image import Image

MAX_PIXELS = 178_956_970
"""Pixels of a picture that is decoded: what Pillow takes for a decompression bomb beyond, whatever it is set to."""
_PROGRAMS = ("EPS", "WMF")
"""Formats that other programs draw, which take as long as their files please."""
_ORIENTATION = 0x0112


def read_picture(source: Path | BinaryIO, name: str) -> Image:
    """Returns the picture of a file, of an animation the first frame: upright by its EXIF tag, RGB.

    EXIF data that cannot be understood are passed over, as viewers do.

    Args:
        source: a path, which was found to be a file, or a seekable binary file.
        name: what to call it in messages.

    Raises:
        UnreadableInput: it is damaged, no picture, one of more than `MAX_PIXELS` pixels, or of a mode that is
            neither 8 nor 16 bits of known range.
        MissingDependency: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingDependency(
            "Images are read with Pillow, which is not installed.", hint="pip install pillow"
        ) from error
    with explained_picture(name), warnings.catch_warnings():
        # Sizes are checked here, and what a decoder makes of damage is a picture or an error.
        warnings.simplefilter("ignore")
        with Image.open(source) as opened:
            _check_size(opened, name)
            if opened.format in _PROGRAMS:
                raise UnreadableInput(f"{name} is {opened.format}, which is a drawing, not a picture.")
            opened.load()
            # Containers of several sizes say only now which one they hold.
            _check_size(opened, name)
            rgb = to_rgb(upright(opened))
            return rgb.copy() if rgb is opened else rgb


def _check_size(image: Image, name: str) -> None:
    width, height = image.size
    if width < 1 or height < 1:
        raise UnreadableInput(f"{name} cannot be read as an image: it is {width}x{height} pixels large.")
    if width * height > MAX_PIXELS:
        raise UnreadableInput(
            f"{name} cannot be read as an image: {width}x{height} pixels are too many, the limit is {MAX_PIXELS:,}.",
            hint="Scale it down first.",
        )


def upright(image: Image) -> Image:
    """Returns a picture turned and mirrored as its EXIF tag says."""
    from PIL.Image import Transpose

    try:
        orientation = image.getexif().get(_ORIENTATION)
    except Exception:
        return image
    turn = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation if isinstance(orientation, int) else 1)
    if turn is None:
        return image
    turned = image.transpose(turn)
    # Colour conversion asks for it, and transposing keeps it under another object.
    turned.info = dict(image.info)
    return turned


@contextmanager
def explained_picture(name: str) -> Iterator[None]:
    """Makes whatever Pillow raises an `InputError` that says what cannot be read, by its name."""
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except (UnreadableInput, MissingDependency):
        raise
    except UnidentifiedImageError as error:
        raise UnreadableInput(f"{name} is not an image that can be read.") from error
    except Image.DecompressionBombError as error:
        raise UnreadableInput(f"{name} cannot be read as an image: {error}", hint="Scale it down first.") from error
    except MemoryError as error:
        raise UnreadableInput(f"{name} cannot be read as an image: it takes more memory than there is.") from error
    except OSError as error:
        raise UnreadableInput(f"{name} cannot be read as an image: {error.strerror or error}.") from error
    # Decoders meet damaged files with whatever their code happens to raise: RuntimeError, struct.error, IndexError …
    except Exception as error:
        said = str(error).strip().rstrip(".") or "no reason is given"
        kind = "" if isinstance(error, (ValueError, SyntaxError, EOFError)) else f"{type(error).__name__}: "
        raise UnreadableInput(f"{name} cannot be read as an image: {kind}{said}.") from error

"""Pictures and clips that are in memory already, PIL images and arrays, to the tensor that a model takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from essmc_core.errors import InputError
from essmc_core.inputs.clip import Views, views_of_frames
from essmc_core.inputs.frames import Timeline, clips_of
from essmc_core.inputs.image import in_layout
from essmc_core.inputs.picture import picture_to_tensor
from essmc_core.inputs.picture_file import explained_picture, upright
from essmc_core.inputs.spec import InputSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

_ARRAYS = "Give uint8 values from 0 to 255, colours last and in the order RGB: (H, W, 3) or (T, H, W, 3)."


def is_in_memory(value: object) -> bool:
    """Tells a PIL image or an array from a path."""
    from PIL.Image import Image

    return isinstance(value, (Image, np.ndarray, Tensor))


def describe_in_memory(value: Any) -> str:
    """Returns what to call a picture or clip that has no file: ``array 480×640×3``."""
    if isinstance(value, (np.ndarray, Tensor)):
        return f"array {'×'.join(map(str, value.shape))}"
    filename = getattr(value, "filename", "")
    return str(filename) if filename else f"picture {value.width}×{value.height}"


def load_in_memory(value: Image | NDArray[Any] | Tensor, spec: InputSpec, views: Views) -> Tensor:
    """Prepares a picture or a clip as `load_image` and `load_views` prepare a file of the same pixels.

    Args:
        value: a PIL image of any mode (its EXIF orientation is applied); or an array or tensor of uint8: a picture
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a clip (T, H, W, 3). The frames of a clip are taken for
            frames at the rate that ``spec`` counts in.
        spec: what the model takes.
        views: of a clip.

    Returns:
        A float32 tensor (1, 3, H, W), or (views, 3, T, H, W), or in the layout of ``spec``.

    Raises:
        InputError: it is none of these, or not what the model takes.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if not isinstance(value, np.ndarray):
        with explained_picture(f"The {describe_in_memory(value)}"):
            return _picture(upright(value), spec)
    shape = "×".join(map(str, value.shape))
    if value.dtype != np.uint8:
        raise InputError(f"The array {shape} holds {value.dtype}.", hint=_ARRAYS)
    if not value.size:
        raise InputError(f"The array {shape} is empty.", hint=_ARRAYS)
    if value.ndim == 4 and value.shape[-1] == 3:
        return _clip(value, spec, views)
    if value.ndim == 3 and value.shape[-1] == 1:
        value = value[..., 0]
    if value.ndim == 2 or (value.ndim == 3 and value.shape[-1] in (3, 4)):
        return _picture(_to_pil(value), spec)
    first = " Its colours seem to come first." if value.ndim in (3, 4) and value.shape[-3] == 3 else ""
    raise InputError(f"An array {shape} is neither a picture nor a clip.{first}", hint=_ARRAYS)


def _picture(image: Image, spec: InputSpec) -> Tensor:
    if spec.modality != "image":
        raise InputError("A picture was given, but the model takes clips.", hint=f"It takes {spec}.")
    with explained_picture(f"The {describe_in_memory(image)}"):
        return in_layout(picture_to_tensor(image, spec), spec)[None]


def _clip(frames: NDArray[np.uint8], spec: InputSpec, views: Views) -> Tensor:
    if spec.modality != "video":
        raise InputError("A clip was given, but the model takes pictures.", hint=f"It takes {spec}.")
    step = spec.seconds_between
    # One frame a step, or as many as `stride` says.
    rate = 1.0 if step is None else (spec.stride or 1) / step
    chosen = clips_of(Timeline.even(len(frames), rate), spec, views.temporal)
    return views_of_frames({index: frames[index] for clip in chosen for index in clip}, chosen, spec, views)


def _to_pil(array: NDArray[np.uint8]) -> Image:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(array))

"""Any transform of torchvision.transforms.v2, by its name there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torchvision.transforms import InterpolationMode, v2
from torchvision.transforms.v2 import functional

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean
from essmc_data.item import Item
from essmc_data.transforms.base import ImageTransform, per_frame
from essmc_data.transforms.scaled_size import check_scaled_size


class TorchvisionTransform(ImageTransform):
    """Applies one of torchvision's transforms to a picture, or to all frames of a (C, T, H, W) video alike.

    Args:
        name: e.g. ``RandAugment``.
        arguments: of that transform; ``interpolation`` by its name.
        input_key: which value to read.
        output_key: where to write; by default where it was read.

    Raises:
        ConfigError: torchvision has no such transform, or it does not take these arguments.
    """

    def __init__(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        input_key: str = "img",
        output_key: str | None = None,
    ) -> None:
        super().__init__("torchvision", input_key, output_key)
        found = getattr(v2, name, None)
        known = [key for key, value in vars(v2).items() if isinstance(value, type) and issubclass(value, v2.Transform)]
        if name not in known or found is None:
            raise ConfigError(f"torchvision has no transform {name!r}.", hint=did_you_mean(name, known))
        given = dict(arguments or {})
        if isinstance(given.get("interpolation"), str):
            given["interpolation"] = InterpolationMode(given["interpolation"])
        self._shorter = _shorter_side(name, given)
        try:
            self._transform = found(**given)
        except (TypeError, ValueError) as error:
            raise ConfigError(f"torchvision's {name} cannot be made: {error}.") from error

    def apply(self, value: Any, item: Item) -> Any:
        """Returns what torchvision makes of the value.

        Raises:
            UnreadableInput: a thin picture would become very large.
        """
        if self._shorter is not None:
            height, width = value.shape[:2] if isinstance(value, np.ndarray) else functional.get_size(value)
            check_scaled_size(height, width, self._shorter, item)
        if getattr(value, "ndim", 0) == 4:
            return per_frame(self._transform, value)
        return self.through(self._transform, value)


def _shorter_side(name: str, arguments: Mapping[str, Any]) -> int | None:
    """Returns the length that ``Resize`` scales shorter sides to, None where something bounds the longer ones."""
    size = arguments.get("size")
    if isinstance(size, (list, tuple)) and len(size) == 1:
        size = size[0]
    return size if name == "Resize" and isinstance(size, int) and arguments.get("max_size") is None else None

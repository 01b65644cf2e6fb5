"""A transform that flips pictures."""

from __future__ import annotations

from typing import Any

import torch

from essmc_core.contract.annotations import Probability


class SoundTransform:
    """Flips a picture now and then: (C, H, W) → (C, H, W).

    Args:
        p: how often.
        key: where the picture is in the item.
    """

    def __init__(self, p: Probability = 0.5, key: str = "img") -> None:
        self.p = p
        self.key = key

    def __call__(self, item: dict[str, Any]) -> dict[str, Any]:
        """Returns a new item; the given one stays as it is."""
        picture = item[self.key]
        return {**item, self.key: picture.flip(-1) if torch.rand(()) < self.p else picture}

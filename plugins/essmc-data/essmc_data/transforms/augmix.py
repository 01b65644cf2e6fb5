"""AugMix: mixtures of chains of simple augmentations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional

from essmc_data.item import Item
from essmc_data.transforms.base import ImageTransform


class AugMix(ImageTransform):
    """Mixes a picture with chains of augmentations of it, and normalises (Hendrycks et al., ICLR 2020).

    Args:
        mixture_width: chains.
        mixture_depth: augmentations in a chain; -1 for one to three at random.
        aug_prob_coeff: parameter of the Dirichlet and Beta distributions that weigh the chains.
        aug_severity: strength, 1 to 10.
        mean: per channel, of values in [0, 1].
        std: per channel.
        input_key: which value to read, ``img`` by default: a PIL image, or a uint8 (H, W, C) array or (C, H, W) tensor.
        output_key: where to write; by default where it was read.
    """

    def __init__(
        self,
        mixture_width: int = 3,
        mixture_depth: int = -1,
        aug_prob_coeff: float = 1.0,
        aug_severity: int = 1,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        input_key: str | None = None,
        output_key: str | None = None,
    ) -> None:
        super().__init__("pillow", input_key, output_key)
        self._mix = v2.AugMix(aug_severity, mixture_width, mixture_depth, aug_prob_coeff)
        self.mean, self.std = list(mean), list(std)

    def apply(self, value: Any, item: Item) -> Any:
        """Returns a normalised float32 (C, H, W) tensor."""
        mixed = self.through(self._mix, value)
        if not isinstance(mixed, torch.Tensor):
            mixed = functional.to_image(mixed).as_subclass(torch.Tensor)
        return functional.normalize(functional.to_dtype(mixed, torch.float32, scale=True), self.mean, self.std)

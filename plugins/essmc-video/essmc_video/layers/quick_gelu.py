"""The activation of CLIP, and of all networks here that start from its weights."""

from __future__ import annotations

from torch import Tensor


def quick_gelu(x: Tensor) -> Tensor:
    """Returns x · sigmoid(1.702 x), an approximation of GELU by Hendrycks and Gimpel, 2016."""
    return x * (1.702 * x).sigmoid()

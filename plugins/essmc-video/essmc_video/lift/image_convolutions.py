"""What the convolutions of image networks do beyond `torch.nn.Conv2d`: other paddings, standardised weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

# timm's kinds, by name, since timm need not be there.
_SAME = frozenset({"Conv2dSame"})
_STANDARDISED = frozenset({"StdConv2d", "StdConv2dSame", "ScaledStdConv2d", "ScaledStdConv2dSame"})


@dataclass(frozen=True)
class Kind:
    """A kind of 2D convolution.

    Attributes:
        same: whether space is padded so that a stride of s leaves ceil(size / s), the odd pixel at the end.
        eps: of the variance that weights are divided by; None: weights are used as they are.
        scale: of standardised weights, besides a learned ``gain``.
    """

    same: bool = False
    eps: float | None = None
    scale: float = 1.0


def kind_of(convolution: nn.Conv2d) -> Kind | None:
    """Returns the kind of a convolution, None where it is a kind of its own."""
    if type(convolution) is nn.Conv2d:
        return Kind()
    if not type(convolution).__module__.startswith("timm."):
        return None
    name = type(convolution).__name__
    if name in _SAME:
        return Kind(same=True)
    if name in _STANDARDISED:
        same = bool(getattr(convolution, "same_pad", False))
        return Kind(same, float(getattr(convolution, "eps")), float(getattr(convolution, "scale", 1.0)))  # noqa: B009
    return None


def pad_same(video: Tensor, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """Pads height and width of (N, C, T, H, W) with zeros, as `Kind.same` says; arguments are for both."""
    pads: list[int] = []
    for size, width, step, spread in zip(video.shape[-2:], kernel, stride, dilation, strict=True):
        total = max((-(-size // step) - 1) * step + (width - 1) * spread + 1 - size, 0)
        pads = [total // 2, total - total // 2, *pads]
    return functional.pad(video, pads)


def standardised(weight: Tensor, shares: Tensor, gain: Tensor | None, kind: Kind) -> Tensor:
    """Standardises a 3D weight (O, I, t, k, k) so that its sum over time is the standardised sum.

    For still clips that is the weight standardisation of the 2D network: Qiao et al., "Micro-Batch Training with
    Batch-Channel Normalization and Weight Standardization", 2019, and, with a gain, Brock et al., "Characterizing
    Signal Propagation to Close the Performance Gap in Unnormalized ResNets", ICLR 2021.

    Args:
        weight: as it is learned.
        shares: (t,) adding up to 1: how much of the mean is taken from each frame.
        gain: (O, 1, 1, 1), or None.
        kind: what it is standardised with.
    """
    picture = weight.sum(dim=2)
    variance, mean = torch.var_mean(picture, dim=(1, 2, 3), correction=0, keepdim=True)
    factor = kind.scale * torch.rsqrt(variance + (kind.eps or 0.0))
    factor = factor if gain is None else factor * gain
    return (weight - mean.unsqueeze(2) * shares.view(-1, 1, 1)) * factor.unsqueeze(2)

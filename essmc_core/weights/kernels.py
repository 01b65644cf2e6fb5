"""Adapts kernels of convolutions and linear layers to another rank or number of channels."""

from __future__ import annotations

from torch import Tensor

from essmc_core.weights.adapt_options import AdaptOptions


def calibrated_kernel(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | None:
    """Reshapes a 2D kernel (O, I, k, k), or (O, I, 1, k, k), to TAdaConv's base weight (1, 1, O, I, k, k).

    Source: Huang et al., "TAda! Temporally-Adaptive Convolutions for Video Understanding", ICLR 2022.
    """
    if wanted.dim() != 6 or wanted.shape[:2] != (1, 1):
        return None
    flat = given.squeeze(2) if given.dim() == 5 and given.shape[2] == 1 else given
    if flat.shape != wanted.shape[2:]:
        return None
    return flat[None, None], "2D kernel as the base weight of TAdaConv"


def inflated_kernel(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | str | None:
    """Inflates a kernel (O, I, k, k) to (O, I, t, k, k).

    ``"average"`` repeats it t times and divides by t, so that a clip of equal frames has the 2D response (Carreira and
    Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017). ``"centre"`` puts it on the middle frame and zeros on the
    others.
    """
    if given.dim() != 4 or wanted.dim() != 5 or given.shape[2:] != wanted.shape[3:]:
        return None
    if given.shape[0] != wanted.shape[0]:
        return None
    if options.inflate is None:
        return "the weights have 2D kernels; inflate='average' or inflate='centre' makes them 3D"
    frames = wanted.shape[2]
    if options.inflate == "average":
        return (given / frames).unsqueeze(2).repeat(1, 1, frames, 1, 1), f"inflated to {frames} frames by averaging"
    inflated = given.new_zeros(*given.shape[:2], frames, *given.shape[2:])
    inflated[:, :, frames // 2] = given
    return inflated, f"inflated to {frames} frames around the centre"


def input_channels(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | None:
    """Changes the number of input channels of the first convolution, keeping the scale of its response.

    One channel is given the sum of the kernels (the response to a grey image stays the same); for other numbers the
    kernels are repeated cyclically and scaled by old / new.
    """
    if key != options.input_key or given.dim() < 4 or given.dim() != wanted.dim():
        return None
    old, new = given.shape[1], wanted.shape[1]
    if old == new or given.shape[0] != wanted.shape[0] or given.shape[2:] != wanted.shape[2:]:
        return None
    note = f"{old} input channels to {new}"
    if new == 1:
        return given.sum(dim=1, keepdim=True), f"{note} by summing"
    turns = [channel % old for channel in range(new)]
    return given[:, turns] * (old / new), f"{note} by repeating"


def point_kernel(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | None:
    """Reshapes a pointwise convolution, (O, I, 1, 1) or (O, I, 1, 1, 1), to a linear layer (O, I), or back."""
    ranks = {given.dim(), wanted.dim()}
    if 2 not in ranks or not ranks & {4, 5} or given.shape[:2] != wanted.shape[:2] or given.numel() != wanted.numel():
        return None
    note = "pointwise convolution as linear layer" if wanted.dim() == 2 else "linear layer as pointwise convolution"
    return given.reshape(wanted.shape), note

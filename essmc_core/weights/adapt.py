"""Rules that make a tensor of the weights fit a tensor of the module, each one saying what it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from essmc_core.weights.position_grid import Grid
from essmc_core.weights.positions import resized_positions
from essmc_core.weights.source import Inflation, TimePositions


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """What the caller allows.

    Attributes:
        inflate: how 2D kernels become 3D ones; None: they do not.
        input_key: the convolution whose number of input channels may change; None: no one's may.
        grids: the module's tables of positions: key -> tokens along time, height and width.
        position_grid: the same for the tables of the weights; None: to be found out.
        positions: how positions in time are made more or fewer.
        resampling: how tables of positions are resized in space, by key, where not bilinearly.
        pictures: the tables of positions of image networks.
        image: whether the weights are an image network's and the module is a video network.
    """

    inflate: Inflation | None = None
    input_key: str | None = None
    grids: Mapping[str, Grid] = field(default_factory=dict)
    position_grid: Sequence[int] | None = None
    positions: TimePositions = "interpolate"
    image: bool = False
    pictures: frozenset[str] = frozenset()
    resampling: Mapping[str, Literal["bilinear", "bicubic"]] = field(default_factory=dict)


# Given (key, tensor of the weights, tensor of the module, options), a rule returns the changed tensor and a few words
# on the change, None if it does not apply, or the reason why it would apply but may not. It need not bring about the
# final shape: rules are applied one after another, so that a later one may finish what an earlier one began.
Rule = Callable[[str, Tensor, Tensor, AdaptOptions], "tuple[Tensor, str] | str | None"]


def calibrated_kernel(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | None:
    """Gives a 2D kernel (O, I, k, k), or (O, I, 1, k, k), the layout of TAdaConv's base weight (1, 1, O, I, k, k).

    Source: Huang et al., "TAda! Temporally-Adaptive Convolutions for Video Understanding", ICLR 2022.
    """
    if wanted.dim() != 6 or wanted.shape[:2] != (1, 1):
        return None
    flat = given.squeeze(2) if given.dim() == 5 and given.shape[2] == 1 else given
    if flat.shape != wanted.shape[2:]:
        return None
    return flat[None, None], "2D kernel as the base weight of TAdaConv"


def inflated_kernel(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | str | None:
    """Turns a kernel (O, I, k, k) into (O, I, t, k, k).

    ``"average"`` repeats it t times and divides by t, so that a clip of equal frames gives the 2D response (Carreira
    and Zisserman, "Quo Vadis, Action Recognition?", CVPR 2017). ``"centre"`` puts it on the middle frame among zeros.
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

    One channel gets the sum of the kernels (the response to a grey picture stays the same); other numbers repeat
    the kernels in turn, scaled by old / new.
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
    """Turns a convolution over single places, (O, I, 1, 1) or (O, I, 1, 1, 1), into a linear layer (O, I), or back."""
    ranks = {given.dim(), wanted.dim()}
    if 2 not in ranks or not ranks & {4, 5} or given.shape[:2] != wanted.shape[:2] or given.numel() != wanted.numel():
        return None
    note = "pointwise convolution as linear layer" if wanted.dim() == 2 else "linear layer as pointwise convolution"
    return given.reshape(wanted.shape), note


DEFAULT_RULES: tuple[Rule, ...] = (calibrated_kernel, inflated_kernel, input_channels, point_kernel, resized_positions)


def fit(
    key: str, given: Tensor, wanted: Tensor, options: AdaptOptions, rules: Sequence[Rule] = DEFAULT_RULES
) -> tuple[Tensor, tuple[str, ...]] | str:
    """Makes one tensor fit another's shape and type.

    Args:
        key: the module's name for it.
        given: tensor of the weights.
        wanted: tensor of the module (only its shape and type are read).
        options: what is allowed.
        rules: tried in order while the shapes differ.

    Returns:
        The fitting tensor and notes on what was done, or, if it cannot be made to fit, the reason.
    """
    if reason := _unusable(given, wanted):
        return reason
    tensor, notes, reasons = given, list[str](), list[str]()
    for rule in rules:
        # As many positions may still lie on another grid, if one is told.
        regridded = rule is resized_positions and options.position_grid is not None
        if tensor.shape == wanted.shape and not regridded:
            continue
        outcome = rule(key, tensor, wanted, options)
        if isinstance(outcome, str):
            reasons.append(outcome)
        elif outcome is not None:
            tensor = outcome[0]
            notes.append(outcome[1])
    if tensor.shape != wanted.shape:
        return ": ".join([f"shape {_shape(given)} does not fit {_shape(wanted)}", *reasons])
    if tensor.dtype != wanted.dtype:
        if not (tensor.is_floating_point() and wanted.is_floating_point()):
            return f"type {_type(given)} does not fit {_type(wanted)}"
        notes.append(f"cast from {_type(tensor)} to {_type(wanted)}")
        tensor = tensor.to(wanted.dtype)
    return tensor, tuple(notes)


def _unusable(given: Tensor, wanted: Tensor) -> str:
    """Returns why a tensor cannot be copied whatever its shape, empty if it can."""
    if isinstance(wanted, (UninitializedBuffer, UninitializedParameter)):
        return "the module's tensor gets its shape in its first forward; run one before loading"
    if given.layout is not torch.strided or given.is_nested:
        return f"the weights' tensor is {str(given.layout).removeprefix('torch.')}, not dense; save it with .to_dense()"
    if given.is_quantized:
        return "the weights' tensor is quantized; save it with .dequantize()"
    if given.is_meta:
        return "the weights' tensor has no values: it was saved on the meta device"
    if wanted.layout is not torch.strided or wanted.is_quantized:
        return "the module's tensor is sparse or quantized, which weights cannot be copied into"
    return ""


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "scalar"


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix(f"{torch.__name__}.")

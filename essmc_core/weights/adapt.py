"""Rules that adapt a tensor of the weights to a tensor of the module, each with a note on the change."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from essmc_core.weights.adapt_options import AdaptOptions
from essmc_core.weights.kernels import calibrated_kernel, inflated_kernel, input_channels, point_kernel
from essmc_core.weights.positions import ResizedPositions

# Given (key, tensor of the weights, tensor of the module, options), a rule returns the changed tensor and a note on the
# change, None if it does not apply, or the reason why it would apply but is not allowed to. It need not produce the
# final shape: rules are applied in sequence, so that a later one may complete an earlier one.
Rule = Callable[[str, Tensor, Tensor, AdaptOptions], "tuple[Tensor, str] | str | None"]

DEFAULT_RULES: tuple[Rule, ...] = (
    calibrated_kernel,
    inflated_kernel,
    input_channels,
    point_kernel,
    ResizedPositions(),
)


def fit(
    key: str, given: Tensor, wanted: Tensor, options: AdaptOptions, rules: Sequence[Rule] = DEFAULT_RULES
) -> tuple[Tensor, tuple[str, ...]] | str:
    """Adapts one tensor to another's shape and type.

    Args:
        key: the module's key.
        given: tensor of the weights.
        wanted: tensor of the module (only its shape and type are read).
        options: what is allowed.
        rules: tried in order while the shapes differ, or if a rule's own method ``applies`` returns true.

    Returns:
        The adapted tensor and notes on the changes, or, if it cannot be adapted, the reason.
    """
    if reason := _unusable(given, wanted):
        return reason
    tensor, notes, reasons = given, list[str](), list[str]()
    for rule in rules:
        applies = getattr(rule, "applies", _shapes_differ)
        if not applies(tensor, wanted, options):
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


def _shapes_differ(given: Tensor, wanted: Tensor, options: AdaptOptions) -> bool:
    return given.shape != wanted.shape


def _unusable(given: Tensor, wanted: Tensor) -> str:
    """Returns why a tensor cannot be copied regardless of its shape, empty if it can."""
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

"""Gradients as a whole: whether they are finite, and their scale."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def are_finite(tensors: list[Tensor]) -> bool:
    """Returns whether the norm of each of some tensors is a finite number; reading it waits for what makes them."""
    if not tensors:
        return True
    norms = torch._foreach_norm(tensors)
    first = norms[0]
    together = torch.stack([norm.to(first.device, torch.float32) for norm in norms])
    return math.isfinite(float(together.sum()))


@torch.no_grad()
def scale_gradients(parameters: Iterable[nn.Parameter], factor: float) -> None:
    """Multiplies all gradients by a number, in place."""
    gradients = gradients_of(parameters)
    if gradients:
        torch._foreach_mul_(gradients, factor)


def gradients_of(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """Returns the gradients that there are, the stored values of sparse ones."""
    found = (parameter.grad for parameter in parameters if parameter.grad is not None)
    # Gradients keep the graph that made them where an optimizer needs second derivatives.
    return [_values(gradient.detach()) for gradient in found]


def _values(gradient: Tensor) -> Tensor:
    return gradient._values() if gradient.is_sparse else gradient

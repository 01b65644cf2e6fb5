"""Buffers that are computed when a model is built and that no file stores, compared with those of another building."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from essmc_core.models.sameness import unstored_buffers
from essmc_core.weights.random_fills import skip_init


def odd_buffers(model: nn.Module, build: Callable[[], nn.Module]) -> list[str]:
    """Returns the names of computed buffers that another building of the model, on the CPU, computes otherwise.

    So a table of positions that was never computed is found, because the model was built on the meta device.

    Args:
        model: the model, before its first forward pass.
        build: builds the same model.
    """
    computed = unstored_buffers(model)
    if not computed:
        return []
    fresh = _fresh(build, seed=0)
    odd = [name for name, buffer in computed.items() if not _equal(buffer, fresh.get(name))]
    if odd:
        # What differs between any two buildings is random, and says nothing of this one.
        again = _fresh(build, seed=1)
        odd = [name for name in odd if name not in fresh or _equal(fresh[name], again.get(name))]
    return odd


def _fresh(build: Callable[[], nn.Module], seed: int) -> Mapping[str, Tensor]:
    with torch.device("cpu"), skip_init():
        torch.default_generator.manual_seed(seed)
        return unstored_buffers(build())


def _equal(one: Tensor, other: Tensor | None) -> bool:
    if other is None or one.is_meta or one.shape != other.shape:
        return False
    left, right = one.detach().cpu(), other.detach().cpu()
    if not left.is_floating_point():
        return torch.equal(left, right)
    # Another device computes the same to its own precision.
    return torch.allclose(left.double(), right.double(), rtol=1e-4, atol=1e-6, equal_nan=True)

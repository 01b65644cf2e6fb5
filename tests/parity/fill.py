"""Weights, inputs and summaries that need no file: rule ``emc2-golden-1`` makes every tensor from its key alone.

Gain 1, not the 2 of He et al.: with batch norms in eval mode the latter doubles the variance in every residual block,
and networks of depth 101 and 152 lose their precision.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

RULE_VERSION = "emc2-golden-1"
CALIBRATION_SCALE = 0.5
LAST_BN_SCALE = 0.3


def fill_array(key: str, shape: Sequence[int], fill_gain: Mapping[str, float] | None = None) -> NDArray[np.float32]:
    """Returns the tensor of one state-dict key.

    Args:
        key: e.g. ``conv1.a.weight``; seeds the random numbers.
        shape: its shape.
        fill_gain: further factors of a case, by the key's ending.
    """
    noise = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(tuple(shape)).astype(np.float32)
    filled = np.asarray(_by_role(key, noise), dtype=np.float32)
    for ending, factor in (fill_gain or {}).items():
        if key.endswith(ending):
            filled = np.asarray(np.float32(factor) * filled, dtype=np.float32)
    return filled


def _by_role(key: str, noise: NDArray[np.float32]) -> NDArray[Any]:
    role = key.rsplit(".", 1)[-1]
    if role == "running_var":
        return 1.0 + 0.1 * np.abs(noise)
    if role in ("running_mean", "bias"):
        return 0.1 * noise
    if role != "weight":
        return 0.2 * noise
    if noise.ndim == 1:
        return _norm_scale(key, noise)
    # TAdaConv2d keeps two leading ones: (1, 1, out, in, height, width).
    fan_in = int(np.prod(noise.shape[3:] if noise.ndim == 6 else noise.shape[1:]))
    weight: NDArray[Any] = noise * math.sqrt(1.0 / fan_in)
    # The calibration 1 + b(.) enters quadratically.
    return CALIBRATION_SCALE * weight if key.endswith("b_rf.b.weight") else weight


def _norm_scale(key: str, noise: NDArray[np.float32]) -> NDArray[Any]:
    scale: NDArray[Any] = 1.0 + 0.1 * noise
    # Keeps a bottleneck network of depth 152 bounded.
    return LAST_BN_SCALE * scale if key.endswith(("c_bn.weight", "bn3.weight")) else scale


def fill_model(model: nn.Module, fill_gain: Mapping[str, float] | None = None) -> None:
    """Overwrites every parameter and buffer, batch counters excepted."""
    filled = {
        key: torch.from_numpy(fill_array(key, value.shape, fill_gain))
        for key, value in model.state_dict().items()
        if not key.endswith("num_batches_tracked")
    }
    result = model.load_state_dict(filled, strict=False)
    assert not result.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)


def make_input(shape: Sequence[int], seed: int) -> Tensor:
    """Returns the input of a case."""
    noise = np.random.RandomState(seed).standard_normal(tuple(shape))
    return torch.from_numpy(noise.astype(np.float32))


def probe(output: Tensor, number: int = 0) -> Tensor:
    """Returns the projection of an output on one fixed random direction, in float64."""
    direction = np.random.RandomState(1000 + number).standard_normal(output.numel())
    return output.double().flatten() @ torch.from_numpy(direction) / math.sqrt(output.numel())


def summarize(output: Tensor) -> dict[str, Any]:
    """Returns the numbers a case keeps of an output."""
    values = output.detach().double().flatten()
    strided = torch.from_numpy(np.linspace(0, values.numel() - 1, 16).astype(np.int64))
    return {
        "shape": list(output.shape),
        "first16": values[:16].tolist(),
        "strided16": values[strided].tolist(),
        "mean": values.mean().item(),
        "std": values.std(correction=0).item(),
        "l2": values.norm().item(),
        "absmax": values.abs().max().item(),
        "probes4": [probe(output.detach(), number).item() for number in range(4)],
    }

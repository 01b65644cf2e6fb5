"""Means of what a model reports, weighted by batch size, read from the device as rarely as possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_MOST_PENDING = 256


class RunningMeans:
    """Weighted means by name.

    Values stay on their device until someone asks: reading a value makes the CPU wait for an accelerator. Sums are
    taken in double precision and in order, so that when they were read makes no difference to the last bit.
    """

    def __init__(self) -> None:
        self._sums: dict[str, tuple[float, float]] = {}
        self._pending: list[tuple[str, Any, float]] = []
        self._last = 0

    def reset(self) -> None:
        """Forgets everything."""
        self._sums.clear()
        self._pending.clear()

    def add(self, values: Mapping[str, Any], weight: float) -> None:
        """Adds the scalars among some values.

        Args:
            values: numbers and tensors by name; whatever is not a scalar is left out.
            weight: of all of them, e.g. the batch size. With 0 nothing is added.
        """
        if len(self._pending) > _MOST_PENDING:
            self._flush()
        self._last = len(self._pending)
        if not weight:
            return
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                # A model may give its loss as (1,); one row of scores is no scalar.
                if value.ndim == 0 or (name == "loss" and value.numel() == 1):
                    self._pending.append((name, value.detach(), weight))
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                self._pending.append((name, value, weight))

    def drop_last(self) -> None:
        """Takes back what was added last, unless the means were asked for since."""
        del self._pending[self._last :]

    def means(self) -> dict[str, float]:
        """Returns the means by name, in the order in which the names came."""
        self._flush()
        return {name: total / weight for name, (total, weight) in self._sums.items()}

    def pending_values(self, name: str) -> list[float]:
        """Returns the values of a name that were added since the means were last asked for, and adds them up."""
        return [value for key, value, _ in self._flush() if key == name]

    def state_dict(self) -> dict[str, tuple[float, float]]:
        """Returns sum and weight by name."""
        self._flush()
        return dict(self._sums)

    def load_state_dict(self, state: Mapping[str, tuple[float, float]]) -> None:
        """Takes up a state."""
        self._pending.clear()
        self._sums = {name: (float(total), float(weight)) for name, (total, weight) in state.items()}

    def _flush(self) -> list[tuple[str, float, float]]:
        read = _read(self._pending)
        self._pending.clear()
        self._last = 0
        for name, value, weight in read:
            total, weights = self._sums.get(name, (0.0, 0.0))
            self._sums[name] = (total + value * weight, weights + weight)
        return read


def combine(states: list[dict[str, tuple[float, float]]]) -> dict[str, float]:
    """Returns the means over several processes' states."""
    sums: dict[str, tuple[float, float]] = {}
    for state in states:
        for name, (total, weight) in state.items():
            before = sums.get(name, (0.0, 0.0))
            sums[name] = (before[0] + total, before[1] + weight)
    return {name: total / weight for name, (total, weight) in sums.items()}


def _read(pending: list[tuple[str, Any, float]]) -> list[tuple[str, float, float]]:
    """Reads all values at once, so that an accelerator is waited for once."""
    tensors = [value for _, value, _ in pending if isinstance(value, torch.Tensor)]
    numbers: list[float] = []
    if tensors:
        wide = torch.float32 if tensors[0].device.type == "mps" else torch.float64
        numbers = torch.stack([tensor.reshape(()).to(tensors[0].device, wide) for tensor in tensors]).tolist()
    values = iter(numbers)
    return [
        (name, next(values) if isinstance(value, torch.Tensor) else float(value), weight)
        for name, value, weight in pending
    ]

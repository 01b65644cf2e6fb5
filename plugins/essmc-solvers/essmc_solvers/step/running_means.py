"""Means of what a model reports, weighted by what counts, read from the device as rarely as possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

_MOST_PENDING = 256
LOSS = "loss"
_NO_VALUES = ("batch_size", "normalizers", "loss_terms")


class RunningMeans:
    """Weighted means by name.

    Values stay on their device until someone asks: reading a value makes the CPU wait for an accelerator. Sums are
    taken in double precision and in order, so that when they were read makes no difference to the last bit.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Any] = {}
        self._pending: list[tuple[str, Any, Any, float | None]] = []
        self._last = 0

    def reset(self) -> None:
        """Forgets everything."""
        self._sums.clear()
        self._pending.clear()

    def add(self, values: Mapping[str, Any], weight: float, ends: float = 1.0) -> None:
        """Adds the scalars among a model's outputs, ``batch_size`` aside.

        A loss of several terms is the sum of their means. A value whose normalizer is None is a sum: it is
        added up, and its mean is that over all that ended.

        Args:
            values: numbers and tensors by name, weighed by ``normalizers``; whatever is not a scalar is left out.
            weight: of those without one, e.g. the batch size. With 0 nothing is added, whatever the normalizers.
            ends: how many of what sums are sums of end with this: the share of this process of a step, or 0.
        """
        if len(self._pending) > _MOST_PENDING:
            self._flush()
        self._last = len(self._pending)
        normalizers = values.get("normalizers") or {}
        terms = values.get("loss_terms") or {}
        for name, value in values.items():
            if name == LOSS and terms:
                self._sums[LOSS] = tuple(terms)
            elif name not in _NO_VALUES:
                self._add(name, value, weight, normalizers.get(name, weight), ends)
        for name, value in terms.items():
            self._add(name, value, weight, normalizers.get(name, weight), ends)

    def _add(self, name: str, value: Any, weight: float, normalizer: Any, ends: float) -> None:
        if isinstance(value, torch.Tensor):
            # A model may give its loss as (1,); one row of scores is no scalar.
            if value.ndim and not (name.startswith(LOSS) and value.numel() == 1):
                return
            value = value.detach()
        elif not isinstance(value, (int, float)) or isinstance(value, bool):
            return
        if normalizer is None:
            self._pending.append((name, value, float(bool(weight)), ends))
        elif weight:
            self._pending.append((name, value, normalizer, None))

    def drop_last(self) -> None:
        """Takes back what was added last, unless the means were asked for since."""
        del self._pending[self._last :]

    def means(self) -> dict[str, float]:
        """Returns the means by name, in the order in which the names came."""
        self._flush()
        return _means(self._sums)

    @property
    def names(self) -> list[str]:
        """Names of all that was added, means that do not exist yet included."""
        return list(dict.fromkeys([*self._sums, *(name for name, *_ in self._pending)]))

    def state_dict(self) -> dict[str, Any]:
        """Returns sum and weight by name; of a loss of several terms their names."""
        self._flush()
        return dict(self._sums)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Takes up a state."""
        self._pending.clear()
        self._sums = {name: tuple(entry) for name, entry in state.items()}

    def _flush(self) -> None:
        values, weights = _read([value for _, value, _, _ in self._pending] + [item[2] for item in self._pending])
        for (name, _, _, ends), value, weight in zip(self._pending, values, weights, strict=True):
            total, divisor = self._sums.get(name, (0.0, 0.0))
            # What counts nothing may be 0 / 0.
            added = value * weight if weight else 0.0
            if weight or ends:
                self._sums[name] = (total + added, divisor + (weight if ends is None else ends))
        self._pending.clear()
        self._last = 0


def reported_names(outputs: Any) -> set[str]:
    """Returns the names of the means that are taken of a model's outputs."""
    means = RunningMeans()
    if isinstance(outputs, Mapping):
        means.add(outputs, 1.0)
    return set(means.names)


def combine(states: list[dict[str, Any]]) -> dict[str, float]:
    """Returns the means over several processes' states."""
    sums: dict[str, Any] = {}
    for state in states:
        for name, entry in state.items():
            if _is_names(entry):
                sums[name] = entry
            else:
                before = sums.get(name, (0.0, 0.0))
                sums[name] = (before[0] + entry[0], before[1] + entry[1])
    return _means(sums)


def _means(sums: Mapping[str, Any]) -> dict[str, float]:
    plain = {name: total / divisor for name, (total, divisor) in _plain(sums).items() if divisor}
    means: dict[str, float] = {}
    for name, entry in sums.items():
        if _is_names(entry):
            found = [plain[term] for term in entry if term in plain]
            if found:
                means[name] = sum(found)
        elif name in plain:
            means[name] = plain[name]
    return means


def _plain(sums: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {name: entry for name, entry in sums.items() if not _is_names(entry)}


def _is_names(entry: tuple[Any, ...]) -> bool:
    return bool(entry) and isinstance(entry[0], str)


def _read(pending: list[Any]) -> tuple[list[float], list[float]]:
    """Reads all values at once, so that an accelerator is waited for once; returns the two halves."""
    tensors = [value for value in pending if isinstance(value, torch.Tensor)]
    numbers: list[float] = []
    if tensors:
        device = next((tensor.device for tensor in tensors if tensor.device.type != "cpu"), tensors[0].device)
        wide = torch.float32 if device.type == "mps" else torch.float64
        numbers = torch.stack([tensor.reshape(()).detach().to(device, wide) for tensor in tensors]).tolist()
    values = iter(numbers)
    read = [next(values) if isinstance(value, torch.Tensor) else float(value) for value in pending]
    return read[: len(read) // 2], read[len(read) // 2 :]

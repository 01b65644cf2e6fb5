"""Settings of schedules and warm-ups that are possible and hardly meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from essmc_solvers.optimizers.warm_up import WarmUp

_LARGER_IS_BETTER = ("acc", "map", "auc", "f1")


def doubts(
    schedules: Iterable[Any], warm_up: WarmUp, *, largest_rate: float, metric: str, max_epochs: int
) -> Iterator[str]:
    """Yields in words what to say of a run's learning rates.

    Args:
        schedules: those of the run.
        warm_up: what lies over them.
        largest_rate: that they start with.
        metric: what schedules go by that go by one.
        max_epochs: of the run.
    """
    if warm_up.func is not None:
        start = warm_up.start
        if start is not None and start > largest_rate:
            yield f"warmup_start_lr {start:g} is above the rate {largest_rate:g}, which there is from the beginning"
        if warm_up.epochs > max_epochs:
            yield f"the warm-up takes {warm_up.epochs:g} epochs, more than max_epochs {max_epochs}"
    for schedule in schedules:
        yield from _floor(schedule)
        if isinstance(schedule, ReduceLROnPlateau) and schedule.mode == "min":
            name = metric.partition("/")[2].lower()
            if any(part in name for part in _LARGER_IS_BETTER):
                yield f"ReduceLROnPlateau waits for {metric} to fall: is mode: max meant?"


def _floor(schedule: Any) -> Iterator[str]:
    floor = getattr(schedule, "eta_min", None)
    rates = [float(rate) for rate in getattr(schedule, "base_lrs", ())]
    if isinstance(floor, (int, float)) and rates and floor > max(rates):
        yield f"eta_min {floor:g} of {type(schedule).__name__} is above the rate {max(rates):g}"

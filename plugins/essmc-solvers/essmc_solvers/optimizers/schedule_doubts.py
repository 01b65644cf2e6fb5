"""What schedules and warm-ups may be told and is hardly meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

if TYPE_CHECKING:
    from essmc_solvers.hooks.lr import LrHook
    from essmc_solvers.solvers.training import TrainValSolver

_LARGER_IS_BETTER = ("acc", "map", "auc", "f1")


def doubts(hook: LrHook, solver: TrainValSolver) -> Iterator[str]:
    """Yields in words what to say of a run's learning rates."""
    if hook.warmup_func is not None:
        yield from _warm_up(hook, solver)
    for schedule in solver.lr_schedulers.values():
        yield from _floor(schedule)
        if isinstance(schedule, ReduceLROnPlateau) and schedule.mode == "min":
            name = hook.metric.partition("/")[2].lower()
            if any(part in name for part in _LARGER_IS_BETTER):
                yield f"ReduceLROnPlateau waits for {hook.metric} to fall: is mode: max meant?"


def _warm_up(hook: LrHook, solver: TrainValSolver) -> Iterator[str]:
    rate, start = hook.largest_rate, hook.warmup_start_lr
    if start is not None and start > rate:
        yield f"warmup_start_lr {start:g} is above the rate {rate:g}, which there is from the beginning"
    if hook.warmup_epochs > solver.max_epochs:
        yield f"the warm-up takes {hook.warmup_epochs:g} epochs, more than max_epochs {solver.max_epochs}"


def _floor(schedule: Any) -> Iterator[str]:
    floor = getattr(schedule, "eta_min", None)
    rates = [float(rate) for rate in getattr(schedule, "base_lrs", ())]
    if isinstance(floor, (int, float)) and rates and floor > max(rates):
        yield f"eta_min {floor:g} of {type(schedule).__name__} is above the rate {max(rates):g}"

"""How schedules of torch and timm make their steps: once an epoch, within epochs, and all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from essmc_core.errors import ConfigError, EssmcError


def is_timm(schedule: Any) -> bool:
    """Returns whether a schedule is one of timm's, which say themselves what they count."""
    return hasattr(schedule, "step_update")


def is_plateau(schedule: Any) -> bool:
    """Returns whether a schedule goes by a metric."""
    return isinstance(schedule, ReduceLROnPlateau) or (
        is_timm(schedule) and "plateau" in type(schedule).__name__.lower()
    )


def check_length(schedule: Any, max_epochs: int, batches: int | None, by_epoch: bool) -> None:
    """Refuses a schedule that would end before the training.

    Args:
        schedule: one that is built.
        max_epochs: of the training.
        batches: of an epoch, None for streams of unknown length.
        by_epoch: whether it makes one step an epoch, or one an iteration.

    Raises:
        ConfigError: it would.
    """
    length = 1 if by_epoch else batches
    if not isinstance(schedule, OneCycleLR) or length is None:
        return
    steps = max_epochs * length
    if schedule.total_steps < steps:
        unit = "epoch" if by_epoch else "iteration"
        raise ConfigError(
            f"OneCycleLR ends after {schedule.total_steps} steps, and this training makes {steps}: LrHook with "
            f"set_by_epoch={by_epoch} makes one step an {unit}",
            hint=f"lr_scheduler: {{type: OneCycleLR, total_steps: {steps}, …}}",
        )


def step_epoch(schedule: Any, following: int, folds: int, metric: float | None, by_epoch: bool) -> None:
    """Lets a schedule make the step of an epoch's end.

    Args:
        schedule: one that is built.
        following: number of the next epoch.
        folds: epochs that have passed.
        metric: what it goes by, if it goes by one.
        by_epoch: whether it is one of those that count epochs.
    """
    with _naming(schedule):
        if is_timm(schedule):
            schedule.step(following, metric)
        elif isinstance(schedule, ReduceLROnPlateau):
            assert metric is not None
            schedule.step(metric)
        elif by_epoch:
            for _ in range(folds):
                schedule.step()


def step_iteration(schedule: Any, epoch: float, iterations: int, by_epoch: bool) -> None:
    """Lets a schedule make the step of an iteration's end.

    Args:
        schedule: one that is built.
        epoch: epochs done, a fraction.
        iterations: done in all.
        by_epoch: whether it counts epochs.
    """
    with _naming(schedule):
        if is_timm(schedule):
            schedule.step_update(iterations)
        elif not by_epoch:
            _step_within_epoch(schedule, epoch)


def catch_up(schedule: Any, epochs: int, done: float, iterations: int, by_epoch: bool) -> None:
    """Lets a schedule that is new make all steps of a run so far.

    Args:
        schedule: one that is built; one that goes by a metric stays as it is.
        epochs: that are complete.
        done: epochs done, a fraction.
        iterations: done in all.
        by_epoch: whether it counts epochs.
    """
    with _naming(schedule):
        if is_timm(schedule):
            if not is_plateau(schedule):
                schedule.step(epochs)
                schedule.step_update(iterations)
        elif isinstance(schedule, ReduceLROnPlateau):
            return
        elif by_epoch:
            for _ in range(epochs):
                schedule.step()
        elif isinstance(schedule, CosineAnnealingWarmRestarts) or _has_closed_form(schedule):
            _step_within_epoch(schedule, done)
        else:
            for _ in range(iterations):
                schedule.step()


def groups_of(optimizers: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """Returns the groups of parameters of each optimizer."""
    return [optimizer.param_groups for optimizer in optimizers.values()]


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Sets the learning rate of a group of parameters."""
    # Some optimizers keep the rate as a tensor, which compiled code goes on reading.
    if hasattr(group["lr"], "fill_"):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


@contextmanager
def _naming(schedule: Any) -> Iterator[None]:
    """Names the schedule whose step fails."""
    try:
        yield
    except EssmcError:
        raise
    except Exception as error:
        raise ConfigError(
            f"{type(schedule).__name__} cannot make a step: {error}",
            hint="Do its arguments fit max_epochs and LrHook's set_by_epoch?",
        ) from error


def _has_closed_form(schedule: Any) -> bool:
    return hasattr(schedule, "_get_closed_form_lr") or isinstance(schedule, LambdaLR)


def _step_within_epoch(schedule: Any, epoch: float) -> None:
    if isinstance(schedule, ReduceLROnPlateau):
        return
    if isinstance(schedule, CosineAnnealingWarmRestarts):
        schedule.step(epoch)
    elif isinstance(schedule, LRScheduler) and _has_closed_form(schedule):
        untyped: Any = schedule
        untyped.last_epoch = epoch
        rates = _lambda_rates(schedule, epoch) if isinstance(schedule, LambdaLR) else untyped._get_closed_form_lr()
        for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        untyped._last_lr = list(rates)
    else:
        schedule.step()


def _lambda_rates(schedule: LambdaLR, epoch: float) -> list[Any]:
    # The functions take epochs as int by their annotation, and any number in fact.
    factors: list[Any] = schedule.lr_lambdas
    return [base * factor(epoch) for base, factor in zip(schedule.base_lrs, factors, strict=True)]

"""Learning-rate schedules and warm-up."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from torch.optim.lr_scheduler import (
    CosineAnnealingWarmRestarts,
    LambdaLR,
    LRScheduler,
    OneCycleLR,
    ReduceLROnPlateau,
)

from essmc_core.contract.annotations import NonNegativeFloat
from essmc_core.errors import ConfigError, EssmcError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.optimizers.schedule_doubts import doubts

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver

_USUAL_START = 1e-4


class LrHook(Hook):
    """Lets the schedules step, and warms up.

    The warm-up lies over the schedule, which does not see it: a rate rises in a straight line from
    ``warmup_start_lr`` to what the schedule says, and is exactly that from epoch ``warmup_epochs`` on. Of several
    parameter groups each rises to its own rate; ``warmup_start_lr`` is the start of the one with the largest, the
    others start in proportion. It never starts above the rate.

    Args:
        set_by_epoch: schedules step once an epoch. Otherwise rates change at each iteration: schedules with a closed
            form, such as ``CosineAnnealingLR``, are asked for fractions of epochs, their arguments still being in
            epochs; others, such as ``OneCycleLR``, take one step per iteration. Schedules of timm say themselves
            what they count.
        warmup_func: ``linear``, or None for no warm-up.
        warmup_epochs: length of the warm-up.
        warmup_start_lr: where it starts; by default at 1e-4, or at a tenth of a rate that is not above that.
        metric: what ``ReduceLROnPlateau`` and timm's ``plateau`` watch: ``train/loss``, ``eval/loss``,
            ``eval/acc@1`` … They make no step after an epoch without evaluation if they watch that.
        priority: hooks with lower ones run first.

    Raises:
        ConfigError: unknown ``warmup_func``, no epochs to warm up in, or a rate below 0.
    """

    for_training = True

    def __init__(
        self,
        set_by_epoch: bool = True,
        warmup_func: Literal["linear"] | None = None,
        warmup_epochs: NonNegativeFloat = 1,
        warmup_start_lr: float | None = None,
        metric: str = "train/loss",
        priority: int = 200,
    ) -> None:
        super().__init__(priority)
        if warmup_func not in (None, "linear"):
            raise ConfigError(f"warmup_func is 'linear' or nothing, got {warmup_func!r}")
        if warmup_func and not 0 < warmup_epochs < math.inf:
            raise ConfigError(f"warmup_epochs must be above 0, got {warmup_epochs}")
        if warmup_start_lr is not None and not 0 <= warmup_start_lr < math.inf:
            raise ConfigError(f"warmup_start_lr must be 0 or more, got {warmup_start_lr}")
        self.set_by_epoch = set_by_epoch
        self.warmup_func = warmup_func
        self.warmup_epochs = warmup_epochs
        self.warmup_start_lr = warmup_start_lr
        self.metric = metric
        self._scheduled: list[list[float]] = []

    def before_solve(self, solver: TrainValSolver) -> None:  # type: ignore[override]
        """Takes the rates that optimizers and schedules start with as those to warm up to."""
        for schedule in solver.lr_schedulers.values():
            self._check_steps(schedule, solver)
        self._read(solver)
        for doubt in doubts(self, solver):
            solver.log(f"warning: {doubt}")
        self._apply(solver, 0.0)

    def derive(self, solver: TrainValSolver) -> None:
        """Lets schedules that are new catch up with a run, and takes the rates that they come to."""
        done = solver.epoch + solver.folds * solver.iter / (solver.loaders["train"].length or float("inf"))
        for schedule in solver.lr_schedulers.values():
            with _naming(schedule):
                self._catch_up(schedule, done, solver)
        self._read(solver)
        self._apply(solver, float(solver.epoch) if self.set_by_epoch else done)

    def _catch_up(self, schedule: Any, done: float, solver: TrainValSolver) -> None:
        has_closed_form = hasattr(schedule, "_get_closed_form_lr") or isinstance(schedule, LambdaLR)
        if _is_timm(schedule):
            if "plateau" not in type(schedule).__name__.lower():
                schedule.step(solver.epoch)
                schedule.step_update(solver.total_iters)
        elif isinstance(schedule, ReduceLROnPlateau):
            return
        elif self.set_by_epoch:
            for _ in range(solver.epoch):
                schedule.step()
        elif isinstance(schedule, CosineAnnealingWarmRestarts) or has_closed_form:
            _step_within_epoch(schedule, done)
        else:
            for _ in range(solver.total_iters):
                schedule.step()

    def _check_steps(self, schedule: Any, solver: TrainValSolver) -> None:
        """Refuses schedules that would end before the training."""
        length = 1 if self.set_by_epoch else solver.loaders["train"].length
        if not isinstance(schedule, OneCycleLR) or length is None:
            return
        steps = solver.max_epochs * length
        if schedule.total_steps < steps:
            unit = "epoch" if self.set_by_epoch else "iteration"
            raise ConfigError(
                f"OneCycleLR ends after {schedule.total_steps} steps, and this training makes {steps}: LrHook with "
                f"set_by_epoch={self.set_by_epoch} makes one step an {unit}",
                hint=f"lr_scheduler: {{type: OneCycleLR, total_steps: {steps}, …}}",
            )

    def watched(self, solver: TrainValSolver) -> list[tuple[str, str, str]]:
        """Returns what is watched: who, whose data, and the name of the metric."""
        plateaus = [schedule for schedule in solver.lr_schedulers.values() if _is_plateau(schedule)]
        mode, _, name = self.metric.partition("/")
        return [("metric of LrHook", mode, name)] if plateaus else []

    def after_iter(self, solver: TrainValSolver) -> None:  # type: ignore[override]
        """Sets the rates of the next iteration."""
        if solver.mode != "train":
            return
        timm = [schedule for schedule in solver.lr_schedulers.values() if _is_timm(schedule)]
        if self.set_by_epoch and not timm:
            return
        done = solver.epoch + solver.folds * solver.iter / (solver.epoch_max_iter or float("inf"))
        self.restore(solver)
        for schedule in solver.lr_schedulers.values():
            with _naming(schedule):
                if _is_timm(schedule):
                    schedule.step_update(solver.total_iters)
                elif not self.set_by_epoch:
                    _step_within_epoch(schedule, done)
        self._read(solver)
        self._apply(solver, float(solver.epoch) if self.set_by_epoch else done)

    def after_epoch(self, solver: TrainValSolver) -> None:  # type: ignore[override]
        """Sets the rates of the next epoch."""
        following = solver.epoch + solver.folds
        self.restore(solver)
        for schedule in solver.lr_schedulers.values():
            with _naming(schedule):
                self._step_epoch(schedule, following, solver)
        self._read(solver)
        self._apply(solver, following)

    def _step_epoch(self, schedule: Any, following: int, solver: TrainValSolver) -> None:
        if _is_plateau(schedule) and self._waits(solver):
            return
        if _is_timm(schedule):
            schedule.step(following, self._watched(solver) if _is_plateau(schedule) else None)
        elif isinstance(schedule, ReduceLROnPlateau):
            schedule.step(self._watched(solver))
        elif self.set_by_epoch:
            for _ in range(solver.folds):
                schedule.step()

    def _waits(self, solver: TrainValSolver) -> bool:
        """Tells whether this epoch has no evaluation, whose metric is watched: there is nothing new to go by."""
        return self.metric.startswith("eval/") and "eval" in solver.loaders and "eval" not in solver.epoch_outputs

    def _watched(self, solver: TrainValSolver) -> float:
        mode, _, name = self.metric.partition("/")
        means = solver.epoch_outputs.get(mode, {})
        if name not in means:
            known = [f"{mode}/{key}" for mode, values in solver.epoch_outputs.items() for key in values]
            raise ConfigError(
                f"LrHook watches {self.metric!r}, which this epoch does not have", hint=f"There is {', '.join(known)}."
            )
        return float(means[name])

    def _read(self, solver: TrainValSolver) -> None:
        """Keeps the rates that the schedules chose."""
        self._scheduled = [[_number(group["lr"]) for group in groups] for groups in _groups(solver)]

    def restore(self, solver: TrainValSolver) -> None:
        """Gives the schedules back the rates they chose: many compute the next one from the last."""
        for groups, rates in zip(_groups(solver) if self._scheduled else [], self._scheduled, strict=True):
            for group, rate in zip(groups, rates, strict=True):
                _set(group, rate)

    def _apply(self, solver: TrainValSolver, epoch: float) -> None:
        """Lays the warm-up over the schedule's rates."""
        if self.warmup_func is None or epoch >= self.warmup_epochs:
            return
        share = epoch / self.warmup_epochs
        largest = self.largest_rate
        for groups, rates in zip(_groups(solver), self._scheduled, strict=True):
            for group, rate in zip(groups, rates, strict=True):
                start = min(self._start(largest) * (rate / largest if largest else 1.0), rate)
                _set(group, start + (rate - start) * share)

    @property
    def largest_rate(self) -> float:
        """The largest of the rates that the schedules chose last."""
        return max((rate for rates in self._scheduled for rate in rates), default=0.0)

    def _start(self, largest: float) -> float:
        if self.warmup_start_lr is not None:
            return self.warmup_start_lr
        return _USUAL_START if largest > _USUAL_START else largest / 10

    def state_dict(self) -> dict[str, Any]:
        """Returns the schedules' rates, which the optimizers do not hold during warm-up."""
        return {"scheduled": self._scheduled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up the schedules' rates."""
        self._scheduled = [list(rates) for rates in state["scheduled"]]


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


def _step_within_epoch(schedule: Any, epoch: float) -> None:
    if isinstance(schedule, ReduceLROnPlateau):
        return
    if isinstance(schedule, CosineAnnealingWarmRestarts):
        schedule.step(epoch)
    elif isinstance(schedule, LRScheduler) and (
        hasattr(schedule, "_get_closed_form_lr") or isinstance(schedule, LambdaLR)
    ):
        schedule.last_epoch = epoch  # type: ignore[assignment]
        rates = _lambda_rates(schedule, epoch) if isinstance(schedule, LambdaLR) else schedule._get_closed_form_lr()
        for group, rate in zip(schedule.optimizer.param_groups, rates, strict=True):
            _set(group, rate)
        schedule._last_lr = list(rates)
    else:
        schedule.step()


def _lambda_rates(schedule: LambdaLR, epoch: float) -> list[Any]:
    # The functions take epochs as int by their annotation, and any number in fact.
    factors: list[Any] = schedule.lr_lambdas
    return [base * factor(epoch) for base, factor in zip(schedule.base_lrs, factors, strict=True)]


def _groups(solver: TrainValSolver) -> list[list[dict[str, Any]]]:
    return [optimizer.param_groups for optimizer in solver.optimizers.values()]


def _set(group: dict[str, Any], rate: Any) -> None:
    # Some optimizers keep the rate as a tensor, which compiled code goes on reading.
    if hasattr(group["lr"], "fill_"):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def _number(rate: Any) -> float:
    return float(rate)


def _is_plateau(schedule: Any) -> bool:
    return isinstance(schedule, ReduceLROnPlateau) or (
        _is_timm(schedule) and "plateau" in type(schedule).__name__.lower()
    )


def _is_timm(schedule: Any) -> bool:
    return hasattr(schedule, "step_update")

"""Learning-rate schedules and warm-up."""

from __future__ import annotations

from typing import Any, Literal

from essmc_core.contract.annotations import NonNegativeFloat
from essmc_core.errors import ConfigError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.optimizers.schedule_doubts import doubts
from essmc_solvers.optimizers.schedule_steps import (
    catch_up,
    check_length,
    groups_of,
    is_plateau,
    is_timm,
    set_rate,
    step_epoch,
    step_iteration,
)
from essmc_solvers.optimizers.warm_up import WarmUp
from essmc_solvers.run.protocol import Run


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
    sets_rates = True

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
        self.set_by_epoch = set_by_epoch
        self.warm_up = WarmUp(warmup_func, warmup_epochs, warmup_start_lr)
        self.metric = metric
        self._scheduled: list[list[float]] = []

    def before_solve(self, run: Run) -> None:
        """Takes the rates that optimizers and schedules start with as those to warm up to."""
        schedules = run.lr_schedulers.values()
        for schedule in schedules:
            check_length(schedule, run.max_epochs, run.loaders["train"].length, self.set_by_epoch)
        self._read(run)
        largest = self._largest_rate
        for doubt in doubts(
            schedules, self.warm_up, largest_rate=largest, metric=self.metric, max_epochs=run.max_epochs
        ):
            run.log(f"warning: {doubt}")
        self._apply(run, 0.0)

    def rederive(self, run: Run) -> None:
        """Lets schedules that are new catch up with a run, and takes the rates that they come to."""
        done = run.epoch + run.folds * run.iter / (run.loaders["train"].length or float("inf"))
        for schedule in run.lr_schedulers.values():
            catch_up(schedule, run.epoch, done, run.total_iters, self.set_by_epoch)
        self._read(run)
        self._apply(run, float(run.epoch) if self.set_by_epoch else done)

    def watched(self, run: Run) -> list[tuple[str, str, str]]:
        """Returns what is watched: who, whose data, and the name of the metric."""
        mode, _, name = self.metric.partition("/")
        return [("metric of LrHook", mode, name)] if any(map(is_plateau, run.lr_schedulers.values())) else []

    def after_iter(self, run: Run) -> None:
        """Sets the rates of the next iteration."""
        if run.mode != "train":
            return
        if self.set_by_epoch and not any(map(is_timm, run.lr_schedulers.values())):
            return
        done = run.epoch + run.folds * run.iter / (run.epoch_max_iter or float("inf"))
        self._restore(run)
        for schedule in run.lr_schedulers.values():
            step_iteration(schedule, done, run.total_iters, self.set_by_epoch)
        self._read(run)
        self._apply(run, float(run.epoch) if self.set_by_epoch else done)

    def after_epoch(self, run: Run) -> None:
        """Sets the rates of the next epoch."""
        following = run.epoch + run.folds
        self._restore(run)
        for schedule in run.lr_schedulers.values():
            goes_by_metric = is_plateau(schedule)
            if not goes_by_metric or not self._waits(run):
                metric = self._watched(run) if goes_by_metric else None
                step_epoch(schedule, following, run.folds, metric, self.set_by_epoch)
        self._read(run)
        self._apply(run, following)

    def compared_settings(self) -> dict[str, Any]:
        """Returns what decides the rates."""
        return {
            "set_by_epoch": self.set_by_epoch,
            "warmup_func": self.warm_up.func,
            "warmup_epochs": self.warm_up.epochs,
            "warmup_start_lr": self.warm_up.start,
            "metric": self.metric,
        }

    def state_dict(self) -> dict[str, Any]:
        """Returns the schedules' rates, which the optimizers do not hold during warm-up."""
        return {"scheduled": self._scheduled}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up the schedules' rates."""
        self._scheduled = [list(rates) for rates in state["scheduled"]]

    def _waits(self, run: Run) -> bool:
        """Returns whether this epoch has no evaluation, whose metric is watched: there is nothing new to go by."""
        return self.metric.startswith("eval/") and "eval" in run.loaders and "eval" not in run.epoch_outputs

    def _watched(self, run: Run) -> float:
        mode, _, name = self.metric.partition("/")
        means = run.epoch_outputs.get(mode, {})
        if name not in means:
            known = [f"{mode}/{key}" for mode, values in run.epoch_outputs.items() for key in values]
            raise ConfigError(
                f"LrHook watches {self.metric!r}, which this epoch does not have", hint=f"There is {', '.join(known)}."
            )
        return float(means[name])

    def _read(self, run: Run) -> None:
        """Keeps the rates that the schedules chose."""
        self._scheduled = [[float(group["lr"]) for group in groups] for groups in groups_of(run.optimizers)]

    def _restore(self, run: Run) -> None:
        """Gives the schedules back the rates they chose: many compute the next one from the last."""
        for groups, rates in zip(groups_of(run.optimizers) if self._scheduled else [], self._scheduled, strict=True):
            for group, rate in zip(groups, rates, strict=True):
                set_rate(group, rate)

    def _apply(self, run: Run, epoch: float) -> None:
        """Lays the warm-up over the schedule's rates."""
        if not self.warm_up.covers(epoch):
            return
        largest = self._largest_rate
        for groups, rates in zip(groups_of(run.optimizers), self._scheduled, strict=True):
            for group, rate in zip(groups, rates, strict=True):
                set_rate(group, self.warm_up.rate(rate, largest, epoch))

    @property
    def _largest_rate(self) -> float:
        return max((rate for rates in self._scheduled for rate in rates), default=0.0)

"""Checks of learning-rate schedules: the rates that they set, and that they continue from a checkpoint."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.first_argument import FirstArgumentSubject
from essmc_devkit.components.library_code import unless_of_a_library
from essmc_devkit.components.small_arguments import required_arguments
from essmc_devkit.problem import Problem

_STEPS = 12
_RATES = (0.1, 0.01)
_USUAL: Mapping[str, Any] = {
    "step_size": 2,
    "milestones": (1, 3),
    "gamma": 0.5,
    "T_max": 4,
    "T_0": 2,
    "base_lr": 0.01,
    "max_lr": 0.1,
    "total_steps": 100,
    "t_initial": 8,
}
"""What required arguments of these names usually take."""


class ScheduleSubject(FirstArgumentSubject):
    """A schedule of learning rates.

    Args:
        config: its name, or a mapping with ``type`` and arguments; the optimizer is added as its first argument.
    """

    given_first = "optimizer"

    def __init__(self, config: str | Mapping[str, Any]) -> None:
        super().__init__("lr_schedulers", config)

    @property
    def config(self) -> dict[str, Any]:
        """Type and arguments, an optimizer with two groups among them.

        Raises:
            NotChecked: an argument is required, and nothing says what it could be.
        """
        found, unknown = required_arguments(self.component)
        found |= {name: _USUAL[name] for name in unknown if name in _USUAL}
        missing = [name for name in unknown if name not in (*found, *self.given, self.argument)]
        if missing:
            raise NotChecked(f"nothing says what {', '.join(missing)} could be: give it in a test class")
        return {**found, **self.given, self.argument: two_groups()}

    def schedule(self, optimizer: Any) -> Any:
        """Returns a schedule of an optimizer."""
        arguments: dict[str, Any] = {self.argument: optimizer}
        return self.build(**arguments)


def two_groups() -> torch.optim.Optimizer:
    """Returns an optimizer of two parameters with rates of their own."""
    parameters = [{"params": [nn.Parameter(torch.ones(2))], "lr": rate} for rate in _RATES]
    return torch.optim.SGD(parameters, lr=_RATES[0], momentum=0.9)


def rates(schedule: Any, optimizer: Any, steps: int, first: int = 0) -> list[list[float]]:
    """Lets a schedule make steps, and returns the rate of each group after each."""
    found = []
    for number in range(first, first + steps):
        optimizer.step()
        _step(schedule, number + 1)
        found.append([float(group["lr"]) for group in optimizer.param_groups])
    return found


@check("schedule.rates")
@unless_of_a_library
def sane_rates(subject: ScheduleSubject) -> Iterator[Problem]:
    """The rates of all groups are finite and not negative after each step."""
    optimizer = two_groups()
    schedule = subject.schedule(optimizer)
    for number, row in enumerate(rates(schedule, optimizer, _STEPS), start=1):
        if not all(math.isfinite(rate) and rate >= 0 for rate in row):
            yield Problem(f"after step {number} the rates are {row}", "set rates of 0 or more, whatever the step")
            return


@check("schedule.state")
@unless_of_a_library
def state(subject: ScheduleSubject) -> Iterator[Problem]:
    """With the state of a checkpoint another one goes on as it would."""
    optimizer = two_groups()
    schedule = subject.schedule(optimizer)
    if not all(callable(getattr(schedule, name, None)) for name in ("state_dict", "load_state_dict")):
        yield Problem("it has no state_dict and load_state_dict", "define both, which checkpoints call")
        return
    rates(schedule, optimizer, 5)
    kept = copy.deepcopy((optimizer.state_dict(), schedule.state_dict()))
    again = two_groups()
    other = subject.schedule(again)
    try:
        again.load_state_dict(kept[0])
        other.load_state_dict(kept[1])
    except Exception as error:
        yield Problem(
            f"its own state dict is refused: {brief(error)}", "let load_state_dict take what state_dict gives"
        )
        return
    expected, found = rates(schedule, optimizer, _STEPS, 5), rates(other, again, _STEPS, 5)
    for number, (one, two) in enumerate(zip(found, expected, strict=True), start=6):
        if not all(math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-12) for a, b in zip(one, two, strict=True)):
            yield Problem(
                f"resumed after 5 steps, its rates after step {number} are {one} instead of {two}",
                "keep all that steps read in attributes of plain data",
            )
            return


ALL = (sane_rates, state)


def _step(schedule: Any, number: int) -> None:
    if hasattr(schedule, "step_update"):
        # Schedules of timm are told the epoch, and the metric that some go by.
        schedule.step(number, 1.0)
    elif "metrics" in getattr(type(schedule).step, "__code__", _step.__code__).co_varnames:
        schedule.step(1.0)
    else:
        schedule.step()

"""New settings for a run that is resumed: optimizers get them, and schedules catch up with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from essmc_solvers.checkpoint.comparison import Change, concerns_rates
from essmc_solvers.checkpoint.hook_parts import rederive
from essmc_solvers.run.protocol import Run

_COUNTERS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


def apply_hyperparameters(run: Run, changed: Sequence[Change]) -> None:
    """Sets what was changed to what this run was built with, rates included where any schedule changes.

    Args:
        run: the run, the checkpoint's optimizers loaded.
        changed: what is different.
    """
    names = {change.name for change in changed}
    of_rates = any(concerns_rates(change, run.hooks) for change in changed)
    for key, made in run.optimizers.items():
        front = f"solver.optimizer.{key}".rstrip(".")
        for group, before in zip(made.param_groups, run.starting_groups[key], strict=True):
            for name, value in before.items():
                is_rate = name in ("lr", "initial_lr", "max_lr", "min_lr")
                if f"{front}.{name}" in names or (of_rates and is_rate):
                    group[name] = value


def derive_schedules(run: Run, states: Mapping[str, Any]) -> None:
    """Lets the schedules of this run come to where it is, from their beginning.

    Args:
        run: the run, its position and hooks restored.
        states: of the checkpoint's schedules; those that watch a metric keep what they have seen.
    """
    for key, schedule in run.lr_schedulers.items():
        if isinstance(schedule, ReduceLROnPlateau) and isinstance(states.get(key), Mapping):
            for name in _COUNTERS:
                setattr(schedule, name, states[key].get(name, getattr(schedule, name)))
    rederive(run)

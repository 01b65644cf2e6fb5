"""New settings for a run that is taken up: optimizers get them, and schedules catch up with the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from essmc_solvers.checkpoint.comparison import Change
from essmc_solvers.hooks.lr import LrHook

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver

_COUNTERS = ("best", "num_bad_epochs", "cooldown_counter", "last_epoch")


def hyperparameters(solver: TrainValSolver) -> dict[str, list[dict[str, Any]]]:
    """Returns what the optimizers' groups are set to before a checkpoint is loaded, warm-up left out."""
    hook = solver.hook(LrHook)
    if hook is not None:
        hook.restore(solver)
    return {
        key: [{name: _copy(value) for name, value in group.items() if name != "params"} for group in made.param_groups]
        for key, made in solver.optimizers.items()
    }


def apply_hyperparameters(
    solver: TrainValSolver, kept: Mapping[str, list[dict[str, Any]]], changed: Sequence[Change]
) -> None:
    """Sets what was changed to what this run was built with, rates included where any schedule changes.

    Args:
        solver: the run, the checkpoint's optimizers loaded.
        kept: as `hyperparameters` returned it.
        changed: what is different.
    """
    names = {change.name for change in changed}
    of_rates = any(change.is_of_rates for change in changed)
    for key, made in solver.optimizers.items():
        front = f"solver.optimizer.{key}".rstrip(".")
        for group, before in zip(made.param_groups, kept[key], strict=True):
            for name, value in before.items():
                is_rate = name in ("lr", "initial_lr", "max_lr", "min_lr")
                if f"{front}.{name}" in names or (of_rates and is_rate):
                    group[name] = value


def derive_schedules(solver: TrainValSolver, states: Mapping[str, Any]) -> None:
    """Lets the schedules of this run come to where it is, from their beginning.

    Args:
        solver: the run, its position and hooks restored.
        states: of the checkpoint's schedules; those that watch a metric keep what they have seen.
    """
    for key, schedule in solver.lr_schedulers.items():
        if isinstance(schedule, ReduceLROnPlateau) and isinstance(states.get(key), Mapping):
            for name in _COUNTERS:
                setattr(schedule, name, states[key].get(name, getattr(schedule, name)))
    hook = solver.hook(LrHook)
    if hook is not None:
        hook.derive(solver)


def _copy(value: Any) -> Any:
    return value.clone() if hasattr(value, "clone") else value

"""What optimizers and schedules are set to, by dotted name, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# What schedules count, and what they keep of the optimizer's own rates.
_COUNTED = {"last_epoch", "base_lrs", "best", "num_bad_epochs", "cooldown_counter", "base_values", "metric",
            "total_size", "T_cur", "T_i", "optimizer", "best_epoch", "mode_worse", "param_group_field"}  # fmt: skip
_RENAMED = {"_schedulers": "schedulers", "_milestones": "milestones"}


def optimizer_settings(optimizers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of optimizers as they were built: of several groups, a list where they differ."""
    found: dict[str, Any] = {}
    for key, optimizer in optimizers.items():
        groups = optimizer.param_groups
        front = f"solver.optimizer.{key}".rstrip(".")
        for name in dict.fromkeys(name for group in groups for name in group if name != "params"):
            values = [plain(group.get(name)) for group in groups]
            if all(value is not NOT_PLAIN for value in values):
                found[f"{front}.{name}"] = values[0] if all(value == values[0] for value in values) else values
        found[f"{front} (parameters by group)"] = [len(group["params"]) for group in groups]
    return found


def schedule_settings(schedules: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the arguments of schedules, what they count left out."""
    found: dict[str, Any] = {}
    for key, schedule in schedules.items():
        if hasattr(schedule, "state_dict"):
            found.update(_schedule(f"solver.lr_scheduler.{key}".rstrip("."), schedule.state_dict()))
    return found


def hyperparameters(optimizers: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Returns copies of what the groups of optimizers are set to, parameters left out."""
    return {
        key: [{name: _copy(value) for name, value in group.items() if name != "params"} for group in made.param_groups]
        for key, made in optimizers.items()
    }


class _NotPlain:
    """Stands for a value that cannot be compared between processes, such as a function."""


NOT_PLAIN: Any = _NotPlain()


def plain(value: Any) -> Any:
    """Returns a value that processes can compare, `NOT_PLAIN` where it has no such form."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [plain(item) for item in value]
        return NOT_PLAIN if any(item is NOT_PLAIN for item in items) else items
    # Some optimizers keep the rate as a tensor.
    return float(value) if getattr(value, "ndim", None) == 0 else NOT_PLAIN


def _schedule(path: str, state: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in state.items():
        name = _RENAMED.get(key, key)
        if name in _COUNTED or name.startswith("_"):
            continue
        if isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value):
            for index, item in enumerate(value):
                found.update(_schedule(f"{path}.{name}.{index}", item))
        elif isinstance(value, Mapping):  # MultiStepLR counts its milestones
            found[f"{path}.{name}"] = sorted(map(str, value.items()))
        elif (setting := plain(value)) is not NOT_PLAIN:
            found[f"{path}.{name}"] = setting
    return found


def _copy(value: Any) -> Any:
    return value.clone() if hasattr(value, "clone") else value

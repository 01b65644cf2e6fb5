"""What a run was set to, by dotted name, so that a resumed run can be compared with the one that was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_solvers.data.labels import class_counts
from essmc_solvers.hooks.ema import EmaHook
from essmc_solvers.hooks.lr import LrHook
from essmc_solvers.starting.run_summary import groups_of

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver

SOLVER = (
    "max_epochs", "num_folds", "accumulate_steps", "clip_grad_norm", "clip_grad_value", "split_batches",
)  # fmt: skip
"""Attributes of a solver that decide what a run comes to."""
HOOKS: dict[type[Any], tuple[str, ...]] = {
    LrHook: ("set_by_epoch", "warmup_func", "warmup_epochs", "warmup_start_lr", "metric"),
    EmaHook: ("decay", "warmup"),
}
# What schedules count, and what they keep of the optimizer's own rates.
_COUNTED = {"last_epoch", "base_lrs", "best", "num_bad_epochs", "cooldown_counter", "base_values", "metric",
            "total_size", "T_cur", "T_i", "optimizer", "best_epoch", "mode_worse", "param_group_field"}  # fmt: skip
_RENAMED = {"_schedulers": "schedulers", "_milestones": "milestones"}
_LONGEST = 1000


def optimizer_settings(optimizers: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of optimizers as they were built: of several groups, a list where they differ."""
    found: dict[str, Any] = {}
    for key, optimizer in optimizers.items():
        groups = optimizer.param_groups
        front = f"solver.optimizer.{key}".rstrip(".")
        for name in dict.fromkeys(name for group in groups for name in group if name != "params"):
            values = [_plain(group.get(name)) for group in groups]
            if all(value is not _NOT_PLAIN for value in values):
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


def run_settings(solver: TrainValSolver) -> dict[str, Any]:
    """Returns all that decides what a run comes to and that the solver holds itself, by dotted name."""
    found: dict[str, Any] = {f"solver.{name}": _plain(getattr(solver, name)) for name in SOLVER}
    found["solver.mixed_precision"] = solver.accelerator.mixed_precision
    found["solver.freeze"] = groups_of(solver.module, solver.frozen.names)
    found.update(solver.built_settings)
    for kind, names in HOOKS.items():
        hook = solver.hook(kind)
        if hook is not None:
            found.update({f"solver.hooks.{kind.__name__}.{name}": _plain(getattr(hook, name)) for name in names})
    loader = solver.loaders["train"]
    found["data.train.batch_size"] = loader.full_batch
    found["batches of an epoch"] = loader.length
    found["items of the training data"] = _length(loader.dataset)
    classes = getattr(loader.dataset, "classes", None)
    if isinstance(classes, Sequence) and not isinstance(classes, str) and 0 < len(classes) <= _LONGEST:
        found["classes of the training data"] = [str(name) for name in classes]
    found["classes of the model"] = list(class_counts(solver.module))
    found["processes"] = solver.accelerator.num_processes
    return {name: value for name, value in found.items() if value is not _NOT_PLAIN}


def flat(value: Any, path: str) -> dict[str, Any]:
    """Returns the leaves of nested mappings and sequences by dotted path."""
    if isinstance(value, Mapping) and value:
        return {name: leaf for key, item in value.items() for name, leaf in flat(item, f"{path}.{key}").items()}
    if isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, list, tuple)) for item in value):
        return {name: leaf for key, item in enumerate(value) for name, leaf in flat(item, f"{path}.{key}").items()}
    return {path: list(value) if isinstance(value, tuple) else value}


class _NotPlain:
    """Stands for a value that cannot be compared between processes, such as a function."""


_NOT_PLAIN: Any = _NotPlain()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        items = [_plain(item) for item in value]
        return _NOT_PLAIN if any(item is _NOT_PLAIN for item in items) else items
    # Some optimizers keep the rate as a tensor.
    return float(value) if getattr(value, "ndim", None) == 0 else _NOT_PLAIN


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
        elif (plain := _plain(value)) is not _NOT_PLAIN:
            found[f"{path}.{name}"] = plain
    return found


def _length(dataset: Any) -> int | None:
    try:
        return len(dataset)
    except TypeError:
        return None

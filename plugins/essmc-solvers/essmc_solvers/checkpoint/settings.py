"""What a run was set to, by dotted name, so that a resumed run can be compared with the one that was written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from essmc_solvers.checkpoint.hook_parts import hook_settings
from essmc_solvers.data.labels import class_counts
from essmc_solvers.model.submodules import groups_of
from essmc_solvers.optimizers.settings import NOT_PLAIN, plain
from essmc_solvers.run.protocol import Run

_LONGEST = 1000


def run_settings(run: Run) -> dict[str, Any]:
    """Returns all that decides what a run comes to and that the solver holds itself, by dotted name."""
    options = run.step.options
    found: dict[str, Any] = {
        "solver.max_epochs": run.max_epochs,
        "solver.num_folds": run.num_folds,
        "solver.accumulate_steps": options.accumulate_steps,
        "solver.clip_grad_norm": plain(options.clip_grad_norm),
        "solver.clip_grad_value": plain(options.clip_grad_value),
        "solver.split_batches": run.split_batches,
        "solver.mixed_precision": run.accelerator.mixed_precision,
        "solver.freeze": groups_of(run.module, run.frozen.names),
        **run.built_settings,
        **{f"solver.hooks.{name}": plain(value) for name, value in hook_settings(run.hooks).items()},
    }
    loader = run.loaders["train"]
    found["data.train.batch_size"] = loader.full_batch
    found["batches of an epoch"] = loader.length
    found["items of the training data"] = _length(loader.dataset)
    classes = getattr(loader.dataset, "classes", None)
    if isinstance(classes, Sequence) and not isinstance(classes, str) and 0 < len(classes) <= _LONGEST:
        found["classes of the training data"] = [str(name) for name in classes]
    found["classes of the model"] = list(class_counts(run.module))
    found["processes"] = run.accelerator.num_processes
    return {name: value for name, value in found.items() if value is not NOT_PLAIN}


def flat(value: Any, path: str) -> dict[str, Any]:
    """Returns the leaves of nested mappings and sequences by dotted path."""
    if isinstance(value, Mapping) and value:
        return {name: leaf for key, item in value.items() for name, leaf in flat(item, f"{path}.{key}").items()}
    if isinstance(value, (list, tuple)) and any(isinstance(item, (Mapping, list, tuple)) for item in value):
        return {name: leaf for key, item in enumerate(value) for name, leaf in flat(item, f"{path}.{key}").items()}
    return {path: list(value) if isinstance(value, tuple) else value}


def _length(dataset: Any) -> int | None:
    try:
        return len(dataset)
    except TypeError:
        return None

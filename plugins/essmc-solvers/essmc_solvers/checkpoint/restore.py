"""A run is put back to where a checkpoint was written."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_solvers.checkpoint.comparison import changes, concerns_rates, refuse
from essmc_solvers.checkpoint.hook_parts import load_hook_states
from essmc_solvers.checkpoint.optimizer_states import load_parameters, part
from essmc_solvers.checkpoint.rederiving import apply_hyperparameters, derive_schedules
from essmc_solvers.checkpoint.resume_checks import check_length, check_resumable, has_these_groups, tell_changes
from essmc_solvers.randomness import restore_random_state
from essmc_solvers.run.protocol import Run


def restore(run: Run, content: Mapping[str, Any], path: Path) -> None:
    """Takes up a state that `essmc_solvers.checkpoint.capture.capture` returned.

    Args:
        run: that goes on.
        content: of the checkpoint.
        path: its file, for messages.

    Raises:
        CheckpointMismatch: it is that of another model, of other optimizers or data.
    """
    check_resumable(run, content, path)
    changed = changes(run, content) if has_these_groups(run, content) else []
    if not run.resume_changed:
        refuse(changed, path)
    load_parameters(run, content, path)
    check_length(run, content, path)
    tell_changes(run, content, path)
    for change in changed:
        run.log(f"changed since {path.name}: {change}")
    apply_hyperparameters(run, changed)
    is_derived = any(concerns_rates(change, run.hooks) for change in changed)
    if not is_derived:
        for key, schedule in run.lr_schedulers.items():
            schedule.load_state_dict(part(content, "lr_scheduler", key, path))
    if run.accelerator.scaler is not None and "scaler" in content:
        run.accelerator.scaler.load_state_dict(content["scaler"])
    progress = run.progress
    progress.epoch, progress.iter, progress.total_iters = content["epoch"], content["iter"], content["total_iters"]
    progress.epoch_outputs = {mode: dict(means) for mode, means in content["epoch_outputs"].items()}
    run.step.total = content["total_steps"]
    load_hook_states(run, content["hooks"], path.name)
    _restore_process(run, content["processes"], path)
    if is_derived:
        derive_schedules(run, {key: content["lr_scheduler"].get(key) for key in run.lr_schedulers})


def _restore_process(run: Run, processes: list[dict[str, Any]], path: Path) -> None:
    rank, world = run.accelerator.process_index, run.accelerator.num_processes
    if len(processes) != world:
        warnings.warn(
            f"{path} was written by {len(processes)} processes and is resumed by {world}: random numbers, and the "
            "running means of an epoch that was begun, will not be those of an uninterrupted run",
            stacklevel=2,
        )
    own = processes[rank % len(processes)]
    run.means.load_state_dict(own["means"])
    run.progress.unreadable = own.get("unreadable", 0)
    restore_random_state(own["random"])

"""All that a run has to remember to go on as if it had never stopped."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from essmc_solvers.checkpoint.description import describe_run
from essmc_solvers.checkpoint.folder import Position
from essmc_solvers.checkpoint.hook_parts import hook_entries, hook_states
from essmc_solvers.checkpoint.optimizer_states import captured_parameters, kinds
from essmc_solvers.checkpoint.settings import run_settings
from essmc_solvers.engine import gather_objects
from essmc_solvers.randomness import random_state
from essmc_solvers.run.protocol import Run


def capture(run: Run, position: Position) -> dict[str, Any]:
    """Returns the state of a run; every process must take part.

    Args:
        run: the run.
        position: how far it has come.
    """
    weights, optimizers = captured_parameters(run)
    by_process = gather_objects(run.accelerator, _process_state(run))
    content: dict[str, Any] = {
        "epoch": position.epoch,
        "iter": position.iteration,
        "total_iters": run.total_iters,
        "total_steps": run.total_steps,
        "state_dict": weights,
        "optimizer": optimizers,
        "kinds": kinds(run),
        "lr_scheduler": {key: schedule.state_dict() for key, schedule in run.lr_schedulers.items()},
        "hooks": hook_states(run.hooks),
        "processes": by_process,
        "epoch_outputs": run.epoch_outputs,
        "seed": run.seed,
        "train_batches": run.loaders["train"].length,
        "train_readers": run.loaders["train"].readers,
        "train_batch_size": run.loaders["train"].full_batch,
        "config": run.config,
        **describe_run(run, position.epoch),
        "settings": run_settings(run),
        "versions": {name: version(name) for name in ("essmc-core", "essmc-solvers", "torch", "accelerate")},
    }
    if run.accelerator.scaler is not None:
        content["scaler"] = run.accelerator.scaler.state_dict()
    return {**content, **{name: value for name, value in hook_entries(run.hooks).items() if name not in content}}


def _process_state(run: Run) -> dict[str, Any]:
    return {"random": random_state(), "means": run.means.state_dict(), "unreadable": run.unreadable}

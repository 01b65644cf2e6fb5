"""All that a run has to remember to go on as if it had never stopped."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from essmc_solvers.checkpoint.folder import Position
from essmc_solvers.checkpoint.randomness import random_state, restore_random_state
from essmc_solvers.engine import gather_objects
from essmc_solvers.errors import CheckpointMismatch
from essmc_solvers.hooks.ema import EmaHook

if TYPE_CHECKING:
    from essmc_solvers.training import TrainValSolver


def capture(solver: TrainValSolver, position: Position) -> dict[str, Any]:
    """Returns the state of a run; every process must take part.

    Args:
        solver: the run.
        position: how far it has come.
    """
    weights, optimizers = _parameters(solver)
    by_process = gather_objects(solver.accelerator, {"random": random_state(), "means": solver.means.state_dict()})
    content: dict[str, Any] = {
        "epoch": position.epoch,
        "iter": position.iteration,
        "total_iters": solver.total_iters,
        "total_steps": solver.total_steps,
        "state_dict": weights,
        "optimizer": optimizers,
        "lr_scheduler": {key: schedule.state_dict() for key, schedule in solver.lr_schedulers.items()},
        "hooks": {name: hook.state_dict() for name, hook in _named_hooks(solver)},
        "processes": by_process,
        "epoch_outputs": solver.epoch_outputs,
        "seed": solver.seed,
        "train_batches": solver.loaders["train"].length,
        "card": getattr(solver.module, "card", None),
        "config": solver.config,
        "versions": {name: version(name) for name in ("essmc-core", "essmc-solvers", "torch", "accelerate")},
    }
    if solver.accelerator.scaler is not None:
        content["scaler"] = solver.accelerator.scaler.state_dict()
    ema = solver.hook(EmaHook)
    if ema is not None:
        content["state_dict_ema"] = ema.averaged_state()
    return content


def restore(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    """Takes up a state that `capture` returned.

    Raises:
        CheckpointMismatch: it is that of another model, of other optimizers or data.
    """
    _check_data(solver, content, path)
    _load_parameters(solver, content, path)
    for key, schedule in solver.lr_schedulers.items():
        schedule.load_state_dict(_part(content, "lr_scheduler", key, path))
    for name, hook in _named_hooks(solver):
        if name in content["hooks"]:
            hook.load_state_dict(content["hooks"][name])
    if solver.accelerator.scaler is not None and "scaler" in content:
        solver.accelerator.scaler.load_state_dict(content["scaler"])
    solver.epoch, solver.iter = content["epoch"], content["iter"]
    solver.total_iters, solver.total_steps = content["total_iters"], content["total_steps"]
    solver.epoch_outputs = {mode: dict(means) for mode, means in content["epoch_outputs"].items()}
    _restore_process(solver, content["processes"], path)


def _restore_process(solver: TrainValSolver, processes: list[dict[str, Any]], path: Path) -> None:
    rank, world = solver.accelerator.process_index, solver.accelerator.num_processes
    if len(processes) != world:
        warnings.warn(
            f"{path} was written by {len(processes)} processes and is resumed by {world}: random numbers, and the "
            "running means of an epoch that was begun, will not be those of an uninterrupted run",
            stacklevel=2,
        )
    own = processes[rank % len(processes)]
    solver.means.load_state_dict(own["means"])
    restore_random_state(own["random"])


def _check_data(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    if content["seed"] != solver.seed:
        raise CheckpointMismatch(
            f"{path} belongs to a run with seed {content['seed']}, this one has seed {solver.seed}",
            hint=f"Set seed to {content['seed']}: the order of the data depends on it.",
        )
    then, now = content["train_batches"], solver.loaders["train"].length
    if content["iter"] and then != now:
        raise CheckpointMismatch(
            f"{path} was written at batch {content['iter']} of {then}, and the data now make {now} batches",
            hint="Resume with the same data and batch size, or from a checkpoint at the end of an epoch.",
        )


def _parameters(solver: TrainValSolver) -> tuple[Any, Any]:
    if not solver.is_fsdp:
        return solver.module.state_dict(), {key: made.state_dict() for key, made in solver.optimizers.items()}
    from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights, optimizer = get_state_dict(solver.model, _raw_optimizers(solver), options=options)
    return weights, {"": optimizer}


def _load_parameters(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    if solver.is_fsdp:
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

        set_state_dict(
            solver.model,
            _raw_optimizers(solver),
            model_state_dict=dict(content["state_dict"]),
            optim_state_dict=content["optimizer"][""],
            options=StateDictOptions(full_state_dict=True),
        )
        return
    load_weights(solver.module, content["state_dict"], path)
    for key, optimizer in solver.optimizers.items():
        try:
            optimizer.load_state_dict(_part(content, "optimizer", key, path))
        except (ValueError, KeyError) as error:
            raise CheckpointMismatch(f"{path} was written with other optimizers: {error}") from error


def load_weights(module: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    """Loads all weights of a module.

    Raises:
        CheckpointMismatch: they are those of another model.
    """
    try:
        module.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:4]]
        raise CheckpointMismatch(f"{path} belongs to another model: {' '.join(lines)[:300]}") from error


def _raw_optimizers(solver: TrainValSolver) -> list[Any]:
    return [getattr(optimizer, "optimizer", optimizer) for optimizer in solver.optimizers.values()]


def _part(content: Mapping[str, Any], section: str, key: str, path: Path) -> Any:
    if key not in content[section]:
        raise CheckpointMismatch(f"{path} has no {section} {key!r}: it was written with other ones")
    return content[section][key]


def _named_hooks(solver: TrainValSolver) -> list[tuple[str, Any]]:
    """Returns the hooks that have a state by class name, numbered where a class occurs again."""
    named: dict[str, Any] = {}
    for hook in solver.hooks:
        name = type(hook).__name__
        if hasattr(hook, "state_dict"):
            named[f"{name}#{len(named)}" if name in named else name] = hook
    return list(named.items())

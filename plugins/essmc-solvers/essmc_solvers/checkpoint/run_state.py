"""All that a run has to remember to go on as if it had never stopped."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from essmc_core.weights.finite import nonfinite
from essmc_core.weights.judgement import grouped
from essmc_solvers.checkpoint.comparison import changes, refuse
from essmc_solvers.checkpoint.contents import load
from essmc_solvers.checkpoint.description import describe_model
from essmc_solvers.checkpoint.folder import Position, newest_intact
from essmc_solvers.checkpoint.rederiving import apply_hyperparameters, derive_schedules, hyperparameters
from essmc_solvers.checkpoint.settings import run_settings
from essmc_solvers.engine import gather_objects
from essmc_solvers.errors import CheckpointCorrupt, CheckpointMismatch
from essmc_solvers.hooks.ema import EmaHook
from essmc_solvers.randomness import random_state, restore_random_state
from essmc_solvers.text import counted

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver


def capture(solver: TrainValSolver, position: Position) -> dict[str, Any]:
    """Returns the state of a run; every process must take part.

    Args:
        solver: the run.
        position: how far it has come.
    """
    weights, optimizers = _parameters(solver)
    by_process = gather_objects(solver.accelerator, _process_state(solver))
    content: dict[str, Any] = {
        "epoch": position.epoch,
        "iter": position.iteration,
        "total_iters": solver.total_iters,
        "total_steps": solver.total_steps,
        "state_dict": weights,
        "optimizer": optimizers,
        "kinds": _kinds(solver),
        "lr_scheduler": {key: schedule.state_dict() for key, schedule in solver.lr_schedulers.items()},
        "hooks": {name: hook.state_dict() for name, hook in _named_hooks(solver)},
        "processes": by_process,
        "epoch_outputs": solver.epoch_outputs,
        "seed": solver.seed,
        "train_batches": solver.loaders["train"].length,
        "train_readers": solver.loaders["train"].readers,
        "train_batch_size": solver.loaders["train"].full_batch,
        "card": getattr(solver.module, "card", None),
        "config": solver.config,
        **describe_model(solver),
        "settings": run_settings(solver),
        "versions": {name: version(name) for name in ("essmc-core", "essmc-solvers", "torch", "accelerate")},
    }
    if solver.accelerator.scaler is not None:
        content["scaler"] = solver.accelerator.scaler.state_dict()
    ema = solver.hook(EmaHook)
    if ema is not None:
        content["state_dict_ema"] = ema.averaged_state()
    return content


def _process_state(solver: TrainValSolver) -> dict[str, Any]:
    return {"random": random_state(), "means": solver.means.state_dict(), "unreadable": solver.unreadable}


def restore(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    """Takes up a state that `capture` returned.

    Raises:
        CheckpointMismatch: it is that of another model, of other optimizers or data.
    """
    _check_data(solver, content, path)
    _check_kinds(solver, content, path)
    _check_frozen(solver, content, path)
    changed = changes(solver, content) if _has_these_groups(solver, content) else []
    if not solver.resume_changed:
        refuse(changed, path)
    kept = hyperparameters(solver)
    _load_parameters(solver, content, path)
    _check_length(solver, content, path)
    _tell_changes(solver, content, path)
    for change in changed:
        solver.log(f"changed since {path.name}: {change}")
    apply_hyperparameters(solver, kept, changed)
    is_derived = any(change.is_of_rates for change in changed)
    if not is_derived:
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
    ema = solver.hook(EmaHook)
    if ema is not None and "state_dict_ema" not in content:
        ema.restart(solver)
    if is_derived:
        derive_schedules(solver, {key: content["lr_scheduler"].get(key) for key in solver.lr_schedulers})


def _has_these_groups(solver: TrainValSolver, content: Mapping[str, Any]) -> bool:
    """Tells whether the optimizers' states fit; where they do not, the model or the groups are others altogether."""
    then = content.get("settings") or {}
    counts = [name for name in solver.built_settings if name.endswith("(parameters by group)")]
    return all(then.get(name, solver.built_settings[name]) == solver.built_settings[name] for name in counts)


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
    solver.unreadable = own.get("unreadable", 0)
    restore_random_state(own["random"])


def _check_data(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    if content["seed"] != solver.seed and (content["iter"] or not solver.resume_changed):
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
    then, now = content.get("train_batch_size"), solver.loaders["train"].full_batch
    if content["iter"] and then is not None and then != now:
        raise CheckpointMismatch(
            f"{path} was written within an epoch in batches of {then} items, and they now have {now}",
            hint="Resume with the same batch size, or from a checkpoint at the end of an epoch.",
        )
    then, now = content.get("train_readers"), solver.loaders["train"].readers
    if content["iter"] and then != now:
        raise CheckpointMismatch(
            f"{path} was written within an epoch of a stream read by {then} workers, and {now} read it now",
            hint="Resume with as many workers and processes, or from a checkpoint at the end of an epoch.",
        )


def _check_frozen(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    then = (content.get("settings") or {}).get("solver.freeze")
    now = run_settings(solver)["solver.freeze"]
    if then is not None and then != now:
        raise CheckpointMismatch(
            f"{path} belongs to a run with {_frozen(then)}, this one has {_frozen(now)}: the optimizer's state is that "
            "of other parameters",
            hint=f"Put `freeze` back, or train on from its weights, in another work dir: weights: {path}.",
        )


def _frozen(names: list[str]) -> str:
    return f"{_some(names)} frozen" if names else "nothing frozen"


def _kinds(solver: TrainValSolver) -> dict[str, dict[str, str]]:
    """Returns the classes of optimizers and schedules, whose states look alike but mean different things."""
    made = dict(zip(solver.optimizers, _raw_optimizers(solver), strict=True))
    return {
        "optimizer": {key: type(optimizer).__name__ for key, optimizer in made.items()},
        "lr_scheduler": {key: type(schedule).__name__ for key, schedule in solver.lr_schedulers.items()},
    }


def _check_kinds(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    then, now = content.get("kinds", {}), _kinds(solver)
    for section, names in now.items():
        for key, name in names.items():
            before = then.get(section, {}).get(key, name)
            if before != name:
                place = f" of {key!r}" if key else ""
                raise CheckpointMismatch(
                    f"{path} was written with the {section} {before}{place}, this run has {name}",
                    hint=f"Resume with {before}, or train anew from the weights alone, in another work dir.",
                )
    if not solver.is_fsdp:
        for key, optimizer in solver.optimizers.items():
            _check_settings(optimizer, _part(content, "optimizer", key, path), path)


def _check_settings(optimizer: Any, state: Mapping[str, Any], path: Path) -> None:
    have, wanted = state["param_groups"][0].keys(), optimizer.param_groups[0].keys()
    # Schedules add settings of their own, and versions of torch differ in those that are flags.
    absent = [name for name in ("lr", "momentum", "betas", "alpha", "rho") if name in wanted and name not in have]
    if absent:
        kind = type(getattr(optimizer, "optimizer", optimizer)).__name__
        raise CheckpointMismatch(
            f"{path} was written with another optimizer than {kind}: its groups have no {absent[0]!r}",
            hint="Resume with the optimizer it was written with.",
        )


def _check_length(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    begun = content["epoch"] + bool(content["iter"])
    if begun > solver.max_epochs:
        within = f" and {counted(content['iter'], 'iteration')}" if content["iter"] else ""
        done = counted(content["epoch"], "epoch")
        raise CheckpointMismatch(
            f"{path} has {done}{within} behind it, more than max_epochs {solver.max_epochs}",
            hint=f"Set max_epochs to {begun} or more, or resume from an earlier checkpoint.",
        )


def _tell_changes(solver: TrainValSolver, content: Mapping[str, Any], path: Path) -> None:
    """Says in what a run that is taken up differs from that which was written."""
    if content["epoch"] == solver.max_epochs:
        solver.log(f"all {solver.max_epochs} epochs are done already: a larger max_epochs goes on")
    has_ema = solver.hook(EmaHook) is not None
    if has_ema and "state_dict_ema" not in content:
        solver.log(f"warning: {path.name} has no averaged weights: EmaHook starts from the weights as they are now")
    if not has_ema and "state_dict_ema" in content:
        solver.log(f"warning: {path.name} has averaged weights, which end here: this run has no EmaHook")
    dropped = [name for key, name in content.get("kinds", {}).get("lr_scheduler", {}).items()
               if key not in solver.lr_schedulers]  # fmt: skip
    if dropped:
        solver.log(f"warning: {path.name} was written with {dropped[0]}; this run has no schedule and keeps its rate")
    loader = solver.loaders["train"]
    for what, name, now in (
        ("a batch size of", "train_batch_size", loader.full_batch),
        ("this many batches an epoch:", "train_batches", loader.length),
    ):
        then = content.get(name)
        if then is not None and now is not None and then != now:
            solver.log(f"warning: {path.name} was written with {what} {then}, this run has {now}")


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

        _require_finite(content["state_dict"], path)
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
        CheckpointMismatch: they are those of another model, or not finite.
    """
    _require_finite(weights, path)
    try:
        module.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        message = f"{path} belongs to another model: {_differences(module, weights)}"
        raise CheckpointMismatch(message, hint="Build the model as it was when the checkpoint was written.") from error


def _require_finite(weights: Mapping[str, Any], path: Path) -> None:
    if bad := nonfinite(weights):
        raise CheckpointMismatch(
            f"{path} holds weights that are not finite (NaN or infinite): {grouped(bad)}",
            hint="Training diverged before it was written: take an earlier checkpoint.",
        )


def _differences(module: nn.Module, weights: Mapping[str, Any]) -> str:
    own = module.state_dict()
    shapes = [
        f"{name} is {tuple(weights[name].shape)}, not {tuple(tensor.shape)}"
        for name, tensor in own.items()
        if hasattr(tensor, "shape") and hasattr(weights.get(name), "shape") and weights[name].shape != tensor.shape
    ]
    kinds = {
        "it lacks": [name for name in own if name not in weights],
        "it has": [name for name in weights if name not in own],
        "of another shape:": shapes,
    }
    return "; ".join(f"{kind} {_some(names)}" for kind, names in kinds.items() if names) or "its weights do not fit"


def _some(names: list[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def load_for_evaluation(module: nn.Module, path: Path, ema: bool | None = None) -> tuple[str, ...]:
    """Loads a run's weights into a module, and returns the names of its classes, empty where they are not known.

    Args:
        module: whose weights they are.
        path: a checkpoint of a run.
        ema: take the averaged weights, or the plain ones; None takes averaged ones if there are any.

    Raises:
        CheckpointMismatch: it has no averaged weights, or belongs to another model.
        CheckpointCorrupt: it is not as it was written.
    """
    try:
        content = load(path)
    except CheckpointCorrupt as error:
        intact = newest_intact(path)
        if intact is not None:
            error.hint = f"{intact} is intact."
        raise
    if ema and "state_dict_ema" not in content:
        raise CheckpointMismatch(f"{path} holds no averaged weights", hint="--no-ema takes the plain ones.")
    averaged = "state_dict_ema" in content and ema is not False
    load_weights(module, content["state_dict_ema" if averaged else "state_dict"], path)
    return tuple(content.get("labels") or ())


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

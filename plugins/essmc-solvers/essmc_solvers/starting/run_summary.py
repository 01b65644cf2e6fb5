"""What a run starts from and what it ends with, in a few lines: weights, parameters, devices, data, what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver

_SHOWN = 6


def starting_lines(solver: TrainValSolver) -> list[str]:
    """Returns what to know of a run before its first step."""
    resumed = solver.epoch > 0 or solver.iter > 0
    lines = [] if resumed else _weights(solver)
    lines.append(_parameters(solver))
    count = solver.accelerator.num_processes
    processes = "1 process" if count == 1 else f"{count} processes"
    precision = "" if solver.accelerator.mixed_precision == "no" else f", {solver.accelerator.mixed_precision}"
    lines.append(f"device     {solver.accelerator.device}, {processes}{precision}")
    lines += _idle(solver)
    lines += [f"{name + ' data':<10} {_data(solver, name)}" for name in solver.loaders]
    return lines + _unshuffled(solver)


def next_steps(folder: Path) -> list[str]:
    """Returns the commands that use what a run left in its work dir."""
    commands = (f"essmc eval {folder}", f"essmc predict {folder} FILE", f"essmc export {folder}")
    return [f"{'' if number else 'next:':<5} {command}" for number, command in enumerate(commands)]


def random_parts(module: nn.Module, loaded: set[str]) -> list[str]:
    """Returns the largest submodules of which nothing was loaded, and parameters of others.

    Args:
        module: the model.
        loaded: names of parameters that were.
    """
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    return _whole_groups(module, "", {name for name in names if name not in loaded}, names)


def loaded_parameters(module: nn.Module) -> tuple[list[str], set[str]]:
    """Returns where weights were loaded from, with their coverage, and the names of parameters that have them."""
    origins: list[str] = []
    loaded: set[str] = set()
    for prefix, part in module.named_modules():
        report = part.__dict__.get("load_report")
        if report is None:
            continue
        front = f"{prefix}." if prefix else ""
        origins.append(f"{report.source} (coverage {report.coverage:.1%}" + (f", of {prefix})" if prefix else ")"))
        absent = {*report.missing, *report.skipped, *report.new}
        loaded |= {f"{front}{name}" for name, _ in part.named_parameters(remove_duplicate=False) if name not in absent}
    return origins, loaded


def groups_of(module: nn.Module, names: Iterable[str]) -> list[str]:
    """Returns the largest submodules all of whose parameters are among some names, and the other names."""
    every = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    return _whole_groups(module, "", set(names), every)


def shown(names: list[str]) -> str:
    """Returns a list of names cut to a line's length."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _whole_groups(module: nn.Module, prefix: str, chosen: set[str], names: list[str]) -> list[str]:
    within = [name for name in names if not prefix or name.startswith(f"{prefix}.")]
    if not within or not any(name in chosen for name in within):
        return []
    if prefix and all(name in chosen for name in within):
        return [prefix]
    front = f"{prefix}." if prefix else ""
    groups: list[str] = []
    for name, child in module.named_children():
        groups += _whole_groups(child, f"{front}{name}", chosen, within)
    own = [f"{front}{name}" for name, _ in module.named_parameters(recurse=False)]
    return groups + [name for name in own if name in chosen]


def _weights(solver: TrainValSolver) -> list[str]:
    origins, loaded = loaded_parameters(solver.module)
    if not origins:
        return [f"weights    none: {solver.start_note or 'the model starts as it was given'}"]
    lines = [f"weights    {', '.join(origins)}"]
    random = random_parts(solver.module, loaded)
    return lines + ([f"random     {shown(random)}: these start from random values"] if random else [])


def _parameters(solver: TrainValSolver) -> str:
    every = dict(solver.module.named_parameters())
    trained = {id(parameter) for parameter in solver.trained_parameters if parameter.requires_grad}
    total = sum(parameter.numel() for parameter in every.values())
    frozen = [name for name, parameter in every.items() if id(parameter) not in trained]
    # Sharded parameters are views of others.
    count = total - sum(every[name].numel() for name in frozen) if not solver.is_fsdp else total
    text = f"parameters {count:,} of {total:,} train"
    return text + (f"; frozen: {shown(groups_of(solver.module, frozen))}" if frozen and not solver.is_fsdp else "")


def _idle(solver: TrainValSolver) -> list[str]:
    """Tells of gradients that are computed in vain: of parameters with a rate of 0, or that no optimizer takes."""
    moving: set[int] = set()
    for optimizer in solver.optimizers.values():
        for group in optimizer.param_groups:
            # A schedule or a warm-up may start from 0.
            if float(group.get("initial_lr", group.get("lr", 1.0))) != 0 or solver.lr_schedulers:
                moving |= set(map(id, group["params"]))
    named = solver.module.named_parameters()
    idle = [name for name, parameter in named if parameter.requires_grad and id(parameter) not in moving]
    if not idle or solver.is_fsdp:
        return []
    parts = shown(groups_of(solver.module, idle))
    return [f"note: {parts} will not change, and gradients are computed for it; freeze: [{parts}] leaves these out"]


def _unshuffled(solver: TrainValSolver) -> list[str]:
    """Tells of training data whose mode is that of evaluation: in order, and without augmentation."""
    modes = {mode for mode in _modes(solver.loaders["train"].dataset) if isinstance(mode, str)}
    if not modes or "train" in modes:
        return []
    mode = " or ".join(sorted(modes))
    return [f"note: the training data have mode {mode}: their items come in order, not augmented; mode: train for both"]


def _modes(dataset: Any) -> list[Any]:
    """Returns the modes of a data set, or of those that it is made of."""
    inner = getattr(dataset, "datasets", None) or ([dataset.dataset] if hasattr(dataset, "dataset") else [])
    return [mode for part in inner for mode in _modes(part)] or [getattr(dataset, "mode", None)]


def _data(solver: TrainValSolver, name: str) -> str:
    loader = solver.loaders[name]
    dataset: Any = loader.dataset
    try:
        items = f"{len(dataset):,} items" if isinstance(dataset, Sized) else "a stream of items"
    except TypeError:
        items = "a stream of items"
    classes = getattr(dataset, "classes", None)
    known = isinstance(classes, Sized) and not isinstance(classes, str) and len(classes) > 0
    parts = [items, *([f"{len(classes)} classes"] if known and classes is not None else [])]
    if loader.full_batch is not None:
        parts.append(f"batches of {loader.full_batch}")
    return ", ".join(parts)

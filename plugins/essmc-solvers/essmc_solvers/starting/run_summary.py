"""What a run starts from, in a few lines: weights, parameters, devices, data."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from essmc_solvers.model.submodules import groups_of, loaded_parameters, random_parts
from essmc_solvers.run.protocol import Run

_SHOWN = 6


def starting_lines(run: Run, note: str = "") -> list[str]:
    """Returns what to know of a run before its first step.

    Args:
        run: with its data, resumed if it is to be.
        note: what to say of weights where none were loaded.
    """
    resumed = run.epoch > 0 or run.iter > 0
    lines = [] if resumed else _weights(run, note)
    lines.append(_parameters(run))
    count = run.accelerator.num_processes
    processes = "1 process" if count == 1 else f"{count} processes"
    precision = "" if run.accelerator.mixed_precision == "no" else f", {run.accelerator.mixed_precision}"
    lines.append(f"device     {run.accelerator.device}, {processes}{precision}")
    lines += _idle(run)
    lines += [f"{name + ' data':<10} {_data(run, name)}" for name in run.loaders]
    return lines + _unshuffled(run)


def shown(names: list[str]) -> str:
    """Returns a list of names cut to a line's length."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _weights(run: Run, note: str) -> list[str]:
    origins, loaded = loaded_parameters(run.module)
    if not origins:
        return [f"weights    none: {note or 'the model starts as it was given'}"]
    lines = [f"weights    {', '.join(origins)}"]
    random = random_parts(run.module, loaded)
    return lines + ([f"random     {shown(random)}: these start from random values"] if random else [])


def _parameters(run: Run) -> str:
    every = dict(run.module.named_parameters())
    trained = {id(parameter) for parameter in run.trained_parameters if parameter.requires_grad}
    total = sum(parameter.numel() for parameter in every.values())
    frozen = [name for name, parameter in every.items() if id(parameter) not in trained]
    # Sharded parameters are views of others.
    count = total - sum(every[name].numel() for name in frozen) if not run.is_fsdp else total
    text = f"parameters {count:,} of {total:,} train"
    return text + (f"; frozen: {shown(groups_of(run.module, frozen))}" if frozen and not run.is_fsdp else "")


def _idle(run: Run) -> list[str]:
    """Notes gradients that are computed in vain: of parameters with a rate of 0, or that no optimizer takes."""
    moving: set[int] = set()
    for optimizer in run.optimizers.values():
        for group in optimizer.param_groups:
            # A schedule or a warm-up may start from 0.
            if float(group.get("initial_lr", group.get("lr", 1.0))) != 0 or run.lr_schedulers:
                moving |= set(map(id, group["params"]))
    named = run.module.named_parameters()
    idle = [name for name, parameter in named if parameter.requires_grad and id(parameter) not in moving]
    if not idle or run.is_fsdp:
        return []
    parts = shown(groups_of(run.module, idle))
    return [f"note: {parts} will not change, and gradients are computed for it; freeze: [{parts}] leaves these out"]


def _unshuffled(run: Run) -> list[str]:
    """Notes training data whose mode is that of evaluation: in order, and without augmentation."""
    modes = {mode for mode in _modes(run.loaders["train"].dataset) if isinstance(mode, str)}
    if not modes or "train" in modes:
        return []
    mode = " or ".join(sorted(modes))
    return [f"note: the training data have mode {mode}: their items come in order, not augmented; mode: train for both"]


def _modes(dataset: Any) -> list[Any]:
    """Returns the modes of a data set, or of those that it is made of."""
    inner = getattr(dataset, "datasets", None) or ([dataset.dataset] if hasattr(dataset, "dataset") else [])
    return [mode for part in inner for mode in _modes(part)] or [getattr(dataset, "mode", None)]


def _data(run: Run, name: str) -> str:
    loader = run.loaders[name]
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

"""Learning rates by name: one for each optimizer, and for each group of parameters that has one of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_solvers.run.protocol import Run

if TYPE_CHECKING:
    from torch import nn

REST = "rest"


def learning_rates(run: Run) -> dict[str, float]:
    """Returns the learning rates of a training.

    They are ``lr`` where there is one, and ``lr/backbone``, ``lr/head`` … for several optimizers and for groups of
    parameters with rates of their own: by the ``name`` of the group, else by what the names of its parameters begin
    with, ``rest`` where they have nothing in common.
    """
    optimizers: Mapping[str, Any] = getattr(run, "optimizers", {}) if run.mode == "train" else {}
    rates: dict[str, float] = {}
    for key, optimizer in optimizers.items():
        prefix = f"lr/{key}" if key else "lr"
        for label, place in _labels(run.module, optimizer):
            name = f"{prefix}/{label}" if label else prefix
            rates[name] = float(optimizer.param_groups[place]["lr"])
    return rates


def _labels(module: nn.Module, optimizer: Any) -> list[tuple[str, int]]:
    """Returns a label and a group for each rate of an optimizer."""
    by_rate: dict[float, list[int]] = {}
    for place, group in enumerate(optimizer.param_groups):
        by_rate.setdefault(float(group.get("initial_lr", group["lr"])), []).append(place)
    if len(by_rate) == 1:
        return [("", 0)]
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    labels: list[tuple[str, int]] = []
    for places in by_rate.values():
        groups = [optimizer.param_groups[place] for place in places]
        label = groups[0].get("name") or _common(
            names.get(id(parameter), "") for group in groups for parameter in group["params"]
        )
        taken = sum(known.split("#")[0] == label for known, _ in labels)
        labels.append((f"{label}#{taken + 1}" if taken else label, places[0]))
    return labels


def _common(names: Iterable[str]) -> str:
    """Returns what some dotted names begin with, the last part of a single one aside."""
    parts = [name.split(".")[:-1] for name in names]
    shared: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(level[0])
    return ".".join(shared) or REST

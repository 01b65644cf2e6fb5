"""Runs a zoo model by several engines, for several sizes of batch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from essmc_core.contract.engine import Precision
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.devices import find_device
from essmc_core.models.engines.measuring import Tell, measure
from essmc_core.models.engines.optimizing import engine_names
from essmc_core.models.engines.remembered import versions
from essmc_core.models.engines.report import Trial
from essmc_core.models.factory import build_trained
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.recipe import ModelRef, Overrides
from essmc_core.zoo.weights_asked import weights_source


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What engines did with a model.

    Attributes:
        model: its name.
        input_shape: of one input.
        threads: of the processor.
        device: where it ran.
        weights: URI of the weights, None for random ones.
        trials: by size of the batch.
        versions: of what ran it.
    """

    model: str
    input_shape: tuple[int, ...]
    threads: int
    device: str
    weights: str | None
    trials: Mapping[int, Sequence[Trial]]
    versions: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Returns it as plain data for JSON."""
        return {
            "model": self.model,
            "input_shape": list(self.input_shape),
            "threads": self.threads,
            "device": self.device,
            "weights": self.weights,
            "versions": dict(self.versions),
            "batches": [
                {"batch": size, "engines": [trial.as_dict() for trial in trials]}
                for size, trials in self.trials.items()
            ],
        }


def benchmark(
    model: ModelRef,
    engines: Sequence[str] | None,
    precisions: Sequence[Precision],
    batches: Sequence[int],
    *,
    threads: int | None,
    device: str | None,
    checkpoint: str | os.PathLike[str] | Mapping[str, Any] | None,
    random: bool,
    overrides: Overrides,
    budget_s: float,
    tell: Tell,
) -> Benchmark:
    """Tries engines on a model; arguments as of ``essmc bench``.

    Raises:
        UnknownComponent: there is no such engine.
        ConfigError: the model states no input.
    """
    names = list(engines) if engines is not None else engine_names()
    for name in names:
        REGISTRIES["engines"].component(name)
    recipe = read_recipe(model, overrides)
    spec = recipe.input_spec()
    has_weights = not random and (checkpoint is not None or recipe.trained is not None or "weights" in recipe.config)
    source = weights_source(recipe, True, checkpoint) if has_weights else None
    place = find_device(device or "cpu")
    built = build_trained(recipe, source).eval().to(place)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(threads or before)
        found = {}
        for size in batches:
            generator = torch.Generator().manual_seed(0)
            example = torch.randn((size, *spec.shape), generator=generator).to(place)
            found[size] = measure(built, example, names, precisions, budget_s=budget_s, tell=tell)
        used = torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
    weights = None if source is None else str(source.get("uri", source.get("path")))
    return Benchmark(recipe.name, tuple(spec.shape), used, str(place), weights, found, versions())

"""``optimize``: a model's test mode, run by the engine that is fastest on this machine and computes the same."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import EngineError, Precision
from essmc_core.errors import ConfigError
from essmc_core.foundation.error_text import brief
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.engines.asked import REFERENCE, check_asked, check_precision
from essmc_core.models.engines.comparing import compare, expected_outputs, named, probes
from essmc_core.models.engines.measuring import EngineRef, engine_name, measure
from essmc_core.models.engines.predictor import Predictor
from essmc_core.models.engines.remembered import key_of, recall, remember, versions
from essmc_core.models.engines.report import EngineChoice, Trial

Asked: TypeAlias = "str | Mapping[str, Any] | Literal['auto']"


def optimize(
    model: nn.Module,
    example: Tensor,
    *,
    engine: Asked = "auto",
    precision: Precision = "fp32",
    tolerance: float | None = None,
    budget_s: float = 120.0,
    use_remembered: bool = True,
) -> Predictor:
    """Returns a model's test mode as the fastest engine runs it that computes the same.

    With ``auto`` every engine that is installed prepares the model in a process of its own, within ``budget_s``
    seconds. Its outputs for the example, and for the example shifted by a pixel, are compared with the model's in
    float64; those that agree are timed in turn, and the fastest is used. What an engine cannot do, or does wrongly, is
    a line in ``predictor.choice``, never an error. The choice is remembered for this model, its weights, shapes,
    processor and versions.

    Args:
        model: a model; its test mode is what is run. It is not changed.
        example: inputs, (N, …), float32, as the model is going to be given: batch and size are what is timed. For lower
            precision it should be real inputs, since its classes are compared.
        engine: ``auto``, or the name or configuration of an engine; `essmc list engines` shows them.
        precision: ``fp32``, ``bf16``, ``fp16`` or ``int8``: what most of the work is computed in.
        tolerance: largest difference from the outputs in float64, relative to the largest output where that is above
            1. None is 1e-4 for ``fp32``; lower precision is asked for the same most probable class of 99 % of the
            inputs instead.
        budget_s: seconds that preparing all engines may take.
        use_remembered: take the engine that was chosen before for the same question.

    Raises:
        ConfigError: there is no such precision, or the example is no batch of float32.
        UnknownComponent: there is no such engine.
        EngineError: the engine that was asked for by name cannot run the model, or computes something else.
    """
    _check(example, precision)
    tested = _in_test_mode(model)
    parameter = next(tested.parameters(), None)
    example = example if parameter is None else example.to(parameter.device)
    if engine != "auto":
        return _asked_for(tested, example, engine, precision, tolerance)
    names = engine_names()
    key = key_of(tested, example, names, precision, tolerance)
    choice = recall(key) if use_remembered else None
    if choice is None:
        choice = _measured(tested, example, names, precision, tolerance, budget_s)
        remember(key, choice)
    predictor = Predictor(tested, example, choice.engine, choice)
    try:
        predictor.prepare()
    # It could in its own process.
    except Exception as error:
        failed = Trial(choice.engine, choice.precision, "failed", f"in this process: {brief(error)}")
        choice = dataclasses.replace(choice, engine="eager", precision="fp32", trials=(*choice.trials, failed))
        predictor = Predictor(tested, example, "eager", choice)
    return predictor


def engine_names() -> list[str]:
    """Returns the names of all engines, the reference first.

    Raises:
        UnknownComponent: there is none.
    """
    engines = REGISTRIES["engines"]
    engines.component(REFERENCE)
    return sorted(engines.names(), key=lambda name: name != REFERENCE)


def _measured(
    model: nn.Module,
    example: Tensor,
    names: list[str],
    precision: Precision,
    tolerance: float | None,
    budget_s: float,
) -> EngineChoice:
    tried = measure(model, example, names, [precision], tolerance=tolerance, budget_s=budget_s)
    usable = [trial for trial in tried if trial.status == "ok"]
    best = min(usable, key=lambda trial: trial.ms).engine if usable else "eager"
    return EngineChoice(
        model=name_of(model),
        engine=best,
        precision=precision if usable else "fp32",
        device=str(example.device),
        input_shape=tuple(example.shape),
        threads=torch.get_num_threads(),
        trials=tuple(tried),
        versions=versions(),
    )


def _asked_for(
    model: nn.Module, example: Tensor, engine: EngineRef, precision: Precision, tolerance: float | None
) -> Predictor:
    check_asked(engine, precision, example.device)
    name = engine_name(engine)
    choice = EngineChoice(
        name_of(model), name, precision, str(example.device), tuple(example.shape), torch.get_num_threads(),
        versions=versions(),
    )  # fmt: skip
    predictor = Predictor(model, example, engine, choice)
    inputs = probes(example)
    try:
        found = named(predictor(inputs))
    except Exception as error:
        raise EngineError(
            f"the engine {name} cannot run {choice.model}: {brief(error)}",
            hint="engine='auto' takes one that can",
        ) from error
    if complaint := compare(found, expected_outputs(model, inputs)).complaint(precision, tolerance):
        raise EngineError(f"the engine {name} does not compute what {choice.model} does: {complaint}")
    return predictor


def name_of(model: nn.Module) -> str:
    """Returns what a model is called in reports."""
    card = getattr(model, "card", None) or {}
    return str(card.get("model", type(model).__name__))


def _in_test_mode(model: nn.Module) -> nn.Module:
    """Returns the model in test mode: itself if it is, else a copy."""
    if not any(module.training for module in model.modules()):
        return model
    return copy.deepcopy(model).eval()


def _check(example: Tensor, precision: str) -> None:
    check_precision(precision)
    if not isinstance(example, Tensor) or example.dim() < 2 or example.dtype != torch.float32 or not len(example):
        kind = f"a {example.dtype} tensor of shape {tuple(example.shape)}" if isinstance(example, Tensor) else example
        raise ConfigError(
            f"the example is {kind}, not a batch of float32 inputs", hint="give (N, C, T, H, W) or (N, C, H, W)"
        )

"""The check of a whole configuration: the model against signatures, and each section against what reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.building.check import Checker
from essmc_core.building.construct import raise_issues
from essmc_core.errors import ConfigError, EssmcError, Issue
from essmc_core.inputs.section import input_issues
from essmc_core.registry.kinds import DEFAULT, Registries
from essmc_core.zoo.checks.knobs import knob_issues
from essmc_core.zoo.labels import checked_labels, configured_counts
from essmc_core.zoo.sections import unknown_sections

if TYPE_CHECKING:
    from essmc_core.registry.component import Component
    from essmc_core.signatures.signature import Signature
    from essmc_core.zoo.recipe import Recipe

DEFAULT_SOLVER = "TrainValSolver"
PARTS = ("train", "eval")
LOADERS, DEFAULT_LOADER = "loaders", "DataLoader"
"""The kind that a pack of data loaders adds, and the one of ``data.train`` where no ``type`` is written."""
TRAINING = ("data", "solver")


def check_recipe(
    recipe: Recipe,
    read: Callable[[Component], Signature],
    registries: Registries = DEFAULT,
    *,
    whole: bool = False,
    evaluating: bool = False,
) -> list[tuple[str, Component]]:
    """Returns every component that a configuration names, with its path, once all of it was found to fit.

    Args:
        recipe: what to check.
        read: `essmc_core.building.construct.live_signature`, or `read_signature` to import nothing.
        registries: where components are looked up.
        whole: check ``data`` and ``solver`` too, and not only where an override changes them.
        evaluating: whether the configuration is to evaluate with, so that what only training needs may be missing.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    models = Checker(registries, read, recipe.model, recipe.prefix)
    models.component("models", recipe.model)
    found = [(".".join(map(str, (*[recipe.prefix] * bool(recipe.prefix), *path))), part) for path, part in models.found]
    rest = Checker(registries, read, recipe.config)
    if recipe.prefix:
        rest.issues += unknown_sections(recipe.config)
        rest.issues += input_issues(recipe.config)
        rest.issues += knob_issues(recipe.config, read, registries)
        rest.issues += _label_issues(recipe)
        rest.issues += _weight_issues(recipe, whole and not evaluating)
        if whole or "data" in recipe.overridden:
            _check_data(recipe.config.get("data"), rest)
        if whole or "solver" in recipe.overridden:
            _check_solver(recipe.config, rest, training=whole and not evaluating)
    raise_issues([*models.issues, *rest.issues], models.cause or rest.cause)
    return found + [(".".join(map(str, path)), part) for path, part in rest.found if part.kind != LOADERS]


def _label_issues(recipe: Recipe) -> list[Issue]:
    try:
        checked_labels(recipe.config, configured_counts(recipe.config))
    except ConfigError as error:
        return [Issue("labels", error.message, error.where, error.hint)]
    return []


def _weight_issues(recipe: Recipe, whole: bool) -> list[Issue]:
    """Returns what is wrong with the section ``weights`` as it is written; the file is not opened."""
    from essmc_core.weights.source import WeightsSource

    weights, where = recipe.config.get("weights"), recipe.config.where("weights")
    if weights is None:
        return []
    if not isinstance(weights, (str, Mapping)):
        hint = "weights: {uri: file.pth}"
        return [Issue("weights", f"`weights` is a path, a URI, or a mapping with `uri`, got {weights!r}", where, hint)]
    try:
        # A zoo entry may say how weights are read that it cannot name.
        named = isinstance(weights, str) or bool(weights.get("uri") or weights.get("path"))
        WeightsSource.parse(weights if named or not isinstance(weights, Mapping) else {**weights, "uri": "unknown"})
    except EssmcError as error:
        keys = [key for key in weights if repr(key) in error.message] if isinstance(weights, Mapping) else []
        where = recipe.config.where_key("weights", *keys[:1]) or where
        return [Issue(".".join(("weights", *keys[:1])), error.message, error.where or where, error.hint)]
    if not whole or recipe.is_entry or recipe.config.get("pretrained") is False:
        return []
    hint = "give its `uri`, a path or URI; `pretrained: false` trains from random values"
    if not named:
        return [Issue("weights", "`weights` names nothing to load before training", where, hint)]
    uri = weights if isinstance(weights, str) else weights.get("uri") or weights.get("path")
    if isinstance(uri, str) and "://" not in uri and not os.path.exists(os.path.expanduser(uri)):
        return [Issue("weights", f"there is no weights file {uri}", where, hint)]
    return []


def _check_data(data: Any, checker: Checker) -> None:
    if data is None:
        return
    if not isinstance(data, Mapping):
        checker.mistake(("data",), "`data` is a mapping", "data: {train: {dataset: {type: …}, batch_size: 32}}")
        return
    for name, section in data.items():
        if section is None:
            continue
        if name not in PARTS:
            checker.mistake(("data", name), f"data have no part {name!r}", f"there is {' and '.join(PARTS)}", key=True)
        if not isinstance(section, Mapping):
            checker.mistake(("data", name), f"data.{name} is a mapping with a `dataset`")
        elif LOADERS in (registry.kind for registry in checker.registries):
            checker.component(LOADERS, {"type": DEFAULT_LOADER, **section}, ("data", name))
        elif "dataset" in section:
            # Without a pack of loaders the look-up says which pack brings the dataset.
            checker.component("datasets", section["dataset"], ("data", name, "dataset"))


def _check_solver(config: Mapping[str, Any], checker: Checker, *, training: bool) -> None:
    solver, data = config.get("solver"), config.get("data")
    trains = training and isinstance(data, Mapping) and data.get("train") is not None
    if solver is None and not trains:
        return
    solver = {} if solver is None else solver
    if not isinstance(solver, Mapping):
        checker.mistake(("solver",), "`solver` is a mapping", "solver: {max_epochs: 10, optimizer: {type: AdamW}}")
        return
    if "model" in solver:
        checker.mistake(("solver", "model"), "the model has a section of its own", "write it under `model:`")
    # The model is given to the solver once it is built, and only training needs an optimizer.
    given = {"type": DEFAULT_SOLVER, **solver, "model": object()}
    if not trains and given.get("optimizer") is None:
        given["optimizer"] = object()
    checker.component("solvers", given, ("solver",))

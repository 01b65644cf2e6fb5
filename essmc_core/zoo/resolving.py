"""Resolves a whole configuration: model, data and solver to parts; other sections are checked by what reads them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from essmc_core.building.mistakes import raise_issues
from essmc_core.building.part import Part
from essmc_core.building.resolve import ReadSignature, Resolver
from essmc_core.errors import ConfigError, EssmcError, Issue
from essmc_core.zoo.checks.knobs import knob_issues
from essmc_core.zoo.input_section import input_issues
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.licence import licence_issues
from essmc_core.zoo.sections import unknown_sections

if TYPE_CHECKING:
    from essmc_core.location import Location
    from essmc_core.registry.kinds import Registries
    from essmc_core.zoo.recipe import Recipe

DEFAULT_SOLVER = "TrainValSolver"
PARTS = ("train", "eval")
LOADERS, DEFAULT_LOADER = "loaders", "DataLoader"
"""The kind that a pack of data loaders adds, and the one of ``data.train`` where no ``type`` is written."""


@dataclass(frozen=True)
class Resolved:
    """A configuration as parts.

    Attributes:
        model: the model.
        loaders: those of the section ``data``, by name: ``train`` and ``eval``.
        datasets: the data sets of that section, if no pack provides loaders.
        solver: the solver, to be constructed with its ``model``; None if there is none.
    """

    model: Part
    loaders: Mapping[str, Part] = field(default_factory=dict)
    datasets: tuple[Part, ...] = ()
    solver: Part | None = None

    def parts(self) -> Iterator[Part]:
        """Yields every component that the configuration names; loaders are not named, so they are left out."""
        yield from self.model.walk()
        for loader in self.loaders.values():
            yield from (part for part in loader.walk() if part is not loader)
        for other in (*self.datasets, *filter(None, [self.solver])):
            yield from other.walk()


def resolve_recipe(
    recipe: Recipe,
    read: ReadSignature,
    registries: Registries,
    *,
    whole: bool = False,
    evaluating: bool = False,
) -> Resolved:
    """Resolves a configuration to parts and raises if anything in it does not fit.

    Args:
        recipe: what to resolve.
        read: `live_signature`, or `read_signature` to import nothing.
        registries: where components are looked up.
        whole: resolve ``data`` and ``solver`` too, and not only where an override changes them.
        evaluating: whether it is used for evaluation, so that arguments for training may be missing.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    models = Resolver(registries, read, recipe.model, recipe.prefix)
    model = models.component("models", recipe.model)
    rest = Resolver(registries, read, recipe.config)
    issues = rest.mistakes.issues
    sections: dict[str, Any] = {}
    if recipe.prefix:
        issues += unknown_sections(recipe.config)
        issues += input_issues(recipe.config)
        issues += knob_issues(recipe.config, model if isinstance(model, Part) else None)
        issues += licence_issues(recipe.config)
        issues += _label_issues(recipe)
        issues += _weight_issues(recipe, whole and not evaluating)
        if whole or "data" in recipe.overridden:
            sections |= _resolve_data(recipe.config.get("data"), rest, registries)
        if whole or "solver" in recipe.overridden:
            sections["solver"] = _resolve_solver(recipe.config, rest, training=whole and not evaluating)
    raise_issues([*models.mistakes.issues, *issues], models.mistakes.cause or rest.mistakes.cause)
    return Resolved(model, **sections)


def _label_issues(recipe: Recipe) -> list[Issue]:
    try:
        recipe.checked_labels(configured_counts(recipe.config))
    except ConfigError as error:
        return [Issue("labels", error.message, error.where, error.hint)]
    return []


def _weight_issues(recipe: Recipe, whole: bool) -> list[Issue]:
    """Returns the mistakes of the section ``weights`` as it is written; the file is not opened."""
    from essmc_core.weights.source import WeightsSource

    weights, where = recipe.config.get("weights"), recipe.config.where("weights")
    if weights is None:
        return []
    if not isinstance(weights, (str, Mapping)):
        hint = "weights: {uri: file.pth}"
        return [Issue("weights", f"`weights` is a path, a URI, or a mapping with `uri`, got {weights!r}", where, hint)]
    try:
        # A zoo entry may state how weights are read without naming any.
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


def _resolve_data(data: Any, resolver: Resolver, registries: Registries) -> dict[str, Any]:
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        resolver.mistake(("data",), "`data` is a mapping", "data: {train: {dataset: {type: …}, batch_size: 32}}")
        return {}
    loaders, datasets = {}, []
    for name, section in data.items():
        if section is None:
            continue
        if name not in PARTS:
            resolver.mistake(("data", name), f"data have no part {name!r}", f"there is {' and '.join(PARTS)}", key=True)
        if not isinstance(section, Mapping):
            resolver.mistake(("data", name), f"data.{name} is a mapping with a `dataset`")
        elif LOADERS in (registry.kind for registry in registries):
            typed = {"type": DEFAULT_LOADER, **section}
            loaders[name] = resolver.component(LOADERS, typed, ("data", name), where=_place(section))
        elif "dataset" in section:
            # Without a pack of loaders the error of the look-up names the pack that provides the data set.
            datasets.append(resolver.component("datasets", section["dataset"], ("data", name, "dataset")))
    return {"loaders": loaders, "datasets": tuple(part for part in datasets if isinstance(part, Part))}


def _resolve_solver(config: Mapping[str, Any], resolver: Resolver, *, training: bool) -> Any:
    solver, data = config.get("solver"), config.get("data")
    trains = training and isinstance(data, Mapping) and data.get("train") is not None
    if solver is None and not trains:
        return None
    solver = {} if solver is None else solver
    if not isinstance(solver, Mapping):
        resolver.mistake(("solver",), "`solver` is a mapping", "solver: {max_epochs: 10, optimizer: {type: AdamW}}")
        return None
    if "model" in solver:
        resolver.mistake(("solver", "model"), "the model has a section of its own", "write it under `model:`")
    written = {key: value for key, value in solver.items() if key != "model"}
    # Only training needs an optimizer.
    supplied = {"model"} if trains or written.get("optimizer") is not None else {"model", "optimizer"}
    typed = {"type": DEFAULT_SOLVER, **{key: value for key, value in written.items() if key not in supplied}}
    return resolver.component("solvers", typed, ("solver",), supplied=supplied, where=_place(solver))


def _place(section: Any) -> Location | None:
    where: Location | None = section.where() if hasattr(section, "where") else None
    return where

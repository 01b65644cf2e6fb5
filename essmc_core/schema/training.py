"""Configurations of training: a model, data and a solver in one file, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.build import raise_issues
from essmc_core.errors import ConfigError, Issue
from essmc_core.kinds import DEFAULT, Registries
from essmc_core.labels import checked_labels, configured_counts
from essmc_core.names import did_you_mean
from essmc_core.recipe import Recipe, read_recipe
from essmc_core.schema.check import Checker
from essmc_core.zoo import SECTIONS

if TYPE_CHECKING:
    from essmc_core.component import Component
    from essmc_core.config import Config
    from essmc_core.schema.signature import Signature

OWN_SECTIONS = ("data", "solver", "zoo", "pretrained", "knobs")
"""What an override of a file with ``zoo`` may begin with; any other goes to the zoo entry."""
ZOO_SECTIONS = (*OWN_SECTIONS, "input", "labels", "summary")
DEFAULT_SOLVER = "TrainValSolver"
PARTS = ("train", "eval")
LOADERS, DEFAULT_LOADER = "loaders", "DataLoader"
"""The kind that a pack of data loaders adds, and the one of ``data.train`` where no ``type`` is written."""


@dataclass(frozen=True)
class TrainingConfig:
    """What to train, nothing of it built.

    Attributes:
        name: file stem or zoo name.
        config: the file, overrides applied; the zoo entry's where a zoo name was given.
        recipe: what builds the model.
        pretrained: load the zoo entry's weights first.
    """

    name: str
    config: Config
    recipe: Recipe
    pretrained: bool = False


def read_training(source: str, overrides: Sequence[str] = ()) -> TrainingConfig:
    """Reads a configuration: a zoo name, or a YAML file.

    A file has a ``model``, or in its place ``zoo: name`` with ``knobs`` and perhaps ``pretrained: true``.

    Raises:
        UnknownModel: the name is neither in the zoo nor a file.
        ConfigError: the file cannot be read, or an override does not apply.
    """
    if source.endswith((".yaml", ".yml")):
        found = _from_zoo(source, overrides)
        if found is not None:
            return found
    recipe = read_recipe(source, overrides)
    return TrainingConfig(Path(source).stem if recipe.entry is None else recipe.name, recipe.config, recipe)


def check_training(
    training: TrainingConfig, read: Callable[[Component], Signature], registries: Registries = DEFAULT
) -> list[tuple[str, Component]]:
    """Returns every component that model, data and solver name, with its path, once all of it was found to fit.

    Args:
        training: what to check.
        read: `essmc_core.build.live_signature`, or `essmc_core.schema.read_signature` to import nothing.
        registries: where components are looked up.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    recipe = training.recipe
    models = Checker(registries, read, recipe.model, recipe.prefix)
    models.component("models", recipe.model)
    found = [(".".join(map(str, (*[recipe.prefix] * bool(recipe.prefix), *path))), part) for path, part in models.found]
    rest = Checker(registries, read, training.config)
    if recipe.prefix:
        _check_sections(training, rest)
        _check_labels(training, rest)
        _check_data(training.config.get("data"), rest)
        _check_solver(training.config.get("solver"), rest)
    raise_issues([*models.issues, *rest.issues], models.cause or rest.cause)
    return found + [(".".join(map(str, path)), part) for path, part in rest.found if part.kind != LOADERS]


def _check_sections(training: TrainingConfig, checker: Checker) -> None:
    known = ZOO_SECTIONS if training.config is not training.recipe.config else SECTIONS
    for key in training.config:
        if key not in known:
            hint = did_you_mean(key, known) or f"there is {', '.join(known)}"
            checker.mistake((key,), f"a configuration has no section {key!r}", hint, key=True)


def _check_labels(training: TrainingConfig, checker: Checker) -> None:
    config = training.recipe.config
    try:
        checked_labels(config, configured_counts(config))
    except ConfigError as error:
        checker.issues.append(Issue("labels", error.message, error.where, error.hint))


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


def _check_solver(solver: Any, checker: Checker) -> None:
    if solver is None:
        return
    if not isinstance(solver, Mapping):
        checker.mistake(("solver",), "`solver` is a mapping", "solver: {max_epochs: 10, optimizer: {type: AdamW}}")
        return
    if "model" in solver:
        checker.mistake(("solver", "model"), "the model has a section of its own", "write it under `model:`")
    # The model is given to the solver once it is built.
    checker.component("solvers", {"type": DEFAULT_SOLVER, **solver, "model": object()}, ("solver",))


def _from_zoo(source: str, overrides: Sequence[str]) -> TrainingConfig | None:
    """Reads a file that names a zoo entry, None if it holds a model itself."""
    from essmc_core.config import load_config
    from essmc_core.defaults import ZOO

    config = load_config(Path(source), resolve_pack=ZOO.resolve_pack)
    model = config.get("model")
    if isinstance(model, Mapping) and "zoo" in model and "type" not in model:
        raise ConfigError(
            "a zoo model is named by a section of its own",
            where=config.where_key("model", "zoo"),
            hint=f"write `zoo: {model['zoo']}` in the place of `model:`, and its arguments under `knobs:`",
        )
    if "zoo" not in config:
        return None
    if model is not None:
        message = "a configuration has a `model` or a `zoo`, not both"
        raise ConfigError(message, where=config.where_key("zoo"), hint="`knobs:` changes a zoo model's arguments")
    own = [text for text in overrides if text.partition("=")[0].strip().partition(".")[0] in OWN_SECTIONS]
    config = config.with_overrides(own)
    _check_zoo_file(config)
    entry = read_recipe(config["zoo"], knobs=config.get("knobs") or {})
    # What the user types goes over what the file says.
    changed = read_recipe(entry.config, [text for text in overrides if text not in own])
    recipe = replace(changed, name=entry.name, entry=entry.entry)
    return TrainingConfig(Path(source).stem, config, recipe, bool(config.get("pretrained")))


def _check_zoo_file(config: Config) -> None:
    kinds = (
        ("zoo", str, "the name of a zoo model"),
        ("knobs", Mapping, "a mapping from the entry's arguments to values"),
        ("pretrained", bool, "true or false"),
    )
    for key, kind, expected in kinds:
        if config.get(key) is not None and not isinstance(config[key], kind):
            raise ConfigError(f"`{key}` is {expected}, got {config[key]!r}", where=config.where(key))
    if config["zoo"] is None:
        raise ConfigError("`zoo` is the name of a zoo model", where=config.where("zoo"))

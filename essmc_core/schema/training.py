"""Configurations of training: a model, data and a solver in one file, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.build import raise_issues
from essmc_core.errors import ConfigError, Issue
from essmc_core.factory import weights_source
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

OWN_SECTIONS = ("data", "solver", "zoo", "pretrained", "knobs", "weights")
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
        pretrained: what the file or entry says of loading weights first, None where it says nothing.
    """

    name: str
    config: Config
    recipe: Recipe
    pretrained: bool | None = None

    @property
    def of_entry(self) -> bool:
        """Whether a zoo entry is trained by its own name."""
        return self.recipe.entry is not None and self.config is self.recipe.config

    @property
    def weights(self) -> dict[str, Any] | None:
        """What is loaded before training, None for nothing.

        Weights that a file names are loaded unless it says ``pretrained: false``; those of a zoo entry, named by a file
        with ``zoo`` or trained by its own name, only where ``pretrained: true`` is said.

        Raises:
            WeightsNotFound: the zoo entry's weights are asked for, and it names none that can be fetched.
            ConfigError: ``weights`` says nothing that can be loaded.
        """
        if self.pretrained is False:
            return None
        written = None if self.of_entry else self.config.get("weights")
        if written is not None:
            return weights_source(self.recipe, False, written)
        return weights_source(self.recipe, bool(self.pretrained), None)

    @property
    def untaken_weights(self) -> str:
        """The URI of weights that are named and not loaded, empty where there are none."""
        named = self.config.get("weights") or self.recipe.section("weights")
        if self.weights is not None or not named:
            return ""
        return str(named if isinstance(named, str) else named.get("uri") or named.get("path") or "")


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
    name = Path(source).stem if recipe.entry is None else recipe.name
    return TrainingConfig(name, recipe.config, recipe, _pretrained(recipe.config))


def check_training(
    training: TrainingConfig,
    read: Callable[[Component], Signature],
    registries: Registries = DEFAULT,
    *,
    evaluating: bool = False,
) -> list[tuple[str, Component]]:
    """Returns every component that model, data and solver name, with its path, once all of it was found to fit.

    Args:
        training: what to check.
        read: `essmc_core.build.live_signature`, or `essmc_core.schema.read_signature` to import nothing.
        registries: where components are looked up.
        evaluating: whether the configuration is to evaluate with, so that what only training needs may be missing.

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
        _check_weights(training, rest)
        _check_data(training.config.get("data"), rest)
        _check_solver(training, rest, evaluating)
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


def _check_weights(training: TrainingConfig, checker: Checker) -> None:
    weights = training.config.get("weights")
    if weights is None or training.of_entry:
        return
    if not isinstance(weights, (str, Mapping)):
        message = "`weights` is a path, a URI, or a mapping with `uri`"
        checker.mistake(("weights",), message, "weights: {uri: file.pth}")
    elif not (weights if isinstance(weights, str) else weights.get("uri") or weights.get("path")):
        hint = "give its `uri`, a path or URI; `pretrained: false` trains from random values"
        if training.pretrained is not False:
            checker.mistake(("weights",), "`weights` names nothing to load before training", hint)


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


def _check_solver(training: TrainingConfig, checker: Checker, evaluating: bool) -> None:
    solver, data = training.config.get("solver"), training.config.get("data")
    trains = isinstance(data, Mapping) and data.get("train") is not None and not evaluating
    if solver is None and not trains:
        return
    solver = {} if solver is None else solver
    if not isinstance(solver, Mapping):
        checker.mistake(("solver",), "`solver` is a mapping", "solver: {max_epochs: 10, optimizer: {type: AdamW}}")
        return
    if "model" in solver:
        checker.mistake(("solver", "model"), "the model has a section of its own", "write it under `model:`")
    # The model is given to the solver once it is built.
    given = {"type": DEFAULT_SOLVER, **solver, "model": object()}
    if not trains and given.get("optimizer") is None:
        given["optimizer"] = object()
    checker.component("solvers", given, ("solver",))


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
    return TrainingConfig(Path(source).stem, config, recipe, _pretrained(config))


def _pretrained(config: Config) -> bool | None:
    value = config.get("pretrained")
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"`pretrained` is true or false, got {value!r}", where=config.where("pretrained"))
    return value


def _check_zoo_file(config: Config) -> None:
    kinds = (
        ("zoo", str, "the name of a zoo model"),
        ("knobs", Mapping, "a mapping from the entry's arguments to values"),
    )
    for key, kind, expected in kinds:
        if config.get(key) is not None and not isinstance(config[key], kind):
            raise ConfigError(f"`{key}` is {expected}, got {config[key]!r}", where=config.where(key))
    if config["zoo"] is None:
        raise ConfigError("`zoo` is the name of a zoo model", where=config.where("zoo"))

"""Configurations read and resolved with the default zoo and registries."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import LookupFailure, SchemaError, WeightsMismatch
from essmc_core.models.defaults import REGISTRIES, ZOO
from essmc_core.zoo import recipe as recipes
from essmc_core.zoo import trained, training
from essmc_core.zoo.recipe import ModelRef, Overrides, Recipe

if TYPE_CHECKING:
    from essmc_core.building.part import Part
    from essmc_core.building.resolve import ReadSignature
    from essmc_core.config import Config
    from essmc_core.registry.component import Component
    from essmc_core.zoo.resolving import Resolved
    from essmc_core.zoo.trained import Trained
    from essmc_core.zoo.training import TrainingConfig


def read_recipe(ref: ModelRef, overrides: Overrides = (), knobs: Mapping[str, Any] | None = None) -> Recipe:
    """Reads a model's configuration and applies the user's arguments; see `essmc_core.zoo.recipe.read_recipe`."""
    return recipes.read_recipe(ref, overrides, knobs, zoo=ZOO)


def read_training(ref: ModelRef, overrides: Overrides = ()) -> TrainingConfig:
    """Reads a configuration of training; see `essmc_core.zoo.training.read_training`."""
    return training.read_training(ref, overrides, zoo=ZOO)


def find_run(source: str | os.PathLike[str]) -> Path | None:
    """Returns the work dir or checkpoint that a model's name refers to; see `essmc_core.zoo.trained.find_run`."""
    return trained.find_run(source, ZOO)


def resolve_recipe(
    recipe: Recipe, read: ReadSignature | None = None, *, whole: bool = False, evaluating: bool = False
) -> Resolved:
    """Resolves a configuration to parts; see `essmc_core.zoo.resolving.resolve_recipe`.

    Args:
        recipe: what to resolve.
        read: how signatures are read; None: from live components, to build.
        whole: resolve ``data`` and ``solver`` too.
        evaluating: whether it is used for evaluation.
    """
    from essmc_core.registry.reading import live_signature
    from essmc_core.zoo.resolving import resolve_recipe

    return resolve_recipe(recipe, read or live_signature, REGISTRIES, whole=whole, evaluating=evaluating)


@contextmanager
def explained(recipe: Recipe) -> Iterator[None]:
    """Where a stored model cannot be built, says what differs here from where it was stored, if anything does."""
    try:
        yield
    except (SchemaError, LookupFailure, WeightsMismatch) as error:
        reasons = [] if recipe.trained is None else _what_differs(recipe.trained)
        error.hint = "\n  ".join(filter(None, [error.hint, *reasons]))
        raise


def _what_differs(trained: Trained) -> Iterator[str]:
    needed = trained.needed
    if needed.older:
        yield f"{trained.path} was made with {needed.difference}: {needed.pip_line}"
    for component, module in needed.local.items():
        kind, _, name = component.partition("/")
        if kind in {registry.kind for registry in REGISTRIES} and name not in REGISTRIES[kind]:
            where = f"module {module}: import that first, or name its file with --code"
            yield f"{name} was registered by code that is no pack, {where}"


def resolved_parts(recipe: Recipe) -> list[tuple[str, Component]]:
    """Returns every component a recipe names, with its path in the configuration, importing none of them.

    Raises:
        SchemaError: the configuration does not fit.
    """
    from essmc_core.registry.reading import read_signature

    return components_of(resolve_recipe(recipe, read_signature))


def check_training(
    training: TrainingConfig, read: ReadSignature, *, evaluating: bool = False
) -> list[tuple[str, Component]]:
    """Returns every component that model, data and solver name, with its path, after checking all of it.

    Args:
        training: what to check.
        read: `live_signature`, or `read_signature` to import nothing.
        evaluating: whether it is used for evaluation, so that arguments for training may be missing.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    return components_of(resolve_recipe(training.recipe, read, whole=True, evaluating=evaluating))


def components_of(resolved: Resolved) -> list[tuple[str, Component]]:
    """Returns the components of a resolved configuration, with their dotted paths."""
    return [(part.dotted, part.component) for part in resolved.parts()]


def check_config(kind: str, config: Config, read: ReadSignature, *, prefix: str = "") -> list[tuple[str, Component]]:
    """Returns every component that a configuration names, with its path, after checking all of it.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    return [(part.dotted, part.component) for part in _resolve(kind, config, read, prefix).walk()]


def build_config(kind: str, config: Config, *, prefix: str = "") -> Any:
    """Resolves a configuration with the default registries and constructs it.

    Args:
        kind: plural name of the registry.
        config: a mapping with ``type``.
        prefix: dotted path of ``config`` in the user's file, for messages.

    Raises:
        SchemaError: there are mistakes; all of them are listed.
        LookupFailure: the only mistake is a name that cannot be resolved.
    """
    from essmc_core.building.construct import construct
    from essmc_core.registry.reading import live_signature

    return construct(_resolve(kind, config, live_signature, prefix))


def _resolve(kind: str, config: Config, read: ReadSignature, prefix: str) -> Part:
    from essmc_core.building.build import resolve

    return resolve(kind, config, REGISTRIES, read, prefix=prefix)

"""Rebuilds a model from one file, folder or address alone: its description is data, and no code comes out of it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from essmc_core.errors import ConfigError, UnknownModel, WeightsNotFound
from essmc_core.models.devices import find_device
from essmc_core.models.dtypes import adopt_dtypes, stored_dtypes
from essmc_core.models.exported import is_export
from essmc_core.models.factory import build_recipe
from essmc_core.models.recipes import find_run, read_recipe
from essmc_core.weights.fetching import fetch
from essmc_core.zoo.trained import trained_weights
from essmc_core.zoo.weights_asked import weights_source

if TYPE_CHECKING:
    from essmc_core.contract.module import TrainModule
    from essmc_core.zoo.recipe import Recipe


def load(source: str | os.PathLike[str], *, device: str | None = None, check: bool = False) -> TrainModule:
    """Rebuilds a model from what `save`, `push` or training wrote.

    The packs that its parts come from must be installed; a message says how where they are not. Nothing that the file
    holds is run: it names components, and those are looked up among the installed packs.

    Args:
        source: a file of `save`, a checkpoint or work dir of training, a folder that is laid out as the Hub does,
            ``hf://owner/name[@revision]``, or the address of such a file (``https://``, ``pkg://`` …).
        device: where to put it: ``cpu``, ``cuda``, ``cuda:1``, ``mps``, or ``auto``; None is the CPU.
        check: compare what the model computes with what the file states, which notices another version of a pack or
            library that computes otherwise. Done once for a file and all versions, and remembered.

    Returns:
        The model in test mode, with the values and dtypes that were saved; its ``card`` says what it is.

    Raises:
        UnknownModel: it is no such file; the message says what it is.
        MissingDependency: a pack is not installed; the message holds the line for pip.
        SchemaError: the installed packs do not take its configuration.
        WeightsError: it cannot be fetched or read, or its tensors are not all of the model's.
        FingerprintMismatch: with ``check``, the model computes something else than the file states.
        FingerprintUnknown: with ``check``, the file does not state it.
    """
    recipe = read_stored(source)
    weights, prepare = stored_weights(recipe)
    model = build_recipe(recipe, weights, purpose="use", prepare=prepare, check=check)
    description = recipe.trained and recipe.trained.description
    for names in (description or {}).get("ties") or ():
        _tie(model, names)
    return model.eval().to(find_device(device or "cpu"))


def read_stored(source: str | os.PathLike[str]) -> Recipe:
    """Returns what a file says of the model in it; arguments and errors are those of `load`."""
    recipe = read_recipe(_local(source))
    if recipe.trained is None:
        raise UnknownModel(f"{source} is the configuration of a model, without weights", hint="build_model builds it")
    return recipe


def stored_weights(recipe: Recipe) -> tuple[dict[str, Any] | None, Callable[[TrainModule], None] | None]:
    """Returns a file's weights as a source, and what gives the model that is built the dtypes that they have."""
    weights = weights_source(recipe, True, None)
    description = recipe.trained and recipe.trained.description
    if weights is None or not description:
        return weights, None
    # The file holds every tensor of its model, and a state dict of nothing else.
    dtypes = stored_dtypes(Path(weights["uri"]), _mapping(description.get("buffers")))
    return {**weights, "strict": True}, functools.partial(adopt_dtypes, dtypes=dtypes)


def _local(source: str | os.PathLike[str]) -> Path:
    """Returns the file or work dir that is named, fetched if need be.

    Raises:
        UnknownModel: it is a file of another kind.
        WeightsNotFound: there is nothing of this name.
    """
    if not isinstance(source, (str, os.PathLike)):
        raise ConfigError(f"a {type(source).__name__} names no file", hint="give a path or an address")
    text = os.fspath(source)
    if "://" in text:
        return find_run(text) or _described(fetch(text), text)
    if not os.path.exists(text):
        raise WeightsNotFound(f"There is no file {text}.", hint="build_model builds zoo models by name.")
    return _described(Path(source), text)


def _described(place: Path, named: str) -> Path:
    found = find_run(place)
    if found is not None:
        # The checkpoint says more than the configuration beside it.
        return trained_weights(found)
    if is_export(place):
        raise UnknownModel(
            f"{named} is a program that `essmc export` or PyTorch wrote, which cannot be changed back into a model",
            hint=f"essmc_core.predict({named!r}, inputs) and `essmc predict {named} FILE` run it",
        )
    raise UnknownModel(
        f"{named} does not say which model it holds the weights of",
        hint=f"`essmc inspect {named}` says what is in it; build_model(NAME, weights={named!r}) loads it into a model",
    )


def _tie(model: nn.Module, names: Sequence[str]) -> None:
    """Makes several names of a model stand for one tensor."""
    first, *others = names
    owner, _, leaf = first.rpartition(".")
    tensor = getattr(model.get_submodule(owner), leaf)
    for name in others:
        owner, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(owner), leaf, tensor)


def _mapping(value: Any) -> Mapping[str, str]:
    return value if isinstance(value, Mapping) else {}

"""Compares what networks compute with their weights with what their zoo entries, or the files of them, state."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from essmc_core.errors import FingerprintMismatch, MissingDependency, WeightsError, WeightsMismatch, WeightsNotFound
from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.zoo.fingerprint import Fingerprint
from essmc_core.zoo.written_section import write_section
from essmc_core.zoo.zoo import ZooEntry

if TYPE_CHECKING:
    from essmc_core.contract.module import TrainModule

Status: TypeAlias = Literal["ok", "written", "differs", "not checked", "unknown"]


@dataclass(frozen=True, slots=True)
class WeightsVerdict:
    """What came of an entry.

    Attributes:
        name: name of the entry.
        status: ``ok``; ``written``, now; ``differs``, which includes weights that cannot be loaded; ``not checked``,
            because the weights cannot be had; ``unknown``, because the entry states no fingerprint.
        reason: why it is neither ok nor unknown.
        found: the fingerprint that was computed.
        error: what was raised, where it differs or was not checked.
    """

    name: str
    status: Status
    reason: str = ""
    found: Fingerprint | None = None
    error: WeightsError | MissingDependency | None = None


def verify_weights(entry: ZooEntry, *, write: bool = False) -> WeightsVerdict:
    """Builds an entry's network with its weights, compares, and writes the fingerprint into its file if asked to.

    Args:
        entry: the entry. Its weights are fetched only if there is something to compare or to write.
        write: state what was found where nothing, or something else, is stated.

    Raises:
        ConfigError: the entry cannot be used as it is written, or is to be written and has no file of its own.
    """
    if not entry.pretrained or not (entry.has_check or write):
        return WeightsVerdict(entry.name, "unknown")
    try:
        return _compared(entry)
    except (WeightsNotFound, MissingDependency) as error:
        return WeightsVerdict(entry.name, "not checked", error.message, error=error)
    except FingerprintMismatch as error:
        if not write:
            return WeightsVerdict(entry.name, "differs", error.message, error=error)
        return _written(entry, reason=error.message)
    except WeightsError as error:
        return WeightsVerdict(entry.name, "differs", error.message, error=error)


def verify_file(source: str | os.PathLike[str]) -> WeightsVerdict:
    """Rebuilds the model of a file and compares it with what the file states.

    Args:
        source: as for `essmc_core.load`.

    Raises:
        UnknownModel: no file of a model.
        WeightsError: it cannot be fetched or read.
        MissingDependency: a pack is not installed.
    """
    from essmc_core.building.construct import construct
    from essmc_core.models.checked_loading import compare, stated_fingerprint
    from essmc_core.models.factory import build_recipe
    from essmc_core.models.loading import read_stored, stored_weights

    recipe = read_stored(source)
    stated = stated_fingerprint(recipe)
    if stated is None:
        return WeightsVerdict(os.fspath(source), "unknown", "the file does not state what its model computes")
    weights, prepare = stored_weights(recipe)
    resolved = resolve_recipe(recipe)

    def build() -> TrainModule:
        model: TrainModule = construct(resolved.model)
        if prepare is not None:
            prepare(model)
        return model

    try:
        model = build_recipe(recipe, weights, purpose="use", resolved=resolved, prepare=prepare)
        compare(recipe, stated, model, build)
    except (FingerprintMismatch, WeightsMismatch) as error:
        return WeightsVerdict(os.fspath(source), "differs", error.message, error=error)
    return WeightsVerdict(os.fspath(source), "ok")


def _compared(entry: ZooEntry) -> WeightsVerdict:
    from essmc_core.building.construct import construct
    from essmc_core.models.checked_loading import compare, stated_fingerprint
    from essmc_core.models.factory import build_trained
    from essmc_core.zoo.weights_asked import weights_source

    recipe = read_recipe(entry.qualified)
    stated = stated_fingerprint(recipe)
    if stated is None:
        return _written(entry)
    resolved = resolve_recipe(recipe)
    model = build_trained(recipe, weights_source(recipe, True, None), resolved)
    compare(recipe, stated, model, lambda: construct(resolved.model))
    return WeightsVerdict(entry.name, "ok")


def _written(entry: ZooEntry, reason: str = "") -> WeightsVerdict:
    from essmc_core.models.factory import build_trained
    from essmc_core.models.fingerprint import fingerprint_of
    from essmc_core.zoo.weights_asked import weights_source

    recipe = read_recipe(entry.qualified)
    at = recipe.section("check").get("at")
    found = fingerprint_of(build_trained(recipe, weights_source(recipe, True, None)), recipe.input_spec(), at)
    write_section(entry, "check", found.to_yaml(), hint=f"write this into the table:\n{found.to_yaml()}")
    return WeightsVerdict(entry.name, "written", reason, found)

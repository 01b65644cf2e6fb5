"""Fetches the weights of zoo entries and compares what their networks compute with what the entries state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from essmc_core.errors import FingerprintMismatch, MissingDependency, WeightsError, WeightsNotFound
from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.zoo.fingerprint import Fingerprint
from essmc_core.zoo.written_section import write_section
from essmc_core.zoo.zoo import ZooEntry

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

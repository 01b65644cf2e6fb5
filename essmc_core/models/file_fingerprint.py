"""The fingerprint that a saved file states of its own network, and what else holds for these weights alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.config import Config
from essmc_core.errors import EssmcError
from essmc_core.foundation.plain_data import plain_data
from essmc_core.models.fingerprint import fingerprint_of
from essmc_core.zoo.fingerprint import Fingerprint, read_fingerprint
from essmc_core.zoo.input_section import read_input

if TYPE_CHECKING:
    from essmc_core.contract.module import TrainModule


class NoFingerprint(UserWarning):
    """A file was saved without stating what its network computes."""


def with_fingerprint(
    description: Mapping[str, Any], model: TrainModule, start: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Returns a description that states what the network computes; unchanged for a model that cannot be run.

    The results of an entry, or of another file, are those of its weights: they are kept if these are still the same, by
    the numbers that it states for them. Provenance says if they are not.

    Args:
        description: of the model.
        model: what the description builds, with its weights.
        start: the configuration that the weights came with, None if there is none.
    """
    config = Config.from_mapping(description["config"])
    if config.get("input") is None:
        return dict(description)
    try:
        found = fingerprint_of(model, read_input(config))
    except (EssmcError, RuntimeError, TypeError, ValueError) as error:
        message = f"the file does not state what the model computes, because it cannot be run: {error}"
        warnings.warn(message, NoFingerprint, stacklevel=3)
        return dict(description)
    stated: dict[str, Any] = {**description["config"], "check": found.to_mapping()}
    weights, earlier = description.get("weights"), _fingerprint_in(start)
    if start is not None and earlier is not None and earlier.weights_differ(found.weights):
        weights = weights and {**weights, "changed": True}
    elif start is not None and earlier is not None and start.get("results"):
        stated["results"] = plain_data(start["results"])
    return {**description, "config": stated, "weights": weights}


def _fingerprint_in(config: Mapping[str, Any] | None) -> Fingerprint | None:
    try:
        return None if config is None else read_fingerprint(Config.from_mapping(config))
    except EssmcError:
        return None

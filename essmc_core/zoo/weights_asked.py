"""Selects the weights of a model: those of its run, the user's file, or those that its zoo entry names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import WeightsNotFound
from essmc_core.foundation.plain_data import plain_data
from essmc_core.zoo.trained import trained_weights

if TYPE_CHECKING:
    from essmc_core.zoo.recipe import Recipe


def weights_source(
    recipe: Recipe, pretrained: bool, weights: str | os.PathLike[str] | Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Returns the weights to load into a recipe's model, None for none.

    Args:
        recipe: what is built. That of a work dir or checkpoint includes its weights.
        pretrained: load the weights that the recipe names.
        weights: load these instead of either; a work dir refers to its best checkpoint, else its newest.

    Raises:
        WeightsNotFound: the entry's own weights were requested and it names none that can be fetched.
    """
    if weights is None and recipe.trained is not None:
        recipe.trained.require_packs()
        return {"uri": str(trained_weights(recipe.trained.path))}
    if isinstance(weights, (str, os.PathLike)) and os.path.isdir(weights):
        weights = trained_weights(Path(weights))
    if weights is not None:
        given = dict(plain_data(weights)) if isinstance(weights, Mapping) else {"uri": os.fspath(weights)}
        return _with_entry_layout(recipe, given)
    if not pretrained:
        return None
    written = recipe.config.get("weights") if recipe.prefix else None
    if isinstance(written, str):
        return {"uri": written}
    section = recipe.section("weights")
    if not section.get("uri"):
        note = str(recipe.config.get("weights_note", "")).strip()
        raise WeightsNotFound(
            f"{recipe.name} names no weights that can be fetched" + (f": {note}" if note else ""),
            where=recipe.config.where(),
            hint="weights=PATH (--checkpoint PATH at the command line) loads a file of yours",
        )
    return dict(plain_data(section))


def _with_entry_layout(recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """Adds the entry's layout as a fallback for the user's file, which may be a copy, unless a key map is given."""
    from essmc_core.weights.options import LAYOUT

    section = recipe.section("weights")
    layout = {key: plain_data(section[key]) for key in LAYOUT if section.get(key) is not None}
    if not layout or given.get("key_map") is not None or "fallback" in given:
        return given
    return {**given, "fallback": layout}

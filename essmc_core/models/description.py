"""What a file says of the model in it: its card without this machine's paths, and where its packs came from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.config import Config
from essmc_core.discovery.distributions import installed_packs
from essmc_core.discovery.origin import origin_of
from essmc_core.errors import EssmcError
from essmc_core.models.factory import make_card
from essmc_core.models.recipes import read_recipe, resolve_recipe

if TYPE_CHECKING:
    from essmc_core.contract.module import TrainModule

# Where training data are and how a run goes is no part of the model.
_OF_RUNS = ("data", "solver", "_base_")


class NotRebuildable(EssmcError, ValueError):
    """A model that a file cannot describe: what its configuration builds is another one."""


def describe_model(
    model: TrainModule,
    config: Mapping[str, Any] | None = None,
    *,
    input: Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Returns the description of a model as plain data that JSON holds.

    Args:
        model: whose card is used.
        config: what builds it, for a model without a card or one that was changed since.
        input: its input specification, instead of that of the configuration.
        labels: class names by index, likewise.

    Raises:
        NotRebuildable: nothing says what it is built by.
        ConfigError: its configuration holds something else than plain data.
    """
    card = dict(_card_of(config) if config is not None else model.card or {})
    if not isinstance(card.get("config"), Mapping):
        raise NotRebuildable(
            f"nothing says what this {type(model).__name__} is built by: it was not made by build_model",
            hint="give the configuration that builds it: save(model, path, config={'model': {'type': …}})",
        )
    stated = {"model": card["config"]} if "model" not in card["config"] else dict(card["config"])
    sections = {"input": input, "labels": None if labels is None else list(labels)}
    stated = {key: value for key, value in stated.items() if key not in _OF_RUNS}
    stated |= {key: value for key, value in sections.items() if value is not None}
    packs = card.get("packs")
    return {
        **card,
        "config": plain_config(stated),
        "packs": dict(packs) if isinstance(packs, Mapping) else {},
        "origins": _origins(packs if isinstance(packs, Mapping) else {}),
        "weights": _provenance(card.get("weights")),
    }


def plain_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a configuration as JSON gives it back.

    Raises:
        ConfigError: it holds something else than plain data; the message says where.
    """
    whole = Config.from_mapping(config)
    # Says by its dotted path what YAML, and JSON, have no form for.
    whole.dump()
    plain: dict[str, Any] = json.loads(json.dumps(whole.to_dict()))
    return plain


def _card_of(config: Mapping[str, Any]) -> dict[str, Any]:
    recipe = read_recipe(config)
    return make_card(recipe, resolve_recipe(recipe).model, None, None)


def _origins(packs: Mapping[str, str]) -> dict[str, str]:
    return {found.name: origin_of(Path(found.folder)).public
            for found in installed_packs() if found.name in packs and found.folder}  # fmt: skip


def _provenance(weights: object) -> dict[str, Any] | None:
    """Returns where weights came from first, without the folders of this machine."""
    if not isinstance(weights, Mapping):
        return None
    if "origin" in weights:
        return dict(weights["origin"]) if isinstance(weights["origin"], Mapping) else None
    uri = str(weights.get("uri", ""))
    is_local = "://" not in uri or uri.startswith("file:")
    return {**weights, "uri": Path(uri).name if is_local else uri}

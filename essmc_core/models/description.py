"""What a file says of the model in it: its card without this machine's paths, and where its packs came from."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from essmc_core.config import Config
from essmc_core.discovery.distributions import installed_packs
from essmc_core.discovery.origin import origin_of
from essmc_core.errors import EssmcError
from essmc_core.models.factory import make_card
from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.models.sameness import unstored_buffers
from essmc_core.weights.described_file import FORMAT
from essmc_core.weights.plan import tied_groups
from essmc_core.weights.state_dict import strip_key
from essmc_core.zoo.trained import SUFFIXES, without_start

if TYPE_CHECKING:
    from essmc_core.contract.module import TrainModule

# Where training data and code are and how a run goes is no part of the model.
_OF_RUNS = ("data", "solver", "code", "_base_")
_OF_FILES = (".yaml", ".yml", ".safetensors", *SUFFIXES)


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

    It names no place of this machine: neither where the weights were that the model started from, nor training data.

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
        "format": FORMAT,
        **card,
        "model": _public_name(str(card.get("model") or type(model).__name__)),
        "config": plain_config(without_start(Config.from_mapping(stated)).to_dict()),
        "packs": dict(packs) if isinstance(packs, Mapping) else {},
        "origins": _origins(packs if isinstance(packs, Mapping) else {}),
        "weights": provenance(card.get("weights")),
        **_facts_of_tensors(model),
    }


def _facts_of_tensors(model: nn.Module) -> dict[str, Any]:
    """Returns what a state dict does not say: which names share one tensor, and dtypes of what is not in it."""
    buffers = unstored_buffers(model).items()
    return {
        "ties": [sorted(map(strip_key, group)) for group in tied_groups(model)],
        "buffers": {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in buffers},
        "torch": torch.__version__,
    }


def _public_name(name: str) -> str:
    """Returns a model's name; of one that is named by a file or folder, what that is called."""
    path = Path(name)
    if path.suffix in _OF_FILES:
        return path.stem
    return path.name if path.is_absolute() or (os.sep in name and path.is_dir()) else name


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


def provenance(weights: object) -> dict[str, Any] | None:
    """Returns where weights came from first, without the folders of this machine."""
    if not isinstance(weights, Mapping):
        return None
    if "origin" in weights:
        return dict(weights["origin"]) if isinstance(weights["origin"], Mapping) else None
    uri = str(weights.get("uri", ""))
    is_local = "://" not in uri or uri.startswith("file:")
    return {**weights, "uri": Path(uri).name if is_local else uri}

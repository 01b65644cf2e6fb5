"""Building zoo models by name, and the card that says what built them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core._version import __version__
from essmc_core.errors import ConfigError, WeightsNotFound
from essmc_core.foundation.names import Patterns
from essmc_core.foundation.plain_data import plain_data
from essmc_core.zoo.recipe import Overrides, Recipe, Source, read_recipe
from essmc_core.zoo.trained import trained_weights

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.contract.module import TrainModule
    from essmc_core.registry.component import Component
    from essmc_core.weights import LoadReport
    from essmc_core.weights.judgement import Purpose


def list_models(
    pattern: Patterns = "*",
    *,
    exclude: Patterns = (),
    modality: str | None = None,
    dataset: str | None = None,
    pretrained: bool | None = None,
    max_params: float | None = None,
    max_macs: float | None = None,
    pack: str | None = None,
) -> list[str]:
    """Returns names of zoo models in natural order, without importing torch.

    Args:
        pattern: shell-style pattern or patterns; one without wildcards matches anywhere in the name.
        exclude: patterns to leave out.
        modality: ``image`` or ``video``.
        dataset: a data set that results are given for, by name, alias or pattern: ``Kinetics-400``, ``k400``,
            ``kinetics*``.
        pretrained: whether weights can be fetched.
        max_params: largest number of parameters, e.g. ``30e6``.
        max_macs: largest number of multiply-accumulates for one view, e.g. ``50e9``.
        pack: only entries of this pack.

    Raises:
        UnknownPack: no installed pack is called so.
        UnknownDataset: no entry has results on such a data set.
    """
    from essmc_core.discovery.named_pack import named_pack
    from essmc_core.models.defaults import DISCOVERY, ZOO

    entries = ZOO.entries(
        pattern,
        exclude=exclude,
        modality=modality,
        dataset=dataset,
        pretrained=pretrained,
        max_params=max_params,
        max_macs=max_macs,
        pack=None if pack is None else named_pack(pack, DISCOVERY.packs.values()),
    )
    return [ZOO.table.display_name(entry) for entry in entries]


def build_model(
    model: Source,
    *,
    pretrained: bool = False,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    overrides: Overrides = (),
    **knobs: Any,
) -> TrainModule:
    """Builds a model by zoo name, from a YAML file or from a mapping.

    Args:
        model: zoo name; path of a ``.yaml`` file; path of a work dir of training or of a checkpoint, which bring their
            weights; or mapping with ``type``, ``model`` or ``zoo``. Never changed.
        pretrained: load the weights that the entry names.
        weights: load these instead: a path, a URI (``https://``, ``pkg://``, ``hf://`` …), or a mapping with
            ``uri`` and any of ``sha256``, ``key_map``, ``sub_level``.
        overrides: changes by path, e.g. ``"model.head.dropout_rate=0.1"``, a list of such, or
            ``{"model.head.dropout_rate": 0.1}``.
        **knobs: changes by the names the entry declares, e.g. ``num_classes=51``; any other name is an error.

    Returns:
        The model in train mode, as constructors leave it; its ``card`` says what built it and what was loaded.

    Raises:
        UnknownModel: the zoo has no such name.
        SchemaError: the configuration does not fit; every mistake is listed, before anything is built.
        WeightsError: the weights cannot be fetched, read or fitted.
    """
    recipe = read_recipe(model, overrides, knobs)
    return build_recipe(recipe, weights_source(recipe, pretrained, weights))


def weights_source(
    recipe: Recipe, pretrained: bool, weights: str | os.PathLike[str] | Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """Returns what to load into a recipe's model, None for nothing.

    Args:
        recipe: what is built. That of a work dir or checkpoint brings its weights.
        pretrained: load the weights that the recipe names.
        weights: load these instead of either; a work dir stands for its best checkpoint, else its newest.

    Raises:
        WeightsNotFound: the entry's own weights were asked for and it names none that can be fetched.
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
    """Lets a file of the user's be read as the entry's own, should it be a copy of that, unless its key map is told."""
    from essmc_core.weights.options import LAYOUT

    section = recipe.section("weights")
    layout = {key: plain_data(section[key]) for key in LAYOUT if section.get(key) is not None}
    if not layout or given.get("key_map") is not None or "fallback" in given:
        return given
    return {**given, "fallback": layout}


def build_recipe(
    recipe: Recipe,
    source: Mapping[str, Any] | None = None,
    *,
    purpose: Purpose = "start",
) -> TrainModule:
    """Builds a recipe's model, loads weights into it and stamps its card.

    Args:
        recipe: what to build.
        source: what to load, as :func:`weights_source` returns it.
        purpose: what for: a start of training, or use as it is; see `essmc_core.weights.judgement`.
    """
    from essmc_core.building.construct import construct, live_signature
    from essmc_core.zoo.checks.configuration import check_recipe

    parts = check_recipe(recipe, live_signature)

    def build() -> TrainModule:
        model: TrainModule = construct("models", recipe.model, prefix=recipe.prefix)
        return model

    if source is None:
        model, report = build(), None
    else:
        from essmc_core.weights import build_with_weights

        model, report = build_with_weights(build, source, purpose=purpose)
    model.card = make_card(recipe, parts, source, report)
    return model


def build_trained(recipe: Recipe, source: Mapping[str, Any] | None) -> TrainModule:
    """Builds a recipe's model for use rather than for training: weights must fill all of it.

    Args:
        recipe: what to build.
        source: what to load; None leaves all of it random.

    Raises:
        WeightsMismatch: the head is not that of the weights, or a parameter or a statistic is not in them.
    """
    return build_recipe(recipe, source, purpose="use")


def resolved_parts(recipe: Recipe) -> list[tuple[str, Component]]:
    """Returns every component a recipe names, with its path in the configuration, importing none of them.

    Raises:
        SchemaError: the configuration does not fit.
    """
    from essmc_core.signatures.signature import read_signature
    from essmc_core.zoo.checks.configuration import check_recipe

    return check_recipe(recipe, read_signature)


def make_card(
    recipe: Recipe,
    parts: Sequence[tuple[str, Component]],
    source: Mapping[str, Any] | None,
    report: LoadReport | None,
) -> dict[str, object]:
    """Returns what built a model: configuration, packs with versions, and where its weights came from."""
    from essmc_core.models.defaults import DISCOVERY

    used = {component.pack for _, component in parts}
    card: dict[str, object] = {
        "model": recipe.name,
        "config": _whole_config(recipe.config),
        "essmc-core": __version__,
        "packs": {pack.distribution: pack.version for pack in DISCOVERY.packs.values() if pack.name in used},
        "weights": None,
    }
    if source is not None and report is not None:
        stated = {key: source[key] for key in ("uri", "sha256", "sha256_prefix", "licence") if key in source}
        named = {"key_map": report.key_map} if report.key_map else {}
        card["weights"] = {**stated, "coverage": report.coverage, **named}
    return card


def _whole_config(config: Config) -> dict[str, Any]:
    """Returns a configuration that means the same without the files beside it: names of classes in place of a file."""
    plain = config.to_dict()
    if isinstance(plain.get("labels"), str):
        from essmc_core.zoo.labels import read_labels

        # Whoever asks for the names is told that their file is missing; building needs none.
        with contextlib.suppress(ConfigError):
            plain["labels"] = read_labels(config)
    return plain

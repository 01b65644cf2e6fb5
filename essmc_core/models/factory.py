"""Builds zoo models by name, with a card that records what built them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import Patterns
from essmc_core.foundation.version import __version__
from essmc_core.models.checked_loading import check_loaded, required_fingerprint
from essmc_core.models.recipes import explained, read_recipe, resolve_recipe
from essmc_core.registry.component import LOCAL
from essmc_core.zoo.licence import Licence, read_licence
from essmc_core.zoo.recipe import ModelRef, Overrides, Recipe
from essmc_core.zoo.weights_asked import weights_source

if TYPE_CHECKING:
    from essmc_core.building.part import Part
    from essmc_core.contract.module import TrainModule
    from essmc_core.weights import LoadReport
    from essmc_core.weights.judgement import Purpose
    from essmc_core.zoo.resolving import Resolved


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
    licence: str | Sequence[str] | None = None,
    commercial: bool = False,
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
        licence: SPDX identifiers, e.g. ``["Apache-2.0", "MIT"]`` or ``"Apache-2.0,MIT"``: only entries whose code and
            weights may be used under one of them. What is ``unknown`` or not stated never counts.
        commercial: only entries whose code and weights are known to permit commercial use.

    Raises:
        ConfigError: ``licence`` holds something else than SPDX identifiers.
        UnknownPack: no installed pack has this name.
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
        licence=licence.split(",") if isinstance(licence, str) else licence,
        commercial=commercial,
    )
    return [ZOO.table.display_name(entry) for entry in entries]


def build_model(
    model: ModelRef,
    *,
    pretrained: bool = False,
    weights: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    overrides: Overrides = (),
    check: bool = False,
    **knobs: Any,
) -> TrainModule:
    """Builds a model by zoo name, from a YAML file or from a mapping.

    Args:
        model: zoo name; path of a ``.yaml`` file; path of a work dir of training or of a checkpoint, which include
            their weights; or mapping with ``type``, ``model`` or ``zoo``. Never changed.
        pretrained: load the weights that the entry names.
        weights: load these instead: a path, a URI (``https://``, ``pkg://``, ``hf://`` …), or a mapping with
            ``uri`` and any of ``sha256``, ``key_map``, ``sub_level``.
        overrides: changes by path, e.g. ``"model.head.dropout_rate=0.1"``, a list of such, or
            ``{"model.head.dropout_rate": 0.1}``.
        check: compare what the network computes with the fingerprint that the entry states, which finds weights in
            wrong places and other code. Done once for a file, an entry and all versions, and remembered.
        **knobs: changes by the names the entry declares, e.g. ``num_classes=51``; any other name is an error.

    Returns:
        The model in train mode, as constructors leave it; its ``card`` records what built it and what was loaded.

    Raises:
        UnknownModel: the zoo has no such name.
        SchemaError: the configuration does not fit; every mistake is listed, before anything is built.
        WeightsError: the weights cannot be fetched, read or fitted.
        FingerprintMismatch: with ``check``, the network computes something else than the entry states.
        FingerprintUnknown: with ``check``, there is nothing to compare with.
    """
    recipe = read_recipe(model, overrides, knobs)
    return build_recipe(recipe, weights_source(recipe, pretrained, weights), check=check)


def build_recipe(
    recipe: Recipe,
    source: Mapping[str, Any] | None = None,
    *,
    purpose: Purpose = "start",
    resolved: Resolved | None = None,
    prepare: Callable[[TrainModule], None] | None = None,
    check: bool = False,
) -> TrainModule:
    """Builds a recipe's model, loads weights into it and sets its card.

    Args:
        recipe: what to build.
        source: what to load, as :func:`weights_source` returns it.
        purpose: a start of training, or use as it is; see `essmc_core.weights.judgement`.
        resolved: the recipe resolved with live signatures, if that was done already.
        prepare: changes the model between its construction and the load, e.g. its dtypes.
        check: compare it with the recipe's fingerprint; see `essmc_core.models.checked_loading`.
    """
    from essmc_core.building.construct import construct

    if check:
        required_fingerprint(recipe, source)
    with explained(recipe):
        part = (resolved or resolve_recipe(recipe)).model

        def build() -> TrainModule:
            model: TrainModule = construct(part)
            if prepare is not None:
                prepare(model)
            return model

        if source is None:
            model, report = build(), None
        else:
            from essmc_core.weights import build_with_weights

            model, report = build_with_weights(build, source, purpose=purpose)
    model.card = make_card(recipe, part, source, report)
    if check and source is not None:
        check_loaded(recipe, model, build, source)
    return model


def build_trained(
    recipe: Recipe, source: Mapping[str, Any] | None, resolved: Resolved | None = None, *, check: bool = False
) -> TrainModule:
    """Builds a recipe's model for use rather than for training: weights must cover all of it.

    Args:
        recipe: what to build.
        source: what to load; None leaves all weights random.
        resolved: the recipe resolved with live signatures, if that was done already.
        check: compare it with the recipe's fingerprint.

    Raises:
        WeightsMismatch: the head is not that of the weights, or the weights lack a parameter or a statistic.
        FingerprintMismatch: it computes something else than the recipe states.
    """
    return build_recipe(recipe, source, purpose="use", resolved=resolved, check=check)


def make_card(
    recipe: Recipe,
    part: Part,
    source: Mapping[str, Any] | None,
    report: LoadReport | None,
) -> dict[str, object]:
    """Returns the card of a model: configuration, packs with versions, and the origin of its weights."""
    from essmc_core.models.defaults import DISCOVERY

    licence = read_licence(recipe.config) if recipe.prefix else Licence()
    components = [inner.component for inner in part.walk()]
    used = {component.pack for component in components}
    card: dict[str, object] = {
        "model": recipe.name,
        "config": _whole_config(recipe),
        "essmc-core": __version__,
        "packs": {pack.distribution: pack.version for pack in DISCOVERY.packs.values() if pack.name in used},
        "licence": {"code": licence.code, "weights": None},
        "weights": None,
    }
    if local := {f"{one.kind}/{one.name}": _registered_by(one.target) for one in components if one.pack == LOCAL}:
        card["local"] = local
    if source is not None and report is not None:
        stated = {key: source[key] for key in ("uri", "sha256", "sha256_prefix") if key in source}
        named: dict[str, object] = {"key_map": report.key_map} if report.key_map else {}
        if report.random:
            named["random"] = report.random_parts()
        card["weights"] = {**stated, "coverage": report.coverage, **named}
        own = recipe.config.get("weights") if recipe.prefix else None
        # The licence of the recipe's weights is not that of any other file.
        is_own = source.get("uri") == (own.get("uri") if isinstance(own, Mapping) else own)
        card["licence"] = {"code": licence.code, "weights": licence.weights if is_own else source.get("licence")}
        trained = recipe.trained
        if trained is not None and trained.description is not None and source.get("uri") == str(trained.file):
            # What was saved is what it was loaded from, wherever the file went since.
            card |= {key: trained.description.get(key) for key in ("model", "licence")}
            card["weights"] = {
                **stated,
                **named,
                "coverage": report.coverage,
                "origin": trained.description.get("weights"),
            }
    return card


def _registered_by(target: object) -> str:
    """Returns the module and the name of the file that registered a component without a pack."""
    module = str(getattr(target, "__module__", "?"))
    file = getattr(sys.modules.get(module), "__file__", None)
    return f"{module} ({os.path.basename(file)})" if file else module


def _whole_config(recipe: Recipe) -> dict[str, Any]:
    """Returns a configuration that is independent of other files: class names in place of the path of a file."""
    plain = recipe.config.to_dict()
    if isinstance(plain.get("labels"), str):
        # Building does not need class names; reading them later reports the missing file.
        with contextlib.suppress(ConfigError):
            plain["labels"] = recipe.labels()
    return plain

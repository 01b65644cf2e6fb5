"""One zoo entry for each of timm's pretrained weights, ``timm/<architecture>.<tag>``, without importing timm."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import Any

from essmc_core.location import Location
from essmc_core.zoo.tables import Row
from essmc_timm.class_names import SUBSETS, class_names
from essmc_timm.index import find_models_folder, load_weights
from essmc_timm.key_maps import from_timm

CODE_LICENCE = "Apache-2.0"
_LABELS = "timm::labels/imagenet1k.txt"
# Last layers that are more than one linear layer on pooled features, or several whose scores are averaged.
_WHOLE = frozenset({"head.fc.fc2", "head.linear", "head.head.l", "head.l"})
_DEFAULT_CLASSES = 1000
_NO_CLASSIFIER = "The weights have no classifier: state num_classes, and train its head."
_KNOBS = {"num_classes": "model.head.num_classes", "dropout": "model.head.dropout_rate"}


def rows() -> list[Row]:
    """Returns a row for each of the weights of the installed timm, placed where its source states them."""
    folder = find_models_folder()
    return [
        Row(one.name, one.stated, Location(f"{folder}{os.sep}{one.module}.py", one.line))
        for one in load_weights(folder)
    ]


def entry(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the mapping of an entry.

    Args:
        stated: see `essmc_timm.model_names.Weights`.
    """
    name, classes, classifier = stated["name"], stated["num_classes"], stated.get("classifier")
    architecture, _, tag = name.partition(".")
    parts, knobs, layout = _parts(architecture, stated)
    made: dict[str, Any] = {
        "summary": f"{architecture} of timm, {_trained_on(classes)}, {tag}" if tag else f"{architecture} of timm",
        "model": {"type": "Classifier", **parts},
        "input": _input(stated),
        "knobs": knobs,
        "weights": {"uri": _uri(stated), **layout},
        "licence": {"code": CODE_LICENCE, "weights": stated["licence"]},
        "notes": _notes(stated, classes > 0 and classifier is not None),
    }
    if classes == _DEFAULT_CLASSES:
        made["labels"] = _LABELS
    elif classes in SUBSETS:
        # Tens of thousands, read when the entry is built.
        made["labels"] = functools.partial(class_names, classes)
    return made


def _parts(architecture: str, stated: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Returns backbone and head, the knobs, and how the keys of timm's file are read."""
    classes, classifier = stated["num_classes"], stated.get("classifier")
    channels, *size = stated["input_size"]
    backbone: dict[str, Any] = {"type": f"timm/{architecture}"}
    if channels != 3:
        backbone["in_chans"] = channels
    if stated.get("fixed_input_size"):
        backbone["img_size"] = size
    head: dict[str, Any] = {"type": "ClassifierHead", "num_classes": classes or _DEFAULT_CLASSES}
    if classes == 0 or classifier is None:
        layout: dict[str, Any] = {"key_map": [["^", "backbone."]], "allow_missing": ["head.*"]}
        return {"backbone": backbone, "head": head}, dict(_KNOBS), layout
    if isinstance(classifier, str) and classifier not in _WHOLE:
        return (
            {"backbone": backbone, "head": head},
            dict(_KNOBS),
            {"key_map": [list(pair) for pair in from_timm(classifier)]},
        )
    paths = [classifier] if isinstance(classifier, str) else list(classifier)
    layout = {"key_map": [["^", "backbone."]], "head_prefixes": [f"backbone.{path}" for path in paths]}
    parts = {"backbone": {**backbone, "scores": classes}, "head": {"type": "timm/Scores"}}
    return parts, {"num_classes": "model.backbone.scores", "dropout": "model.backbone.drop_rate"}, layout


def _input(stated: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "modality": "image",
        "layout": "NCHW",
        "size": list(stated["input_size"][1:]),
        # Ours crops from what is at least as large.
        "crop_pct": min(stated["crop_pct"], 1.0),
        "interpolation": stated["interpolation"],
        "mean": list(stated["mean"]),
        "std": list(stated["std"]),
    }


def _uri(stated: Mapping[str, Any]) -> str:
    if hub := stated.get("hf_hub_id"):
        return f"hf://{hub}/{stated.get('hf_hub_filename') or 'model.safetensors'}"
    return str(stated.get("url") or stated.get("file"))


def _trained_on(classes: int) -> str:
    return SUBSETS.get(classes, ("", "no classifier" if classes == 0 else f"{classes:,} outputs"))[1]


def _notes(stated: Mapping[str, Any], has_classifier: bool) -> str:
    where = stated.get("hf_hub_id")
    notes = [f"Weights and their recipe: https://huggingface.co/{where}" if where else ""]
    notes += ["" if has_classifier else _NO_CLASSIFIER, str(stated.get("description") or "")]
    if stated.get("crop_mode", "center") != "center":
        notes.append(f"timm fits pictures to the size by crop_mode {stated['crop_mode']}, and not by cropping.")
    if stated["crop_pct"] > 1:
        notes.append(f"timm pads pictures: its crop_pct is {stated['crop_pct']}.")
    if origin := stated.get("origin_url"):
        notes.append(f"Original: {origin}")
    return " ".join(filter(None, notes))

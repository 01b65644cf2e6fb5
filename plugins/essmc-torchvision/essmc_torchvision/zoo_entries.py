"""One zoo entry for each member of torchvision's enumerations of weights, ``torchvision/<model>.<MEMBER>``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from essmc_core.location import Location
from essmc_core.zoo.tables import Row
from essmc_torchvision.index import find_models_folder
from essmc_torchvision.last_layers import from_torchvision
from essmc_torchvision.weights_index import load_weights

CODE_LICENCE = "BSD-3-Clause"
DATASETS = {"ImageNet-1K": ("ImageNet-1k", "imagenet1k"), "Kinetics-400": ("Kinetics-400", "kinetics400")}
VIDEO_RATE = 30
"""Frames per second of a Kinetics file, that torchvision's sampling rates are read against."""
_KNOBS = {"num_classes": "model.head.num_classes", "dropout": "model.head.dropout_rate"}
# Their parameters are counted with auxiliary classifiers, which are no part of the model.
_WITH_AUXILIARY = ("inception_v3",)
_NORMALISING = ("googlenet", "inception_v3")
_DEFAULT_CLASSES = 1000
_OTHER_HEADS = {
    "squeezenet": "torchvision's SqueezeNets classify with a convolution and a ReLU, which no head here is.",
    "maxvit": "The last layer of torchvision's MaxViT has no bias, and that of the head here has one.",
}


def rows() -> list[Row]:
    """Returns a row for each of the weights of the installed torchvision, placed where its source states them."""
    folder = find_models_folder().parents[1]
    return [
        Row(one.name, one.stated, Location(f"{folder.joinpath(*one.module.split('.'))}.py", one.line))
        for one in load_weights()
    ]


def entry(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the mapping of an entry.

    Args:
        stated: see `essmc_torchvision.scan_weights.Weights`.
    """
    model_name, _, member = stated["name"].partition(".")
    video = stated["transform"]["transform"] == "VideoClassification"
    dataset, labels = DATASETS[stated["dataset"]]
    made: dict[str, Any] = {
        "summary": f"{model_name} of torchvision, {dataset}, {member}",
        "model": _model(model_name, stated, video),
        "input": _video_input(stated) if video else _image_input(stated),
        "knobs": dict(_KNOBS),
        "licence": {"code": CODE_LICENCE, "weights": weights_licence(stated.get("license", ""))},
        "results": [
            {"dataset": dataset, "metric": metric, "value": value, "protocol": _protocol(stated, video),
             "source": stated["recipe"]}
            for metric, value in stated["metrics"].items()
        ],
        "notes": f"torchvision's own words: {' '.join(stated.get('_docs', '').split())}",
    }  # fmt: skip
    if stated["classes"]:
        made["labels"] = f"torchvision::labels/{labels}.txt"
    other = next((why for start, why in _OTHER_HEADS.items() if model_name.startswith(start)), None)
    if other is None:
        key_map = [list(pair) for pair in from_torchvision(model_name, "head.out" if video else "head.fc")]
        digest = re.search(r"-([0-9a-f]{8,})\.pth$", stated["url"])
        pinned = {"sha256_prefix": digest[1]} if digest else {}
        made["weights"] = {"uri": stated["url"], **pinned, "key_map": key_map}
        if not stated["classes"]:
            made["weights"]["allow_missing"] = ["head.*", "backbone.classifier.*"]
        if model_name not in _WITH_AUXILIARY:
            frames = [16] if video else []
            at = [3, *frames, *made["input"]["size"]]
            made["cost"] = {"params": stated["num_params"], "gmacs": stated["_ops"], "at": at}
    else:
        made["weights_note"] = f"{other} The backbone alone loads them: pretrained: true."
    return made


def weights_licence(stated: str) -> str:
    """Returns the licence of weights: torchvision leaves it open, but for those of SWAG, which it links."""
    return "CC-BY-NC-4.0" if "SWAG" in stated else "unknown"


def _model(model_name: str, stated: Mapping[str, Any], video: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if model_name.startswith("vit_") and stated["min_size"][0] != 224:
        arguments["image_size"] = stated["min_size"][0]
    if model_name in _NORMALISING:
        arguments["transform_input"] = True
    backbone = {"type": f"torchvision/{model_name}", **({"model_args": arguments} if arguments else {})}
    head = {
        "type": "VideoClassifierHead" if video else "ClassifierHead",
        "num_classes": stated["classes"] or _DEFAULT_CLASSES,
    }
    return {"type": "VideoClassifier" if video else "Classifier", "backbone": backbone, "head": head}


def _image_input(stated: Mapping[str, Any]) -> dict[str, Any]:
    crop, resize = stated["transform"]["crop_size"], stated["transform"]["resize_size"]
    return {"modality": "image", "layout": "NCHW", "size": [crop, crop], **_scaling(stated, crop, resize)}


def _video_input(stated: Mapping[str, Any]) -> dict[str, Any]:
    frames, stride, clips = sampling(stated)
    crop, resize = stated["transform"]["crop_size"], stated["transform"]["resize_size"]
    return {
        "modality": "video",
        "layout": "NCTHW",
        "frames": frames,
        "stride": stride,
        "fps": VIDEO_RATE,
        "size": list(crop),
        **_scaling(stated, crop[0], resize[0]),
        "views": {"temporal": clips, "spatial": 1},
    }


def _scaling(stated: Mapping[str, Any], crop: int, resize: int) -> dict[str, Any]:
    transform = stated["transform"]
    return {
        "crop_pct": round(crop / resize, 4),
        "interpolation": transform["interpolation"],
        "mean": list(transform["mean"]),
        "std": list(transform["std"]),
    }


def sampling(meta: Mapping[str, Any]) -> tuple[int, int, int]:
    """Returns frames, stride and clips per video, as torchvision documents how it measured.

    Args:
        meta: of the weights; ``_docs`` is read.
    """
    rate, clips, frames = (
        float(re.search(rf"`{word}=([\d.]+)`", meta["_docs"]).group(1))  # type: ignore[union-attr]
        for word in ("frame_rate", "clips_per_video", "clip_len")
    )
    return int(frames), round(VIDEO_RATE / rate), int(clips)


def _protocol(stated: Mapping[str, Any], video: bool) -> str:
    if video:
        frames, stride, clips = sampling(stated)
        counted = "1 clip" if clips == 1 else f"{clips} clips"
        return f"{counted} of {frames} frames, {stride} apart, centre crop, as torchvision states"
    transform = stated["transform"]
    return f"one centre crop of {transform['crop_size']} from {transform['resize_size']}, as torchvision states"

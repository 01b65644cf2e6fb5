"""Writes this pack's zoo entries from torchvision's own records: ``python -m essmc_torchvision.generate_entries``.

For maintainers, after torchvision published new weights; ``essmc verify --write 'torchvision/*'`` then fills in the
costs. Every number in an entry comes from torchvision's weights enumerations, none is typed.
"""

from __future__ import annotations

import functools
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import yaml
from torchvision import models
from torchvision.models import Weights, WeightsEnum
from torchvision.transforms._presets import VideoClassification

from essmc_core.weights.random_fills import skip_init
from essmc_torchvision.key_maps import from_torchvision, last_layer
from essmc_torchvision.zoo_entries import VIDEO_RATE, sampling

FOLDER = Path(__file__).parent / "zoo"
# Not all of torchvision's, and none whose last layer our heads cannot be: MaxViT's has no bias, SqueezeNet's is a
# convolution with a ReLU behind it.
IMAGE_MODELS = (
    "alexnet", "convnext_tiny", "convnext_small", "convnext_base", "convnext_large", "densenet121", "densenet161",
    "densenet169", "densenet201", "efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3",
    "efficientnet_b4", "efficientnet_v2_s", "efficientnet_v2_m", "googlenet", "inception_v3", "mnasnet1_0",
    "mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "regnet_x_1_6gf", "regnet_x_8gf", "regnet_y_400mf",
    "regnet_y_1_6gf", "regnet_y_8gf", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext50_32x4d",
    "resnext101_32x8d", "shufflenet_v2_x1_0", "swin_t", "swin_s", "swin_b", "swin_v2_t", "vgg16", "vgg16_bn",
    "vit_b_16", "vit_b_32", "vit_l_16", "wide_resnet50_2",
)  # fmt: skip
DATASETS = {"ImageNet-1K": ("ImageNet-1k", "imagenet1k"), "Kinetics-400": ("Kinetics-400", "kinetics400")}


def entry_name(model_name: str, weights: WeightsEnum) -> str:
    """Returns e.g. ``resnet50_tv2_in1k`` for ``IMAGENET1K_V2``, ``vit_b_16_tv_swag_e2e_in1k`` for a SWAG one."""
    kind, _, version = weights.name.rpartition("_V")
    recipe = "tv" if version == "1" else f"tv{version}"
    words = kind.lower().replace("kinetics400_imagenet22k", "in22k_k400").replace("kinetics400", "k400")
    if words.startswith("imagenet1k"):
        words = f"{words.removeprefix('imagenet1k').lstrip('_')}_in1k".lstrip("_")
    return f"{model_name}_{recipe}_{words}"


def entry(model_name: str, weights: WeightsEnum) -> dict[str, Any]:
    """Returns the content of one entry."""
    meta = weights.meta
    video = isinstance(weights.transforms(), VideoClassification)
    (dataset, _), *_ = _datasets(meta)
    head_path = "head.out" if video else "head.fc"
    # torchvision leaves open what its weights are under, but for those of SWAG.
    licence = "CC-BY-NC-4.0" if "SWAG" in meta.get("license", "") else "unknown"
    # torchvision counts operations on 16 frames whatever it evaluates on; `essmc verify --write` fills in the rest.
    cost = {"cost": {"at": [3, 16, *weights.transforms().crop_size]}} if video else {}
    return {
        **cost,
        "summary": f"{model_name} of torchvision, {dataset} ({weights.name})",
        "model": _model(model_name, weights, video),
        "input": _video_input(weights) if video else _image_input(weights),
        "knobs": {"num_classes": "model.head.num_classes", "dropout": "model.head.dropout_rate"},
        "weights": {
            "uri": weights.url,
            "sha256_prefix": _digest(weights.value),
            "key_map": [list(pair) for pair in from_torchvision(model_name, head_path)],
        },
        "licence": {"code": "BSD-3-Clause", "weights": licence},
        "results": [
            {
                "dataset": name,
                "metric": metric,
                "value": value,
                "protocol": _protocol(weights),
                "source": meta["recipe"],
            }
            for name, metrics in ((_datasets(meta)[0][0], next(iter(meta["_metrics"].values()))),)
            for metric, value in metrics.items()
        ],
        "labels": f"labels/{_datasets(meta)[0][1]}.txt",
        "paper": _paper(model_name),
        "notes": _notes(weights),
    }


def _datasets(meta: dict[str, Any]) -> list[tuple[str, str]]:
    return [DATASETS[name] for name in meta["_metrics"]]


def _model(model_name: str, weights: WeightsEnum, video: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    original = _original(model_name)
    layer = original.get_submodule(last_layer(model_name))
    if (size := getattr(original, "image_size", None)) and size != weights.meta["min_size"][0]:
        arguments["image_size"] = weights.meta["min_size"][0]
    if hasattr(original, "transform_input"):
        arguments["transform_input"] = True
    backbone: dict[str, Any] = {"type": f"torchvision/{model_name}"}
    if arguments:
        backbone["model_args"] = arguments
    head = {
        "type": "VideoClassifierHead" if video else "ClassifierHead",
        "num_classes": layer.weight.shape[0],
        "dropout_rate": _dropout(original, model_name),
    }
    return {"type": "VideoClassifier" if video else "Classifier", "backbone": backbone, "head": head}


@functools.lru_cache(maxsize=1)
def _original(model_name: str) -> Any:
    arguments = {"aux_logits": False, "init_weights": False} if model_name in ("googlenet", "inception_v3") else {}
    with skip_init():
        return models.get_model(model_name, weights=None, **arguments)


def _dropout(original: Any, model_name: str) -> float:
    """The dropout right before the last layer."""
    owner_path, _, name = last_layer(model_name).rpartition(".")
    before = original.get_submodule(f"{owner_path}.{int(name) - 1}") if owner_path and name.isdigit() else None
    before = getattr(original, "dropout", before)
    return float(getattr(before, "p", 0.0))


def _image_input(weights: WeightsEnum) -> dict[str, Any]:
    transform = weights.transforms()
    crop, resize = transform.crop_size[0], transform.resize_size[0]
    return {
        "modality": "image",
        "layout": "NCHW",
        "size": [crop, crop],
        "crop_pct": round(crop / resize, 4),
        "interpolation": transform.interpolation.value,
        "mean": list(transform.mean),
        "std": list(transform.std),
    }


def _video_input(weights: WeightsEnum) -> dict[str, Any]:
    transform = weights.transforms()
    frames, stride, clips = sampling(weights.meta)
    height, width = transform.crop_size
    return {
        "modality": "video",
        "layout": "NCTHW",
        "frames": frames,
        "stride": stride,
        "fps": VIDEO_RATE,
        "size": [height, width],
        "crop_pct": round(height / transform.resize_size[0], 4),
        "interpolation": transform.interpolation.value,
        "mean": list(transform.mean),
        "std": list(transform.std),
        "views": {"temporal": clips, "spatial": 1},
    }


def _protocol(weights: WeightsEnum) -> str:
    transform = weights.transforms()
    if isinstance(transform, VideoClassification):
        frames, stride, clips = sampling(weights.meta)
        counted = "1 clip" if clips == 1 else f"{clips} clips"
        return f"{counted} of {frames} frames, {stride} apart, centre crop, as torchvision states"
    return f"one centre crop of {transform.crop_size[0]} from {transform.resize_size[0]}, as torchvision states"


def _notes(weights: WeightsEnum) -> str:
    """Points out where torchvision counted its operations on other clips than it measured its accuracy on."""
    stated = f"torchvision states {weights.meta['num_params']} parameters and {weights.meta['_ops']} GMACs"
    video = isinstance(weights.transforms(), VideoClassification)
    return f"{stated}{', counted on a clip of 16 frames' if video else ''}."


def _digest(weights: Weights) -> str:
    found = re.search(r"-([0-9a-f]{8,})\.pth$", weights.url)
    if found is None:
        raise ValueError(f"{weights.url} does not end in a digest")
    return found.group(1)


def _paper(model_name: str) -> dict[str, str]:
    docs = " ".join(inspect.getdoc(models.get_model_builder(model_name) or object()).split())  # type: ignore[union-attr]
    found = re.search(r"`([^`<]+?)\s*<(https?://[^>]+)>`__?", docs)
    return {"title": found.group(1).strip(), "url": found.group(2)} if found else {}


def write_entries(folder: Path = FOLDER) -> list[str]:
    """Writes every entry and the label files, and returns the entries' names. Costs are left out."""
    clips = models.list_models(module=models.video)
    names = []
    for model_name in [*IMAGE_MODELS, *clips]:
        # Weights without class names have no classifier.
        for weights in filter(lambda one: one.meta["categories"], models.get_model_weights(model_name)):
            name, content = entry_name(model_name, weights), entry(model_name, weights)
            head = f"# Written by essmc_torchvision.generate_entries from torchvision's {type(weights).__name__}.\n"
            text = yaml.safe_dump(_filled(content), sort_keys=False, default_flow_style=None, width=118)
            (folder / f"{name}.yaml").write_text(head + text, encoding="utf-8")
            # Some records lack the names; other models of the same data set have them.
            if weights.meta["categories"]:
                labels = folder / content["labels"]
                labels.parent.mkdir(parents=True, exist_ok=True)
                labels.write_text("\n".join(weights.meta["categories"]) + "\n", encoding="utf-8")
            names.append(name)
    return names


def _filled(content: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in content.items() if value}


if __name__ == "__main__":
    print(textwrap.fill(" ".join(write_entries()), width=118))

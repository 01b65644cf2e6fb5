"""Writes this pack's zoo entries from timm's own records: ``python -m essmc_timm.generate_entries``.

For maintainers; ``essmc verify --write 'timm/*'`` then fills in the costs. timm's records hold no accuracies, so the
entries state none.
"""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import timm
import yaml
from timm.data.imagenet_info import ImageNetInfo

from essmc_core.foundation.licences import UNKNOWN, canonical_licence
from essmc_timm.key_maps import from_timm

FOLDER = Path(__file__).parent / "zoo"
MODELS = (
    "resnet18.a1_in1k", "resnet34.a1_in1k", "resnet50.a1_in1k", "resnet101.a1_in1k", "resnet152.a1_in1k",
    "resnetv2_50.a1h_in1k", "resnext50_32x4d.a1h_in1k", "wide_resnet50_2.racm_in1k", "seresnet50.a1_in1k",
    "convnext_atto.d2_in1k", "convnext_tiny.fb_in1k", "convnext_base.fb_in22k_ft_in1k",
    "convnextv2_tiny.fcmae_ft_in22k_in1k", "efficientnet_b0.ra_in1k", "tf_efficientnetv2_s.in21k_ft_in1k",
    "mobilenetv3_large_100.ra_in1k", "mobilenetv4_conv_small.e2400_r224_in1k", "regnety_032.ra_in1k",
    "densenet121.ra_in1k", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", "vit_small_patch16_224.augreg_in21k_ft_in1k",
    "vit_base_patch16_224.augreg2_in21k_ft_in1k", "deit3_small_patch16_224.fb_in1k", "deit3_base_patch16_224.fb_in1k",
    "swin_tiny_patch4_window7_224.ms_in1k", "swin_base_patch4_window7_224.ms_in22k_ft_in1k",
    "beit_base_patch16_224.in22k_ft_in22k_in1k", "mixer_b16_224.goog_in21k_ft_in1k",
    "inception_resnet_v2.tf_in1k", "repvgg_a2.rvgg_in1k",
)  # fmt: skip


def entry_name(tagged: str) -> str:
    """Returns e.g. ``resnet50_a1_in1k`` for ``resnet50.a1_in1k``."""
    return tagged.replace(".", "_")


def entry(tagged: str) -> dict[str, Any]:
    """Returns the content of one entry.

    Args:
        tagged: architecture and tag, e.g. ``resnet50.a1_in1k``.
    """
    architecture, _, tag = tagged.partition(".")
    record: Any = timm.models.get_pretrained_cfg(tagged)
    if record is None or not record.has_weights:
        raise ValueError(f"timm has no weights {tagged}")
    _, height, width = record.input_size
    content: dict[str, Any] = {
        "summary": f"{architecture} of timm, ImageNet-1k ({tag})",
        "model": {
            "type": "Classifier",
            "backbone": {"type": f"timm/{architecture}"},
            "head": {"type": "ClassifierHead", "num_classes": record.num_classes},
        },
        "input": {
            "modality": "image",
            "layout": "NCHW",
            "size": [height, width],
            "crop_pct": record.crop_pct,
            "interpolation": record.interpolation,
            "mean": list(record.mean),
            "std": list(record.std),
        },
        "knobs": {"num_classes": "model.head.num_classes", "dropout": "model.head.dropout_rate"},
        "weights": {
            "uri": f"hf://timm/{tagged}/model.safetensors",
            "key_map": [list(pair) for pair in from_timm(record.classifier)],
        },
        "licence": {"code": "Apache-2.0", "weights": canonical_licence(record.license or UNKNOWN)},
        "labels": "labels/imagenet1k.txt",
        "notes": record.description or f"Weights and their recipe: https://huggingface.co/timm/{tagged}",
    }
    return content


def write_entries(folder: Path = FOLDER) -> list[str]:
    """Writes every entry and the file of labels, and returns the entries' names. Costs are left out."""
    labels = folder / "labels" / "imagenet1k.txt"
    labels.parent.mkdir(parents=True, exist_ok=True)
    info: Any = ImageNetInfo("imagenet-1k")
    names = [info.index_to_description(index) for index in range(info.num_classes())]
    labels.write_text("\n".join(names) + "\n", encoding="utf-8")
    for tagged in MODELS:
        head = "# Written by essmc_timm.generate_entries from timm's pretrained configuration.\n"
        text = yaml.safe_dump(entry(tagged), sort_keys=False, default_flow_style=None, width=118)
        (folder / f"{entry_name(tagged)}.yaml").write_text(head + text, encoding="utf-8")
    return [entry_name(tagged) for tagged in MODELS]


if __name__ == "__main__":
    print(textwrap.fill(" ".join(write_entries()), width=118))

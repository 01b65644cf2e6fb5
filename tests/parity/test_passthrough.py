"""torchvision's and timm's networks, reached through their packs, give the numbers of the originals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from torch import nn

from essmc_core import BACKBONES, MODELS
from essmc_torchvision.key_maps import from_torchvision, to_torchvision
from tests.parity.beyond import Parity, Port, scores


def classifier(name: str, num_classes: int = 400) -> Callable[[], nn.Module]:
    """Returns what builds a torchvision video model as one of our classifiers."""

    def build() -> nn.Module:
        backbone = BACKBONES.build(f"torchvision/{name}")
        head = {"type": "VideoClassifierHead", "dim": backbone.num_features, "num_classes": num_classes}
        model: nn.Module = MODELS.build({"type": "VideoClassifier", "backbone": backbone, "head": head})
        # torchvision's train mode is compared too, and its random dropout is not part of the trunk.
        model.get_submodule("head.dropout").p = 0.0  # type: ignore[assignment]
        return model

    return build


def torchvision_port(name: str, num_classes: int = 400) -> Port:
    """Returns the port of a torchvision video model."""
    maps = (from_torchvision(name, "head.out"), to_torchvision(name, "head.out"))
    return Port(classifier(name, num_classes), *maps, outputs=scores)


def timm_port(name: str) -> Port:
    """Returns the port of a timm model without classifier."""
    return Port(lambda: BACKBONES.build(f"timm/{name}"))


class TestPassThrough(Parity):
    ports: ClassVar[Mapping[str, Port]] = {
        "tv_r3d_18": torchvision_port("r3d_18"),
        "tv_mc3_18": torchvision_port("mc3_18", 51),
        "tv_r2plus1d_18": torchvision_port("r2plus1d_18"),
        "tv_mvit_v2_s": torchvision_port("mvit_v2_s"),
        "tv_swin3d_t": torchvision_port("swin3d_t"),
        "timm_resnet50": timm_port("resnet50"),
        "timm_vit_small_patch16_224": timm_port("vit_small_patch16_224"),
    }

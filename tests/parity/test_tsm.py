"""TSM, a lifted image ResNet, gives the numbers of the paper's definition on torchvision's ResNet."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import pytest
from torch import nn

from essmc_core import MODELS
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import tsm
from tests.parity.beyond import BeyondCase, Parity, Port, scores

CASES = ["tsm_r18_16f", "tsm_r50_8f"]


def classifier(resnet: str, num_frames: int, num_classes: int) -> nn.Module:
    model: nn.Module = MODELS.build(
        {
            "type": "VideoClassifier",
            "backbone": {
                "type": "Lift2D",
                "mode": "tsm",
                "num_frames": num_frames,
                "backbone": {"type": resnet},
            },
            "neck": {"type": "GlobalAveragePooling", "dim": 3},
            "head": {
                "type": "VideoClassifierHead",
                "dim": 2048 if resnet.endswith("50") else 512,
                "num_classes": num_classes,
                "dropout_rate": 0.0,
            },
        }
    )
    return model


def port(resnet: str, num_frames: int, num_classes: int) -> Port:
    build = partial(classifier, resnet, num_frames, num_classes)
    return Port(build, tsm.FROM_TORCHVISION, tsm.TO_TORCHVISION, outputs=scores)


class TestTSM(Parity):
    ports: ClassVar = {
        "tsm_r18_16f": port("torchvision/resnet18", 16, 27),
        "tsm_r50_8f": port("torchvision/resnet50", 8, 400),
    }


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("shifted", ["none", "all", "even"])
def test_names_of_the_authors_and_of_mmaction2_map_both_ways(name: str, shifted: tsm.Shifted) -> None:
    ours = map_keys(BeyondCase(name).described, tsm.FROM_TORCHVISION)
    for theirs, back in ((tsm.to_authors(shifted), tsm.FROM_AUTHORS), (tsm.to_mmaction2(shifted), tsm.FROM_MMACTION2)):
        renamed = map_keys(ours, theirs)
        assert map_keys(renamed, back) == ours
        below_net = {key for key in renamed if ".net." in key}
        assert bool(below_net) == (shifted != "none")


def test_names_of_the_authors_and_of_mmaction2_are_as_published() -> None:
    ours = {
        f"backbone.backbone.{key}.weight": None
        for key in ("conv1", "bn1", "layer3.21.conv1", "layer3.22.conv1", "layer3.0.bn2", "layer3.0.downsample.1")
    }
    assert list(map_keys({**ours, "head.out.bias": None}, tsm.to_authors("even"))) == [
        "base_model.conv1.weight",
        "base_model.bn1.weight",
        "base_model.layer3.21.conv1.weight",
        "base_model.layer3.22.conv1.net.weight",
        "base_model.layer3.0.bn2.weight",
        "base_model.layer3.0.downsample.1.weight",
        "new_fc.bias",
    ]
    assert list(map_keys({**ours, "head.out.bias": None}, tsm.to_mmaction2("even"))) == [
        "backbone.conv1.conv.weight",
        "backbone.conv1.bn.weight",
        "backbone.layer3.21.conv1.conv.weight",
        "backbone.layer3.22.conv1.conv.net.weight",
        "backbone.layer3.0.conv2.bn.weight",
        "backbone.layer3.0.downsample.bn.weight",
        "cls_head.fc_cls.bias",
    ]

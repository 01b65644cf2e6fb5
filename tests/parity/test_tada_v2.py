"""TAdaConvNeXtV2 and TAdaFormer give the numbers of TAdaConv's own code."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from essmc_core import BACKBONES, MODELS
from tests.parity.beyond import Parity, Port
from tests.parity.golden import Outputs


def classified(model: nn.Module, video: Tensor) -> Outputs:
    """Returns probabilities and pooled features, as the other project's models do."""
    features = model.get_submodule("backbone")(video)
    return {"probabilities": model.get_submodule("head")(features).softmax(dim=1), "features": features}


def logits(model: nn.Module, video: Tensor) -> Outputs:
    return {"logits": model.get_submodule("head")(model.get_submodule("backbone")(video))}


def classifier(backbone: dict[str, object], dim: int) -> nn.Module:
    model: nn.Module = MODELS.build(
        {
            "type": "VideoClassifier",
            "backbone": backbone,
            "head": {"type": "VideoClassifierHead", "dim": dim, "num_classes": 400, "dropout_rate": 0.5},
        }
    )
    return model


def convnext(**arguments: object) -> Port:
    return Port(partial(BACKBONES.build, {"type": "TAdaConvNeXtV2", **arguments}))


def former(**arguments: object) -> Port:
    return Port(partial(BACKBONES.build, {"type": "TAdaFormer", **arguments}))


class TestTAdaConvNeXtV2(Parity):
    ports: ClassVar = {
        "tadaconvnextv2_mini": convnext(depths=[1, 1, 2, 1]),
        "tadaconvnextv2_mini_stride1": convnext(
            depths=[1, 2, 1, 1],
            widths=[64, 128, 192, 256],
            head_dim=16,
            route_reduction=4,
            route_kernels=[1, 3],
            stem_kernel=1,
            stem_stride=1,
        ),
        "tadaconvnextv2_tiny": convnext(drop_path_rate=0.2),
        "tadaconvnextv2_tiny_k400_model": Port(
            partial(classifier, {"type": "TAdaConvNeXtV2"}, 768), outputs=classified, pre_activation=logits
        ),
    }


class TestTAdaFormer(Parity):
    ports: ClassVar = {
        "tadaformer_b16_i64_f8": former(input_size=64),
        "tadaformer_b16_ssv2_d3": former(input_size=64, depth=3, temporally_enhanced=True, double_tada=True),
        "tadaformer_b16_d2_k400_model": Port(
            partial(classifier, {"type": "TAdaFormer", "input_size": 48, "depth": 2}, 768),
            outputs=classified,
            pre_activation=logits,
        ),
    }

"""Models, necks, heads, losses and metrics of essmc-classifiers, by the classes of the devkit."""

from __future__ import annotations

from typing import Any

import torch

from essmc_devkit.testing import (
    HeadConformance,
    LossConformance,
    MetricConformance,
    ModelConformance,
    NeckConformance,
)

_IN_MODELS = "exported in their models, by TestModels"
_TWO: dict[str, Any] = {"type": "VideoClassifierHeadx2", "dim": 8, "num_classes": [5, 3]}


class TestModels(ModelConformance):
    cases = {
        "Classifier": ("Classifier", (3, 16, 16)),
        "VideoClassifier": (
            {
                "type": "VideoClassifier",
                "backbone": {"type": "X3D", "depth_factor": 1.0},
                "neck": "GlobalAveragePooling",
                "head": {"type": "VideoClassifierHead", "num_classes": 5},
            },
            (3, 4, 32, 32),
        ),
        "VideoClassifier2x": (
            {
                "type": "VideoClassifier2x",
                "backbone": {"type": "Lift2D", "backbone": {"type": "timm/test_resnet"}, "mode": "tsn"},
                "head": _TWO | {"dim": 96},
            },
            (3, 2, 32, 32),
        ),
    }
    onnx = "operations are those of backbones"


class TestHeads(HeadConformance):
    cases = {
        **{
            name: ({"type": name, "dim": 8, "num_classes": 5}, (8,))
            for name in ("ClassifierHead", "VideoClassifierHead", "TransformerHead")
        },
        "hidden layer": ({"type": "TransformerHead", "dim": 8, "num_classes": 5, "pre_logits": True}, (8,)),
        "VideoClassifierHeadx2": (_TWO, (8,)),
        "TransformerHeadx2": (_TWO | {"type": "TransformerHeadx2"}, (8,)),
    }
    exports = _IN_MODELS


class TestNecks(NeckConformance):
    cases = {
        "pooling": ({"type": "GlobalAveragePooling", "dim": 2}, (8, 4, 4)),
        "pooling over time": ({"type": "GlobalAveragePooling", "dim": 3}, (8, 2, 4, 4)),
        "Identity": ("Identity", (8,)),
    }
    exports = _IN_MODELS


class TestLosses(LossConformance):
    cases = {
        "CrossEntropy": "CrossEntropy",
        "weighted": {
            "config": {"type": "CrossEntropy", "weight": [1.0, 3.0]},
            # (1 * log 2 + 3 * log 2) / (1 + 3)
            "known": [((torch.zeros(2, 2), torch.tensor([0, 1])), 0.69314718)],
            "inputs": (torch.tensor([[1.0, 0.0], [2.0, -1.0], [0.0, 0.5]]), torch.tensor([0, 1, 1])),
        },
        "BinaryCrossEntropy": "BinaryCrossEntropy",
    }
    without = {"loss.reduction": "a weighted mean is none over items; TestMeans"}


class TestMeans(LossConformance):
    cases = {name: name for name in ("CrossEntropy", "BinaryCrossEntropy")}
    without = {"component.*": "see TestLosses", "copying.*": "see TestLosses"}


class TestMetrics(MetricConformance):
    _VIEWS = (torch.tensor([[0.6, 0.4], [0.1, 0.9], [0.3, 0.7]]), torch.tensor([0, 0, 1]), ["a", "a", "b"])
    cases = {
        "accuracy": "accuracy",
        "top 2": {
            "config": {"type": "accuracy", "topk": [1, 2]},
            "known": [
                (
                    (torch.tensor([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0]]), torch.tensor([1, 2])),
                    {"acc@1": 0.0, "acc@2": 0.5},
                )
            ],
        },
        # The views of "a" have 0.35 and 0.65 on average, so that class 1 wins though its label is 0.
        "ensemble_accuracy": {"config": "ensemble_accuracy", "known": [(_VIEWS, {"acc@1": 0.5})]},
    }

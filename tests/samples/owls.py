"""The configuration of a small classifier of pictures."""

from __future__ import annotations

from typing import Any

CONFIG: dict[str, Any] = {
    "model": {
        "type": "Classifier",
        "backbone": {"type": "timm/resnet10t"},
        "head": {"type": "ClassifierHead", "num_classes": 3},
    },
    "input": {"modality": "image", "size": 64, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    "labels": ["cat", "dog", "owl"],
}

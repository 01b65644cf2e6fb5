"""The last linear layer of torchvision's classifiers, and the key map that reads their checkpoints."""

from __future__ import annotations

import re

KeyMap = list[tuple[str, str]]

# Path of the last linear layer, by the beginning of the model's name; the first one that fits counts.
_LAST_LAYERS = (
    (("alexnet", "vgg"), "classifier.6"),
    (("maxvit",), "classifier.5"),
    (("mobilenet_v3",), "classifier.3"),
    (("convnext",), "classifier.2"),
    (("efficientnet", "mobilenet_v2", "mnasnet", "s3d"), "classifier.1"),
    (("densenet",), "classifier"),
    (("vit",), "heads.head"),
    (("mvit",), "head.1"),
    (("swin",), "head"),
    (("",), "fc"),
)
# Names with a dot in them, which torch no longer allows, in old files of DenseNets.
_OLD_DENSENET = (r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)", r"\1\2")
# Classifiers that serve training alone, and that essmc's networks do not have.
_AUXILIARY = (r"^backbone\.(?:aux\d|AuxLogits)\..*$", "")


def last_layer(model_name: str) -> str:
    """Returns the path of the linear layer that torchvision classifies with.

    Raises:
        ValueError: the model has none: SqueezeNet classifies with a convolution and a ReLU before pooling.
    """
    if model_name.startswith("squeezenet"):
        raise ValueError(f"{model_name} has no last linear layer")
    return next(path for prefixes, path in _LAST_LAYERS if model_name.startswith(prefixes))


def from_torchvision(model_name: str, head: str = "head.fc") -> KeyMap:
    """Returns the key map that reads torchvision's checkpoints, as ``weights.key_map`` takes it.

    Args:
        model_name: torchvision's name of the model.
        head: path of the linear layer in essmc's classifier: ``head.fc`` for images, ``head.out`` for clips.
    """
    old = [_OLD_DENSENET] if model_name.startswith("densenet") else []
    auxiliary = [_AUXILIARY] if model_name.startswith(("googlenet", "inception")) else []
    return [
        *old,
        (f"^{re.escape(last_layer(model_name))}\\.", f"{head}."),
        (r"^(?!head\.)", "backbone."),
        *auxiliary,
    ]

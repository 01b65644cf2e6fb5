"""Writes the table by which torchvision's state dicts are recognised.

``python -m essmc_torchvision.generate_layouts`` takes a minute.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torchvision

from essmc_core.weights.layouts.digests import write_table
from essmc_core.weights.layouts.layout import Shapes
from essmc_core.weights.random_fills import skip_init
from essmc_torchvision.index import read_index
from essmc_torchvision.key_maps import last_layer
from essmc_torchvision.layouts import torchvision as layout

# These initialise slowly by default, and warn of it.
_SLOW = ("googlenet", "inception_v3")


def networks() -> Iterator[tuple[str, str, Shapes]]:
    """Yields name, last layer and shapes of every classifier of the installed torchvision."""
    for model in read_index():
        yield model.name, head_of(model.name), shapes_of(model.name)


def head_of(name: str) -> str:
    """Returns the path of the layer that a network classifies with."""
    return "classifier.1" if name.startswith("squeezenet") else last_layer(name)


def shapes_of(name: str) -> Shapes:
    """Returns the shapes of a network's state dict, built without values."""
    extra = {"init_weights": False} if name in _SLOW else {}
    try:
        with torch.device("meta"):
            model = torchvision.models.get_model(name, weights=None, **extra)
    # RegNets compute numbers from tensors while they are built.
    except NotImplementedError:
        with skip_init():
            model = torchvision.models.get_model(name, weights=None, **extra)
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


if __name__ == "__main__":
    write_table(layout().table, networks(), without_heads=True)

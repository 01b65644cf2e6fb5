"""Writes the table by which timm's state dicts are recognised.

``python -m essmc_timm.generate_layouts`` takes half an hour.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import cast

import timm
import torch

from essmc_core.weights.layouts.digests import write_table
from essmc_core.weights.layouts.layout import Shapes
from essmc_timm.layouts import timm as layout


def networks() -> Iterator[tuple[str, str, Shapes]]:
    """Yields name, last layer and shapes of every model of the installed timm, those with two last layers left out."""
    names = timm.list_models()
    for number, name in enumerate(names):
        print(f"\r\033[K{number}/{len(names)} {name}", end="", file=sys.stderr)
        head, shapes = described(name)
        if head is not None:
            yield name, head, shapes


def described(name: str) -> tuple[str | None, Shapes]:
    """Returns the last layer of a model, empty if it has none, None if it has several, and its tensors' shapes."""
    with torch.device("meta"):
        model = timm.create_model(name)
    head = cast("dict[str, object]", model.pretrained_cfg).get("classifier")
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    return (None if isinstance(head, tuple) else str(head or "")), shapes


if __name__ == "__main__":
    write_table(layout().table, networks(), without_heads=True)

"""Finds the least input that a network takes, by trying."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from essmc_devkit.components.check import NotChecked, brief
from essmc_devkit.components.outputs import not_finite

# 64 first: networks that divide by 32 have more than one position left, which batch norms need to train.
SIDES = (64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)
FRAMES = (4, 8, 16, 32)


def first_taken(module: nn.Module, shapes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Returns the first shape, without the batch, that a module in eval mode takes.

    Raises:
        NotChecked: it takes none of them.
    """
    failures = []
    for shape in shapes:
        try:
            with torch.no_grad():
                output = module(torch.zeros(1, *shape))
        except Exception as error:
            failures.append(brief(error))
        else:
            if not not_finite(output):
                return shape
    raise NotChecked(f"no input was found that it takes: {failures[0] if failures else 'outputs are empty or NaN'}")


def backbone_inputs(backbone: Any) -> list[tuple[int, ...]]:
    """Returns images, or clips of as many frames as the backbone was built for, from small to large."""
    channels = int(getattr(backbone, "in_chans", 3))
    if getattr(backbone, "layout", "NCHW") == "NCHW":
        return [(channels, side, side) for side in SIDES]
    fixed = getattr(backbone, "num_frames", None)
    return [(channels, frames, side, side) for side in SIDES for frames in ([fixed] if fixed else FRAMES)]

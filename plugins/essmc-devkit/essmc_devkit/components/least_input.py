"""Finds the least input that a network takes, by trying."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from essmc_core.errors import EssmcError
from essmc_devkit.components.check import NotChecked, brief
from essmc_devkit.components.outputs import not_finite

# 64 first: networks that divide by 32 have more than one position left, which batch norms need to train.
SIDES = (64, 96, 128, 160, 192, 224, 256, 288, 320, 384, 448, 512)
FRAMES = (4, 8, 16, 32)


class NoInput(NotChecked):
    """A network takes none of the inputs that were tried.

    Args:
        reason: why not.
        crashed: whether it raised an error that refuses nothing on purpose, or returned NaN.
    """

    def __init__(self, reason: str, crashed: bool) -> None:
        super().__init__(reason)
        self.crashed = crashed


def first_taken(module: nn.Module, shapes: Iterable[tuple[int, ...]]) -> tuple[int, ...]:
    """Returns the first shape, without the batch, that a module in eval mode takes.

    Raises:
        NoInput: it takes none of them.
    """
    failures, crashed = [], False
    for shape in shapes:
        try:
            with torch.no_grad():
                output = module(torch.zeros(1, *shape))
        except Exception as error:
            failures.append(brief(error))
            crashed = crashed or not isinstance(error, EssmcError)
        else:
            words = not_finite(output)
            if not words:
                return shape
            failures.append(words)
            crashed = True
    raise NoInput(f"no input was found that it takes: {failures[0] if failures else 'none was tried'}", crashed)


def backbone_inputs(backbone: Any) -> list[tuple[int, ...]]:
    """Returns images, or clips of as many frames as the backbone was built for, from small to large."""
    channels = int(getattr(backbone, "in_chans", 3))
    if getattr(backbone, "layout", "NCHW") == "NCHW":
        return [(channels, side, side) for side in SIDES]
    fixed = getattr(backbone, "num_frames", None)
    return [(channels, frames, side, side) for side in SIDES for frames in ([fixed] if fixed else FRAMES)]

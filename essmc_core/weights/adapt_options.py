"""What a caller allows when tensors of weights are made to fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from essmc_core.weights.position_grid import Grid
from essmc_core.weights.source import Inflation, TimePositions


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """What the caller allows.

    Attributes:
        inflate: how 2D kernels become 3D ones; None: they do not.
        input_key: the convolution whose number of input channels may change; None: no one's may.
        grids: the module's tables of positions: key -> tokens along time, height and width.
        position_grid: the same for the tables of the weights; None: to be found out.
        positions: how positions in time are made more or fewer.
        resampling: how tables of positions are resized in space, by key, where not bilinearly.
        pictures: the tables of positions of image networks.
        image: whether the weights are an image network's and the module is a video network.
    """

    inflate: Inflation | None = None
    input_key: str | None = None
    grids: Mapping[str, Grid] = field(default_factory=dict)
    position_grid: Sequence[int] | None = None
    positions: TimePositions = "interpolate"
    image: bool = False
    pictures: frozenset[str] = frozenset()
    resampling: Mapping[str, Literal["bilinear", "bicubic"]] = field(default_factory=dict)

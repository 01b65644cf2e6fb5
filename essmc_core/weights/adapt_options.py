"""Options for adapting tensors of the weights to a module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from essmc_core.weights.position_grid import Grid
from essmc_core.weights.source import Inflation, TimePositions


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """The adaptations that the caller allows.

    Attributes:
        inflate: how 2D kernels are inflated to 3D; None: they are not.
        input_key: the convolution whose number of input channels may change; None: none may.
        grids: the module's position embeddings: key -> tokens along time, height and width.
        position_grid: the grid of the weights' position embeddings; None: it is inferred.
        positions: how position embeddings are resized in time.
        resampling: how position embeddings are resized in space, by key, if not bilinearly.
        pictures: keys of the position embeddings of image networks.
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

"""Finds which steps of a trunk are worth having as features, by a dry run without memory or arithmetic."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log2
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from essmc_core.contract.features import FeatureInfo

_DRY_SIZE = {"NCHW": (224, 224), "NCTHW": (16, 224, 224)}


class Stepped(Protocol):
    """A network that runs step by step, as trunks do."""

    EVERY_STEP: ClassVar[bool]
    layout: ClassVar[str]
    in_chans: int

    @property
    def fixed_size(self) -> tuple[int, ...] | None:
        """The only ([T,] H, W) it takes, None where there is no such limit."""

    def steps(self) -> Sequence[tuple[str, nn.Module]]:
        """Returns the modules from input to last map, in order, by path."""

    def run(self, x: Tensor, wanted: Collection[int]) -> tuple[Any, Mapping[int, Tensor]]:
        """Returns the last state, and position → map of the wanted steps."""


@dataclass(frozen=True, slots=True)
class FeaturePoint:
    """A step whose output is a feature.

    Attributes:
        position: index among the steps.
        info: what the feature is.
    """

    position: int
    info: FeatureInfo


def find_feature_points(trunk: Stepped) -> tuple[FeaturePoint, ...]:
    """Returns the last step at each resolution, or every step where the trunk says so."""
    size = trunk.fixed_size or _DRY_SIZE[trunk.layout]
    # A batch of two: in train mode batch norm refuses to normalise over one value.
    inputs = torch.empty(2, trunk.in_chans, *size, device="meta")
    maps_of = _Maps(trunk)
    tensors = {**dict(maps_of.named_parameters()), **dict(maps_of.named_buffers())}
    on_meta = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    with torch.no_grad():
        maps: list[tuple[str, Tensor]] = torch.func.functional_call(maps_of, on_meta, (inputs,))
    points = []
    for position, (name, features) in enumerate(maps):
        last = position == len(maps) - 1
        if trunk.EVERY_STEP or last or maps[position + 1][1].shape[2:] != features.shape[2:]:
            points.append(FeaturePoint(position, _describe(name, features, inputs)))
    return tuple(points)


class _Maps(nn.Module):
    """Runs a trunk for the maps of all its steps."""

    def __init__(self, trunk: Stepped) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> list[tuple[str, Tensor]]:
        names = [name for name, _ in self.trunk.steps()]
        maps = self.trunk.run(x, range(len(names)))[1]
        return [(name, maps[position]) for position, name in enumerate(names)]


def _describe(name: str, features: Tensor, inputs: Tensor) -> FeatureInfo:
    reduction = _stride(inputs.shape[-1] / features.shape[-1])
    temporal = _stride(inputs.shape[2] / features.shape[2]) if features.ndim == 5 else 1
    return FeatureInfo(name, features.shape[1], reduction, temporal)


def _stride(ratio: float) -> int:
    """The stride behind a ratio of sizes: a power of two where borders have bent it."""
    return int(ratio) if ratio.is_integer() else int(2 ** round(log2(ratio)))

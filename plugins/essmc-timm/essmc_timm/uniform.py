"""Gives a timm module, in place, the uniform interface of `essmc_core.contract.features`."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_core.errors import ConfigError, InputError
from essmc_core.weights.position_grid import Grid
from essmc_core.weights.positions import MOST_STATED_PREFIX
from essmc_timm.least_size import is_too_small, least_side


def make_uniform(model: nn.Module, in_chans: int, pool: bool, scores: int | None = None) -> nn.Module:
    """Mixes the interface into the module's class; families that run unlike the others only get the attributes.

    Args:
        model: a timm model, without classifier unless it has ``scores``.
        in_chans: channels of its input.
        pool: whether ``forward`` returns vectors.
        scores: width of the vectors, if they are scores of classes.
    """
    described: Any = model
    map_width = int(described.num_features)
    described.in_chans = in_chans
    described.num_frames = None
    described.pooled = pool
    pooled_width = scores or int(getattr(described, "head_hidden_size", map_width))
    described.out_channels = pooled_width if pool else map_width
    described.feature_rank = 0 if pool else 2
    described.layout = "NCHW"
    if all(hasattr(model, name) for name in ("forward_features", "forward_head", "forward_intermediates")):
        described.map_width = map_width
        described.feature_info = _features(described.feature_info, map_width)
        described.num_features = described.out_channels
        model.__class__ = uniform_class(described.__class__)
    return model


def _features(stated: Sequence[Any], width: int) -> list[FeatureInfo]:
    """Returns timm's features, the final map, after a last convolution or norm, as the last one."""
    found = [FeatureInfo(one["module"], one["num_chs"], int(one["reduction"])) for one in stated]
    if found[-1].channels != width:
        found.append(FeatureInfo("features", width, found[-1].reduction))
    return found


@functools.cache
def uniform_class(native: type[Any]) -> type[nn.Module]:
    """Returns the class of a family with the interface mixed in."""
    return type(native.__name__, (UniformBackbone, native), {"__doc__": native.__doc__, "native": native})


class UniformBackbone(nn.Module):
    """Mixed into timm's classes by `uniform_class`; the attributes are those of `essmc_core.contract.features`."""

    native: ClassVar[Any]
    in_chans: int
    pooled: bool
    map_width: int
    feature_info: list[FeatureInfo]

    # As timm resizes its tables of positions.
    position_resampling = "bicubic"

    def position_grids(self) -> dict[str, Grid]:
        """Returns the grid of the table of positions, where the family has one with a row for each patch."""
        table, grid = getattr(self, "pos_embed", None), getattr(getattr(self, "patch_embed", None), "grid_size", None)
        if not isinstance(table, Tensor) or table.dim() != 3 or not isinstance(grid, tuple) or len(grid) != 2:
            return {}
        rest = table.shape[1] - grid[0] * grid[1]
        return {"pos_embed": (1, int(grid[0]), int(grid[1]))} if 0 <= rest <= MOST_STATED_PREFIX else {}

    # Classes made on the fly cannot be pickled by name.
    def __reduce__(self) -> tuple[Any, ...]:
        return (_revive, (self.native,), self.__dict__)

    def forward(self, x: Tensor) -> Tensor:
        """Returns vectors (N, num_features), or the last map where the backbone was built with ``pool=False``.

        Raises:
            InputError: another rank, channels or number type, or a size it cannot take.
        """
        if not self.pooled:
            features: Any = self.forward_features(x)
            return features  # type: ignore[no-any-return]
        self._check(x)
        try:
            vectors: Tensor = self.native.forward_head(self, self.native.forward_features(self, x))
        except (AssertionError, RuntimeError) as error:
            self._explain(x, error)
            raise
        return vectors

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns the last map, or those of ``feature_info`` at ``out_indices``; see `essmc_core.contract.features`.

        Raises:
            InputError: another rank, channels or number type, or a size it cannot take.
            IndexError: there is no feature of that index.
        """
        self._check(x)
        try:
            if out_indices is None:
                return self._as_map(self.native.forward_features(self, x), x)
            return self._features_at(x, [range(len(self.feature_info))[index] for index in out_indices])
        except (AssertionError, RuntimeError) as error:
            self._explain(x, error)
            raise

    def _features_at(self, x: Tensor, positions: Sequence[int]) -> list[Tensor]:
        last = len(self.feature_info) - 1
        before = sorted({position for position in positions if position != last})
        maps: dict[int, Tensor] = {}
        if before:
            final = last in positions
            found = self.native.forward_intermediates(
                self, x, indices=before, output_fmt="NCHW", intermediates_only=not final, stop_early=not final
            )
            intermediates = found[1] if final else found
            maps = dict(zip(before, intermediates, strict=True))
            if final:
                maps[last] = self._as_map(found[0], x)
        elif positions:
            maps[last] = self._as_map(self.native.forward_features(self, x), x)
        return [maps[position] for position in positions]

    def _as_map(self, features: Tensor, x: Tensor) -> Tensor:
        """Returns tokens, or a map with channels last, as (N, C, H, W)."""
        if features.ndim == 4:
            return features if features.shape[1] == self.map_width else features.permute(0, 3, 1, 2)
        patches = features[:, int(getattr(self, "num_prefix_tokens", 0) or 0) :].transpose(1, 2)
        height = x.shape[2] // self.feature_info[-1].reduction
        return torch.unflatten(patches, 2, (height, -1))

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Computes activations again in the backward pass.

        Raises:
            ConfigError: timm's family cannot.
        """
        try:
            self.native.set_grad_checkpointing(self, enable)
        except AssertionError as error:
            raise ConfigError(f"timm's {self.native.__name__} has no gradient checkpointing") from error

    def _check(self, x: Tensor) -> None:
        check_backbone_input(x, self, "NCHW", self.in_chans, name=f"timm's {self.native.__name__}")

    def _explain(self, x: Tensor, error: AssertionError | RuntimeError) -> None:
        """Raises what to do about a size that the family does not take; returns if the error is of another kind."""
        if isinstance(error, RuntimeError) and not is_too_small(error):
            return
        hint = "scale the images, or build the backbone with img_size"
        if isinstance(error, RuntimeError) and (side := least_side(self, x)):
            hint = f"scale the images to {side}x{side} or more"
        message = f"timm's {self.native.__name__} cannot take images of shape {tuple(x.shape)}: {error}"
        raise InputError(message, hint=hint) from error


def _revive(native: Any) -> nn.Module:
    """Returns an empty module of a family's class, whose state pickle then sets."""
    cls = uniform_class(native)
    return cls.__new__(cls)

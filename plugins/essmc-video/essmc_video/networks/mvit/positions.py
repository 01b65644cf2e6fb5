"""The class token and the learned positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from essmc_video.layers.conv_chain import Triple
from essmc_video.layers.positions import resize_positions


class ClassAndPositions(nn.Module):
    """Puts a class token in front, where there is one, and adds positions: (N, L, dim) → (N, [1 +] L, dim).

    Fan et al., "Multiscale Vision Transformers", ICCV 2021, section 3.2: a token's position is the sum of its place's
    and of its time step's. On grids of other sizes positions are interpolated linearly in time, height and width.

    Args:
        dim: width of the tokens.
        grid: tokens along time, height and width.
        class_token: whether there is one.
        separate: one table for places and one for time steps, instead of one for both.
    """

    def __init__(self, dim: int, grid: Triple, class_token: bool = True, separate: bool = True) -> None:
        super().__init__()
        self.grid = grid
        self.separate = separate
        places = grid[1] * grid[2]
        self.class_token = _table(1, dim) if class_token else None
        if separate:
            self.spatial = _table(places, dim)
            self.temporal = _table(grid[0], dim)
            self.class_position = _table(1, dim) if class_token else None
        else:
            self.joint = _table(int(class_token) + grid[0] * places, dim)

    def position_grids(self) -> dict[str, Triple]:
        """Returns the grid of every table of positions, by the name of its parameter."""
        time, height, width = self.grid
        return {"spatial": (1, height, width), "temporal": (time, 1, 1)} if self.separate else {"joint": self.grid}

    def forward(self, tokens: Tensor, grid: Triple) -> Tensor:
        """Returns tokens with positions.

        Args:
            tokens: in the order time, height, width.
            grid: how many along each.
        """
        if self.class_token is not None:
            tokens = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1), tokens], dim=1)
        return tokens + (self._sums(grid) if self.separate else self._joint(grid))

    def _joint(self, grid: Triple) -> Tensor:
        return resize_positions(self.joint, self.grid, grid, prefix=0 if self.class_token is None else 1)

    def _sums(self, grid: Triple) -> Tensor:
        time, height, width = grid
        places = resize_positions(self.spatial, (1, *self.grid[1:]), (1, height, width), prefix=0)
        steps = resize_positions(self.temporal, (self.grid[0], 1, 1), (time, 1, 1), prefix=0)
        sums = (steps.unsqueeze(2) + places.unsqueeze(1)).flatten(1, 2)
        return sums if self.class_position is None else torch.cat([self.class_position, sums], dim=1)


def _table(tokens: int, dim: int) -> nn.Parameter:
    return nn.Parameter(torch.zeros(1, tokens, dim))

"""Adapting learned positions: grids of other sizes in space and time, class tokens, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from essmc_core.errors import ConfigError, WeightsMismatch
from essmc_core.weights import load_pretrained
from essmc_core.weights.adapt import AdaptOptions, fit
from essmc_core.weights.positions import position_grids
from essmc_core.weights.source import WeightsSource

SIDE = st.integers(1, 5)
Grid = tuple[int, int, int]


class Tokens(nn.Module):
    """A table of positions, one of them a class token's, and a scale."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.scale = nn.Parameter(torch.zeros(2))
        self.pos_embd = nn.Parameter(torch.zeros(1, 1 + grid[0] * grid[1] * grid[2], 2))

    def position_grids(self) -> dict[str, Grid]:
        return {"pos_embd": self.grid}


def fitted(table: Tensor, grid: Grid, key: str = "pos_embd", **options: Any) -> Tensor:
    wanted = torch.empty(1, 1 + grid[0] * grid[1] * grid[2], table.shape[-1])
    outcome = fit(key, table, wanted, AdaptOptions(grids={"pos_embd": grid}, **options))
    assert not isinstance(outcome, str), outcome
    return outcome[0]


def table(*grid: int, prefix: int = 1) -> Tensor:
    """A table whose first feature is the place in time, and whose second is the place in width."""
    frames, _, width = grid
    steps = torch.arange(frames).view(-1, 1, 1).expand(grid)
    columns = torch.arange(width).view(1, 1, -1).expand(grid)
    places = torch.stack([steps, columns], -1).float().view(1, -1, 2)
    return torch.cat([torch.full((1, prefix, 2), -9.0), places], 1)


@settings(deadline=None, max_examples=30)
@given(side=SIDE, height=SIDE, width=SIDE)
def test_space_is_interpolated_between_the_learned_extremes_and_the_class_token_kept(
    side: int, height: int, width: int
) -> None:
    resized = fitted(table(1, side, side), (1, height, width))
    assert torch.equal(resized[:, :1], torch.full((1, 1, 2), -9.0))
    places = resized[:, 1:].view(height, width, 2)
    assert places[..., 1].min() >= 0
    assert places[..., 1].max() <= side - 1
    # Rows are equal, since only the width was told apart, and columns keep their order.
    torch.testing.assert_close(places, places[:1].expand_as(places))
    assert (places[0, 1:, 1] >= places[0, :-1, 1]).all()


@settings(deadline=None, max_examples=20)
@given(frames=st.integers(1, 6), wanted=st.integers(1, 6))
def test_a_table_over_time_is_interpolated(frames: int, wanted: int) -> None:
    resized = fitted(table(frames, 1, 1), (wanted, 1, 1))
    expected = ((torch.arange(wanted) + 0.5) * frames / wanted - 0.5).clamp(0, frames - 1)
    torch.testing.assert_close(resized[0, 1:, 0], expected)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("interpolate", [0.0, 0.25, 0.75, 1.25, 1.75, 2.0]),
        ("repeat", [0, 0, 1, 1, 2, 2]),
        ("average", [1] * 6),
        ("centre", [1] * 6),
    ],
)
def test_positions_in_time_become_more_as_told(how: str, expected: list[float]) -> None:
    resized = fitted(table(3, 1, 1), (6, 1, 1), positions=how)
    torch.testing.assert_close(resized[0, 1:, 0], torch.tensor(expected, dtype=torch.float32))


def test_positions_of_an_image_are_repeated_over_time() -> None:
    resized = fitted(table(1, 3, 3), (4, 3, 3))
    assert torch.equal(resized[:, 1:].view(4, 9, 2), table(1, 3, 3)[:, 1:].expand(4, 9, 2))


def test_frames_are_found_by_equal_space_and_space_by_equal_frames() -> None:
    more_frames = fitted(table(3, 2, 5), (6, 2, 5))[:, 1:].view(6, 2, 5, 2)
    torch.testing.assert_close(more_frames[:, 0, 0, 0], torch.tensor([0.0, 0.25, 0.75, 1.25, 1.75, 2.0]))
    wider = fitted(table(3, 2, 2), (3, 2, 5))[:, 1:].view(3, 2, 5, 2)
    torch.testing.assert_close(wider[:, 0, 0, 0], torch.tensor([0.0, 1.0, 2.0]))


def test_a_count_that_several_grids_would_explain_is_refused_until_the_grid_is_told() -> None:
    learned = table(8, 14, 14)
    outcome = fit("pos_embd", learned, torch.empty(1, 1 + 8 * 49, 2), AdaptOptions(grids={"pos_embd": (8, 7, 7)}))
    assert outcome == "shape 1x1569x2 does not fit 1x393x2"
    resized = fitted(learned, (8, 7, 7), position_grid=(8, 14, 14))[:, 1:].view(8, 7, 7, 2)
    torch.testing.assert_close(resized[:, 0, 0, 0], torch.arange(8.0))


def test_a_told_grid_that_is_not_the_tables_is_refused() -> None:
    outcome = fit(
        "pos_embd",
        table(1, 3, 3),
        torch.empty(1, 1 + 16, 2),
        AdaptOptions(grids={"pos_embd": (1, 4, 4)}, position_grid=(1, 5, 5)),
    )
    assert isinstance(outcome, str)


def test_tables_without_a_stated_grid_are_squares_if_their_name_is_usual() -> None:
    table_of_clip = table(1, 7, 7).squeeze(0)
    outcome = fit("visual.positional_embedding", table_of_clip, torch.empty(1 + 64, 2), AdaptOptions())
    assert not isinstance(outcome, str)
    assert outcome[0].shape == (65, 2)
    assert outcome[1] == ("positions of 1x7x7 tokens resized to 1x8x8",)
    assert isinstance(fit("queries", table(1, 7, 7), torch.empty(1, 65, 2), AdaptOptions()), str)


def test_half_precision_tables_keep_their_type() -> None:
    outcome = fit("x.pos_embed", table(1, 2, 2).half(), torch.empty(1, 17, 2).half(), AdaptOptions())
    assert not isinstance(outcome, str)
    assert outcome[0].dtype == torch.float16


def test_modules_state_their_grids_under_their_own_names() -> None:
    model = nn.ModuleDict({"backbone": Tokens((2, 3, 4))})
    assert position_grids(model) == {"backbone.pos_embd": (2, 3, 4)}
    assert position_grids(model["backbone"]) == {"pos_embd": (2, 3, 4)}


def test_loading_reports_what_was_done_and_takes_the_options(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save({"pos_embd": table(8, 14, 14), "scale": torch.ones(2)}, path)
    module = Tokens((8, 7, 7))
    with pytest.raises(WeightsMismatch, match="position_grid"):
        load_pretrained(module, path)
    report = load_pretrained(module, {"path": str(path), "position_grid": [8, 14, 14]})
    assert report.adapted == {"pos_embd": "positions of 8x14x14 tokens resized to 8x7x7"}
    assert module.pos_embd[0, 0].tolist() == [-9.0, -9.0]
    load_pretrained(shorter := Tokens((2, 14, 14)), path, positions="average", position_grid=(8, 14, 14))
    assert shorter.pos_embd[0, 1:, 0].unique().tolist() == [3.5]


@pytest.mark.parametrize("wrong", [{"positions": "guess"}, {"position_grid": [8, 14]}])
def test_unknown_options_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        WeightsSource.parse("weights.pth", **wrong)

"""Adapting learned positions: grids of other sizes in space and time, class tokens, and what is refused."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from essmc_core.errors import ConfigError, WeightsMismatch
from essmc_core.weights import load_pretrained
from essmc_core.weights.adapt import fit
from essmc_core.weights.adapt_options import AdaptOptions
from essmc_core.weights.position_grid import axes_of, learned_grid, times
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


def fitted(table: Tensor, grid: Grid, beside: Grid | None = None, **options: Any) -> Tensor:
    """Fits a table to a module's grid, where a second table of the module may take the other axes."""
    wanted = torch.empty(1, 1 + grid[0] * grid[1] * grid[2], table.shape[-1])
    grids = {"pos_embd": grid} | ({} if beside is None else {"other": beside})
    outcome = fit("pos_embd", table, wanted, AdaptOptions(grids=grids, **options))
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
    resized = fitted(table(1, side, side), (1, height, width), position_grid=(1, side, side))
    assert torch.equal(resized[:, :1], torch.full((1, 1, 2), -9.0))
    places = resized[:, 1:].view(height, width, 2)
    assert places[..., 1].min() >= -1e-5
    assert places[..., 1].max() <= side - 1 + 1e-5
    # Rows are equal, since only the width was told apart, and columns keep their order.
    torch.testing.assert_close(places, places[:1].expand_as(places))
    assert (places[0, 1:, 1] >= places[0, :-1, 1] - 1e-5).all()


@settings(deadline=None, max_examples=20)
@given(frames=st.integers(1, 6), wanted=st.integers(1, 6))
def test_a_table_over_time_is_interpolated(frames: int, wanted: int) -> None:
    resized = fitted(table(frames, 1, 1), (wanted, 1, 1), beside=(1, 2, 2))
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
    assert isinstance(outcome, str)
    assert outcome.startswith("shape 1x1569x2 does not fit 1x393x2: 1568 positions could be of 32x7x7 or 8x14x14 or ")
    assert outcome.endswith("; position_grid settles which")
    resized = fitted(learned, (8, 7, 7), position_grid=(8, 14, 14))[:, 1:].view(8, 7, 7, 2)
    torch.testing.assert_close(resized[:, 0, 0, 0], torch.arange(8.0))


def one_change(source: Grid, target: Grid) -> bool:
    return (source[0] == target[0]) != (source[1:] == target[1:])


def readings_by_one_change(count: int, target: Grid) -> set[Grid]:
    """The grids that differ from the target in frames or in size only, written out by trial."""
    frames, height, width = target
    longer = {(time, height, width) for time in range(1, count + 1) if time * height * width == count}
    proportioned = {
        (frames, tall, wide)
        for tall in range(1, count + 1)
        for wide in range(1, count // tall + 1)
        if frames * tall * wide == count and (tall == wide or tall * width == wide * height)
    }
    return longer | proportioned


@st.composite
def sources_and_targets(draw: st.DrawFn) -> tuple[Grid, Grid]:
    target = (draw(st.integers(1, 6)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    side = draw(st.integers(2, 8))
    source = (
        draw(st.integers(1, 8)),
        *draw(st.sampled_from([(side, side), target[1:], (2 * target[1], 2 * target[2])])),
    )
    if draw(st.booleans()):
        source = (target[0], *source[1:])
    return source, target


@pytest.mark.slow
@settings(deadline=None, max_examples=400)
@given(sources_and_targets())
@example(((1, 2, 2), (4, 4, 1)))
def test_positions_are_read_on_their_own_grid_or_it_is_named_what_else_they_could_be(grids: tuple[Grid, Grid]) -> None:
    source, target = grids
    count = math.prod(source)
    assume(count != math.prod(target) and (source[1:] != (1, 1) or target[1:] == (1, 1)))
    found = learned_grid(count, target)
    named = set(re.findall(r"\d+x\d+x\d+", found if isinstance(found, str) else times(found[0]) + found[1]))
    assert times(source) in named
    explained = readings_by_one_change(count, target)
    if not isinstance(found, str):
        assert found[0] == source or not one_change(source, target) or source[0] == 1
        assert found[0] in explained
    elif one_change(source, target) and not (source[0] == 1 < target[0]):
        assert len(explained - {source}) >= 1
    assert learned_grid(count, target, told=source) == (source, "")
    if source[1] == source[2]:
        picture = (1, *source[1:])
        assert learned_grid(math.prod(picture), (target[0], 3, 5), image=True)[0] == picture


def test_the_grid_of_one_change_is_taken_and_a_clips_table_is_no_large_picture() -> None:
    # 16 frames of 7x7 are as many as one of 28x28.
    assert learned_grid(784, (8, 7, 7))[0] == (16, 7, 7)
    for target in [(32, 10, 10), (4, 7, 7), (16, 14, 14), (32, 28, 28)]:
        found = learned_grid(784, target)
        assert isinstance(found, str)
        assert "16x7x7" in found and "position_grid" in found
    assert learned_grid(784, (32, 10, 10), told=(16, 7, 7)) == ((16, 7, 7), "")
    assert learned_grid(784, (32, 10, 10), image=True) == ((1, 28, 28), "")
    assert "4x4x4" in learned_grid(64, (8, 6, 6))
    assert learned_grid(4 * 4, (4, 2, 3)) == ((4, 2, 2), " (position_grid settles whether they were 1x4x4)")


def test_tables_of_time_and_of_space_are_told_apart_by_each_other_where_one_has_a_single_place() -> None:
    grids = {"p.spatial": (1, 1, 1), "p.temporal": (4, 1, 1), "q.joint": (4, 1, 1)}
    assert [axes_of(key, grids) for key in grids] == ["space", "time", "both"]
    assert learned_grid(16, (1, 1, 1), "space")[0] == (1, 4, 4)
    assert learned_grid(16, (4, 1, 1), "time")[0] == (16, 1, 1)
    assert learned_grid(12, (1, 1, 1), "space", told=(12, 3, 4))[0] == (1, 3, 4)
    assert learned_grid(12, (4, 1, 1), "time", told=(12, 3, 4))[0] == (12, 1, 1)
    # Nothing tells whether four positions of a lone table, wanted for one place, were four steps or four places.
    assert isinstance(learned_grid(4, (1, 1, 1)), str)
    assert isinstance(learned_grid(4, (1, 1, 1), told=(2, 3, 3)), str)


class SeparateTables(nn.Module):
    """A table of places and one of time steps."""

    def __init__(self, grid: Grid) -> None:
        super().__init__()
        self.grid = grid
        self.spatial = nn.Parameter(torch.randn(1, grid[1] * grid[2], 2))
        self.temporal = nn.Parameter(torch.randn(1, grid[0], 2))

    def position_grids(self) -> dict[str, Grid]:
        return {"spatial": (1, *self.grid[1:]), "temporal": (self.grid[0], 1, 1)}


@pytest.mark.parametrize("told", [False, True])
@pytest.mark.parametrize(("source", "target"), [((4, 4, 4), (4, 1, 1)), ((9, 3, 3), (2, 1, 1)), ((4, 1, 1), (9, 3, 3))])
def test_separate_tables_are_each_resized_on_their_own_axes(
    source: Grid, target: Grid, told: bool, tmp_path: Path
) -> None:
    saved, loaded = SeparateTables(source), SeparateTables(target)
    torch.save(saved.state_dict(), tmp_path / "weights.pth")
    report = load_pretrained(loaded, tmp_path / "weights.pth", position_grid=source if told else None)
    spatial = f"positions of {times((1, *source[1:]))} tokens resized to {times((1, *target[1:]))}"
    assert report.adapted["spatial"] == spatial
    if target[0] != source[0]:
        assert report.adapted["temporal"].startswith(f"positions of {source[0]}x1x1 tokens")


def test_as_many_positions_on_another_grid_are_resized_if_it_is_told() -> None:
    resized = fitted(table(4, 2, 2), (1, 4, 4), position_grid=(4, 2, 2))[:, 1:].view(4, 4, 2)
    torch.testing.assert_close(resized[..., 0], torch.full((4, 4), 1.5))
    assert torch.equal(fitted(table(1, 4, 4), (1, 4, 4)), table(1, 4, 4))


def test_kernels_of_images_say_that_positions_are_of_one_frame(tmp_path: Path) -> None:
    class Clip(Tokens):
        def __init__(self) -> None:
            super().__init__((4, 2, 2))
            self.stem = nn.Conv3d(3, 2, (1, 2, 2))

    picture = {"pos_embd": table(1, 4, 4)[:, :], "scale": torch.ones(2), "stem.bias": torch.zeros(2)}
    weights = {**picture, "pos_embd": table(1, 8, 8), "stem.weight": torch.ones(2, 3, 2, 2)}
    torch.save(weights, tmp_path / "image.pth")
    report = load_pretrained(Clip(), tmp_path / "image.pth", inflate="centre")
    assert report.adapted["pos_embd"] == "positions of 1x8x8 tokens resized to 4x2x2"
    torch.save({**weights, "stem.weight": torch.ones(2, 3, 1, 2, 2)}, tmp_path / "video.pth")
    with pytest.raises(WeightsMismatch, match=r"4x4x4 or .*position_grid settles which"):
        load_pretrained(Clip(), tmp_path / "video.pth")


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

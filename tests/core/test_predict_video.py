"""Predictions of videos: views, segments with their times, and the frames each of them looks at."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import essmc_core
from essmc_core.cli.app import cli
from essmc_core.errors import ConfigError, InputError, WeightsMismatch
from essmc_core.inputs import InputSpec, Views, load_clip, load_segments, load_views
from essmc_core.inputs.frames import clip_indices, view_indices
from essmc_core.inputs.segment_list import read_segments
from tests.samples.media import write_frames

av = pytest.importorskip("av")
PLAIN = {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}


def spec(**values: Any) -> InputSpec:
    base = {"modality": "video", "size": [16, 16], "crop_pct": 1.0, "frames": 4, "stride": 2}
    return InputSpec.from_mapping({**base, **PLAIN, **values})


def write_video(path: Path, count: int, *, fps: Any = 10, size: tuple[int, int] = (16, 16)) -> Path:
    """Frame ``i`` has the grey level ``4 i + 2``, darker by one on the left third and brighter on the right."""
    width, height = size

    def grey(number: int) -> numpy.ndarray:
        picture = numpy.full((height, width, 3), 4 * number + 2, numpy.uint8)
        picture[:, : width // 3] -= 1
        picture[:, -(width // 3) :] += 1
        return picture

    return write_frames(path, map(grey, range(count)), codec="ffv1", pixels="bgr0", rate=fps)


def levels(clips: torch.Tensor) -> list[list[float]]:
    """The mean grey level of every frame of every view of (V, C, T, H, W)."""
    return (clips.mean((1, 3, 4)) * 255).tolist()


def numbers(clips: torch.Tensor) -> list[list[int]]:
    return [[round((level - 2) / 4) for level in view] for view in levels(clips)]


COUNTS, TOTALS, STRIDES = st.integers(1, 16), st.integers(1, 300), st.integers(1, 8)


@given(frames=COUNTS, total=TOTALS, stride=STRIDES, views=st.integers(2, 10))
def test_temporal_views_reach_from_the_first_frame_to_the_last(
    frames: int, total: int, stride: int, views: int
) -> None:
    chosen = view_indices(total, spec(frames=frames, stride=stride), views)
    assert len(chosen) == views and chosen[0][0] == 0
    assert chosen == sorted(chosen) and all(0 <= index < total for clip in chosen for index in clip)
    if (frames - 1) * stride < total:
        assert chosen[-1][-1] == total - 1
        assert all(clip[-1] - clip[0] == (frames - 1) * stride for clip in chosen)


@given(frames=COUNTS, total=TOTALS, views=st.integers(1, 5))
def test_views_of_segments_share_the_segments(frames: int, total: int, views: int) -> None:
    given_spec = spec(frames=frames, stride=None, sampling="segment")
    chosen = view_indices(total, given_spec, views)
    assert len(chosen) == views
    for clip in chosen:
        for segment, index in enumerate(clip):
            assert int(segment * total / frames) <= index <= int((segment + 1) * total / frames)
    if views == 1:
        assert chosen == [clip_indices(total, given_spec)]


def test_views_are_clips_times_crops(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 21, size=(48, 16))
    clips = load_views(path, spec(), Views(temporal=3, spatial=3))
    assert clips.shape == (9, 3, 4, 16, 16) and clips.is_contiguous()
    for view, first in enumerate([0, 7, 14]):
        left, centre, right = clips[3 * view : 3 * view + 3]
        assert numbers(centre[None]) == [[first, first + 2, first + 4, first + 6]]
        for crop, offset in ((left, -1), (centre, 0), (right, 1)):
            assert levels(crop[None])[0][0] == pytest.approx(4 * first + 2 + offset, abs=0.01)
    assert torch.equal(load_views(path, spec(), Views()), load_clip(path, spec()))


def test_crops_of_a_tall_video_go_from_top_to_bottom(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 4, size=(16, 48))
    clips = load_views(path, spec(), Views(1, 3))
    assert torch.equal(clips[0], clips[2]) and clips.shape[0] == 3


def test_segments_have_times_and_keep_the_tail(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 23)
    found = list(load_segments(path, spec(stride=1), 1.0, Views()))
    assert [(start, end) for start, end, _ in found] == [(0.0, 1.0), (1.0, 2.0), (2.0, 2.3)]
    assert [numbers(clip)[0] for _, _, clip in found] == [[3, 4, 5, 6], [13, 14, 15, 16], [20, 21, 22, 22]]


def test_segments_may_be_of_any_lengths(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 23)
    found = list(load_segments(path, spec(stride=1), [(0.0, 0.8), (1.0, 1.2), (1.1, 9.0)], Views()))
    assert [(start, end) for start, end, _ in found] == [(0.0, 0.8), (1.0, 1.2), (1.1, 2.3)]
    assert [numbers(clip)[0] for _, _, clip in found] == [[2, 3, 4, 5], [10, 11, 11, 11], [15, 16, 17, 18]]


@pytest.mark.parametrize(
    "spans", [[(0.5, 0.5)], [(1.0, 2.0), (0.0, 1.0)], [(2.3, 3.0)], [(-1.0, 1.0)], [(0.0, float("nan"))]], ids=str
)
def test_segments_outside_the_video_are_refused(tmp_path: Path, spans: list[tuple[float, float]]) -> None:
    with pytest.raises(InputError, match="No segment of"):
        list(load_segments(write_video(tmp_path / "a.mkv", 23), spec(), spans, Views()))


def test_segments_come_from_a_file(tmp_path: Path) -> None:
    listed = tmp_path / "shots.csv"
    listed.write_text("start,end,first_frame\n0.0,2.0,0\n2.0,3.5,50\n")
    assert read_segments(listed) == [(0.0, 2.0), (2.0, 3.5)]
    found = essmc_core.predict("motion_digits", CLIP, segments=read_segments(listed), topk=1).segments
    done = CliRunner().invoke(cli, ["predict", "motion_digits", CLIP, "--segments", str(listed), "--json"])
    shown = json.loads(done.stdout)["segments"]
    assert [(part["start"], part["end"]) for part in shown] == [(0.0, 2.0), (2.0, 3.5)]
    assert [part["predictions"][0]["label"] for part in shown] == [part.predictions[0].label for part in found]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a,b\n1,2\n", 1),
        ("start,end\n", 1),
        ("start,end\n0,1\n1,x\n", 3),
        ("start,end\n0\n", 2),
    ],
    ids=["columns", "none", "word", "cell"],
)
def test_what_is_no_list_of_segments_is_refused_with_its_line(tmp_path: Path, text: str, where: int) -> None:
    (tmp_path / "shots.csv").write_text(text)
    with pytest.raises(InputError, match=rf"shots\.csv:{where}:"):
        read_segments(tmp_path / "shots.csv")


def test_a_short_video_is_one_segment(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 3)
    ((start, end, clip),) = load_segments(path, spec(stride=1), 60, Views())
    assert (start, end, numbers(clip)) == (0.0, 0.3, [[0, 1, 2, 2]])


@pytest.mark.parametrize(("fps", "seconds"), [("30000/1001", 0.1), (10, 0.25), (25, 0.3), (10, 0.1)])
def test_every_frame_is_in_the_segment_of_its_time(tmp_path: Path, fps: Any, seconds: float) -> None:
    path = write_video(tmp_path / "a.mkv", 31, fps=fps)
    seen: list[int] = []
    for start, end, clip in load_segments(path, spec(frames=8, stride=1), seconds, Views()):
        mine = sorted(set(numbers(clip)[0]))
        assert all(start - 1e-6 <= number / float(Fraction(fps)) < end for number in mine)
        seen += mine
    assert seen == list(range(31))


def test_segments_end_where_a_damaged_file_does(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        for number in range(60):
            picture = numpy.full((16, 16, 3), 4 * number + 2, numpy.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        cut = [packet.pos for packet in container.demux(video=0)][34] - 8
    (tmp_path / "cut.avi").write_bytes(path.read_bytes()[:cut])
    found = list(load_segments(tmp_path / "cut.avi", spec(stride=1), 1.0, Views()))
    decoded = round(found[-1][1] * 10)
    assert 30 < decoded <= 34 and [start for start, _, _ in found] == [0.0, 1.0, 2.0, 3.0]
    # The codec is not lossless.
    assert [numbers(clip)[0][0] for _, _, clip in found[:3]] == pytest.approx([3, 13, 23], abs=1)


def test_segments_shorter_than_a_frame_are_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 5)
    with pytest.raises(InputError, match="shorter than a frame"):
        list(load_segments(path, spec(), 0.05, Views()))


CLIP = "pkg://essmc-motion/essmc_motion/moving_digits.mp4"


def test_probabilities_are_means_over_views_and_segments() -> None:
    predict = essmc_core.predict
    found = predict("motion_digits", CLIP, segments=1, topk=9)
    whole = {ranked.label: ranked.probability for ranked in found.predictions}
    for label, probability in whole.items():
        parts = [r.probability for part in found.segments for r in part.predictions if r.label == label]
        assert len(parts) == 5 and probability == pytest.approx(sum(parts) / 5, abs=1e-6)
    views = predict("motion_digits", CLIP, views=(5, 1), topk=9)
    assert views.input_shape == (5, 3, 8, 32, 32)
    # Five clips spread over five seconds are those seconds.
    assert {r.label: pytest.approx(r.probability, abs=1e-5) for r in views.predictions} == whole


def test_views_come_from_the_entry_unless_one_is_enough() -> None:
    many = {"input.views.temporal": 3, "input.views.spatial": 2}
    shapes = [
        essmc_core.predict("motion_digits", CLIP, overrides=many, **how).input_shape[0]
        for how in ({}, {"views": (4, 1)}, {"segments": 2.0}, {"random": True})
    ]
    assert shapes == [6, 4, 1, 1]


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="0x1 views are too few"):
        essmc_core.predict("motion_digits", CLIP, views=(0, 1))
    with pytest.raises(ConfigError, match="9999999x3 views are too many"):
        essmc_core.predict("motion_digits", CLIP, views=(9999999, 3))
    with pytest.raises(ConfigError, match="impossible"):
        essmc_core.predict("motion_digits", CLIP, segments=-1)
    with pytest.raises(InputError, match="Only videos have segments"):
        essmc_core.predict("tf_efficientnet_lite0_in1k", "a.png", segments=1, random=True)


def test_the_command_prints_times_as_columns_and_as_json(python: Any) -> None:
    lines = python.essmc("predict", "motion_digits", CLIP, "--segments", "2").stdout.splitlines()
    assert lines[0].split() == ["start", "end", "class", "probability"]
    assert [line.split()[:2] for line in lines[1:]] == [["0.00", "2.00"], ["2.00", "4.00"], ["4.00", "5.00"]]
    shown = json.loads(python.essmc("predict", "motion_digits", CLIP, "--segments", "2", "--json").stdout)
    assert [(part["start"], part["end"]) for part in shown["segments"]] == [(0, 2), (2, 4), (4, 5)]
    refused = python.essmc("predict", "motion_digits", CLIP, "--views", "10", check=False)
    assert refused.returncode == 2 and "not TEMPORALxSPATIAL" in refused.stderr


def test_a_head_that_the_weights_do_not_fill_is_an_error_unless_random_weights_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match=r"head\.out\.weight: shape 9x24 does not fit 4x24") as caught:
        essmc_core.predict("motion_digits", CLIP, num_classes=4)
    assert "--random" in caught.value.hint and "head.out.weight" in caught.value.report.skipped
    state = essmc_core.build_model("motion_digits").state_dict()
    torch.save({key: tensor for key, tensor in state.items() if "head" not in key}, tmp_path / "backbone.pth")
    with pytest.raises(WeightsMismatch, match=r"lack 2 of the module.s 68 tensors: head \(2 tensors\)"):
        essmc_core.predict("motion_digits", CLIP, checkpoint=tmp_path / "backbone.pth")
    # The labels name nine classes, so those of another head have none.
    found = essmc_core.predict("motion_digits", CLIP, num_classes=4, random=True)
    assert sorted(ranked.label for ranked in found.predictions) == ["0", "1", "2", "3"]


def test_building_for_training_still_gives_a_new_head() -> None:
    assert essmc_core.build_model("motion_digits", pretrained=True, num_classes=4).head.out.out_features == 4


def test_labels_are_those_of_the_configuration_or_an_error(tmp_path: Path) -> None:
    names = [f"motion {number}" for number in range(9)]
    found = essmc_core.predict("motion_digits", CLIP, overrides={"labels": names})
    assert found.predictions[0].label == f"motion {found.predictions[0].index}"
    with pytest.raises(ConfigError, match="there are 2 labels, and the head has 9 classes"):
        essmc_core.predict("motion_digits", CLIP, overrides=["labels=[a, b]"])
    (tmp_path / "names.txt").write_text("\n".join(names))
    config = essmc_core.load_config(essmc_core.ZOO.entry("motion_digits").file).to_dict()
    path = tmp_path / "mine.yaml"
    path.write_text(essmc_core.Config({**config, "labels": "names.txt"}).dump())
    assert essmc_core.predict(path, CLIP).predictions[0].label == found.predictions[0].label
    (tmp_path / "names.txt").write_text("one\ntwo\n")
    with pytest.raises(ConfigError, match="there are 2 labels, and the head has 9 classes") as caught:
        essmc_core.predict(path, CLIP)
    line = path.read_text().splitlines().index("labels: names.txt") + 1
    assert str(caught.value.where) == f"{path}:{line}:9"
    (tmp_path / "names.txt").unlink()
    with pytest.raises(ConfigError, match=r"names\.txt does not exist"):
        essmc_core.predict(path, CLIP)


def test_a_device_is_checked_before_anything_is_read() -> None:
    with pytest.raises(ConfigError, match="got 'foo'"):
        essmc_core.predict("motion_digits", "missing.mp4", device="foo")


@pytest.mark.slow
def test_the_work_dir_of_a_training_run_is_a_checkpoint(tmp_path: Path) -> None:
    model = essmc_core.build_model("motion_digits", pretrained=True)
    torch.save({"state_dict": model.state_dict()}, tmp_path / "epoch-00010.pth")
    (tmp_path / "epoch-00009-iter-0000100.pth").write_bytes(b"")
    expected, found = (essmc_core.predict("motion_digits", CLIP, checkpoint=given) for given in (None, tmp_path))
    for one, other in zip(expected.predictions, found.predictions, strict=True):
        assert one.label == other.label and one.probability == pytest.approx(other.probability, abs=1e-6)
    assert essmc_core.export_model("motion_digits", tmp_path / "a.pt2", checkpoint=tmp_path).difference < 1e-4

"""Which stream, when, which way up; and files that break off, mislead or are no videos at all."""

from __future__ import annotations

import io
import itertools
import os
import socket
import struct
import subprocess
import sys
import types
import warnings
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essmc_core.errors import UnreadableInput
from essmc_core.inputs import InputSpec, Views, load_clip, load_segments
from essmc_core.inputs.video import frames_beginning_within, frames_within, open_video
from essmc_core.inputs.video.file_reader import FileReader
from essmc_core.inputs.video.frame_table import forget
from essmc_core.inputs.video.orientation import from_matrix, oriented
from essmc_data.datasets.easy_video_reader import EasyVideoReader
from essmc_data.readers.videos import open_video as open_for_training
from tests.core.test_video_exact_frames import FRAMES, SIDE, write
from tests.samples.media import write_frames

av = pytest.importorskip("av")


def spec(**values: Any) -> InputSpec:
    plain = {"mean": [0.0] * 3, "std": [1.0] * 3, "modality": "video", "size": [8, 8], "crop_pct": 1.0}
    return InputSpec.from_mapping({**plain, "frames": 2, "stride": 1, **values})


def write_levels(path: Path, levels: list[int], times: list[int], base: Fraction, codec: str = "ffv1") -> Path:
    """Frames of one grey each, shown at the given times."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=30, options={"bf": "0", "qp": "1"} if codec == "libx264" else {})
        stream.width = stream.height = 32
        stream.pix_fmt = "bgr0" if codec == "ffv1" else "yuv420p"
        stream.codec_context.time_base = base
        for level, time in zip(levels, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), "rgb24")
            frame = frame.reformat(format=stream.pix_fmt)
            frame.pts, frame.time_base = time, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


# Times.


def test_seconds_are_the_frames_own_times(tmp_path: Path) -> None:
    # Two seconds at 5 frames per second, then two at 30; a frame's level says when it is shown.
    ticks = [120 * number for number in range(10)] + [1200 + 20 * number for number in range(60)]
    path = write_levels(tmp_path / "v.mp4", [round(tick / 10) for tick in ticks], ticks, Fraction(1, 600), "libx264")
    with open_video(path) as reader:
        assert np.allclose(reader.times, np.array(ticks) / 600)
        assert reader.duration == pytest.approx(4) and reader.fps == pytest.approx(70 / 4)
    for item in EasyVideoReader(str(path), 4, 0.5):
        shown = item["video"].float().mean((1, 2, 3)) / 60
        assert item["meta"]["start_sec"] - 0.21 < shown[0] and shown[-1] < item["meta"]["end_sec"]
    for item in EasyVideoReader(str(path), 3, 1):
        shown = item["video"].float().mean((1, 2, 3)) / 60
        assert item["meta"]["start_sec"] - 0.03 <= shown[0] and shown[-1] < item["meta"]["end_sec"]
    parts = list(load_segments(path, spec(frames=4, stride=None, sampling="segment"), 1.0, Views()))
    assert [(start, end) for start, end, _ in parts] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    for start, end, clip in parts:
        shown = clip[0].mean((0, 2, 3)) * 255 / 60
        assert start - 0.03 <= shown.min() and shown.max() < end


def test_a_frame_that_lasts_longer_than_a_segment_is_in_each_of_them(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "v.mkv", [0, 100, 200], [0, 2500, 3000], Fraction(1, 1000))
    found = [(start, round(float(clip.max()) * 255)) for start, _, clip in load_segments(path, spec(), 1.0, Views())]
    assert found[:3] == [(0, 0), (1, 0), (2, 100)]


@given(
    gaps=st.lists(st.floats(0.01, 2), min_size=1, max_size=30),
    start=st.floats(0, 0.99),
    share=st.floats(0.01, 1),
)
def test_a_span_has_the_frames_that_are_on_the_screen_in_it(gaps: list[float], start: float, share: float) -> None:
    edges = np.concatenate([[0], np.cumsum(gaps)])
    times, duration = edges[:-1], float(edges[-1])
    begin = start * duration
    end = begin + share * (duration - begin)
    slack = 2e-3 * duration / len(times)
    first, last = frames_within(times, duration, begin, end)
    assert 0 <= first <= last < len(times)
    assert times[first] <= begin + slack and edges[first + 1] >= begin - slack
    assert times[last] <= end + slack and edges[last + 1] >= end - slack
    spans = [(k * duration / 7, (k + 1) * duration / 7) for k in range(7)]
    parts = [frames_beginning_within(times, duration, *span) for span in spans]
    assert parts[0][0] == 0 and parts[-1][1] == len(times)
    assert all(left[1] == right[0] for left, right in itertools.pairwise(parts))


@pytest.mark.parametrize("span", [(4.0, 5.0), (1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_a_span_without_frames_is_refused(span: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="no frame is shown"):
        frames_within([0.0, 1.0, 2.0], 3.0, *span)


@pytest.mark.parametrize("rate", [600, 30000, 60000, 90000])
def test_rates_that_headers_claim_are_not_believed(tmp_path: Path, rate: int) -> None:
    ticks = [number * rate // 25 for number in range(50)]
    for name in ("v.mp4", "v.mkv", "v.avi") if rate == 600 else ("v.mp4", "v.mkv"):
        path = tmp_path / name
        with av.open(str(path), "w") as out:
            stream = out.add_stream("mjpeg", rate=rate)
            stream.width = stream.height = 32
            stream.pix_fmt = "yuvj420p"
            stream.codec_context.time_base = Fraction(1, rate)
            for tick in ticks:
                frame = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")
                frame.pts, frame.time_base = tick, Fraction(1, rate)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        with open_video(path) as reader:
            assert (len(reader), reader.fps, reader.duration) == (50, pytest.approx(25), pytest.approx(2)), name


def test_a_clock_that_no_camera_has_is_refused(tmp_path: Path) -> None:
    path = write_levels(tmp_path / "v.mp4", [10, 20, 30, 40], [0, 1, 2, 3], Fraction(1, 90000), "libx264")
    with pytest.raises(UnreadableInput, match=r"v\.mp4 shows 90000 frames per second"):
        open_video(path)


# Streams.


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4"])
@pytest.mark.parametrize(("marked", "sides", "expected"), [(1, (64, 32), 1), (0, (32, 64), 0), (None, (32, 64), 1)])
def test_of_several_videos_the_default_or_the_largest_is_read(
    tmp_path: Path, name: str, marked: int | None, sides: tuple[int, int], expected: int
) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as out:
        streams = [out.add_stream("mpeg4", rate=25) for _ in sides]
        for number, (stream, side) in enumerate(zip(streams, sides, strict=True)):
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
            if number == marked:
                stream.disposition = type(stream.disposition)["default"].value
        for time in range(4):
            for number, (stream, side) in enumerate(zip(streams, sides, strict=True)):
                frame = av.VideoFrame.from_ndarray(np.full((side, side, 3), 50 + 100 * number, np.uint8), "rgb24")
                frame.pts, frame.time_base = time, Fraction(1, 25)
                out.mux(stream.encode(frame))
        for stream in streams:
            out.mux(stream.encode())
    with av.open(str(path)) as container:
        if marked is None and any(stream.disposition for stream in container.streams):
            pytest.skip("this muxer marks a stream by itself")
    with open_video(path) as reader:
        assert float(reader.sample_frames([1]).float().mean()) == pytest.approx(50 + 100 * expected, abs=2)


def sound_with_cover(path: Path) -> Path:
    from PIL import Image

    with av.open(str(path), "w", format="mp3") as out:
        stream = out.add_stream("mp3", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 44100), np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 44100, 0
        for part in av.AudioResampler(stream.format, "mono", 44100).resample(frame):
            out.mux(stream.encode(part))
        out.mux(stream.encode())
    png = io.BytesIO()
    Image.new("RGB", (64, 64), (255, 0, 0)).save(png, "PNG")
    picture = b"\0image/png\0\x03\0" + png.getvalue()
    tag = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = bytes(len(tag) >> shift & 127 for shift in (21, 14, 7, 0))
    path.write_bytes(b"ID3\x03\0\0" + size + tag + path.read_bytes())
    return path


def test_the_cover_of_a_sound_file_is_no_video(tmp_path: Path) -> None:
    path = sound_with_cover(tmp_path / "song.mp3")
    with av.open(str(path)) as container:
        assert len(container.streams.video) == 1
    with pytest.raises(UnreadableInput, match=r"song\.mp3 has no video in it: only a cover picture"):
        open_for_training(str(path))
    with pytest.raises(UnreadableInput, match=r"song\.mp3 has no video in it"):
        load_clip(path, spec())


@pytest.mark.parametrize(
    "text", ["#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nother.ts\n", "ffconcat version 1.0\nfile v.mp4\n"]
)
def test_playlists_are_not_followed(tmp_path: Path, text: str) -> None:
    write(tmp_path / "other.ts")
    write(tmp_path / "v.mp4")
    (tmp_path / "list.m3u8").write_text(text)
    with pytest.raises(UnreadableInput, match=r"list\.m3u8"):
        open_video(tmp_path / "list.m3u8")


def animation(path: Path, frames: int, **options: Any) -> Path:
    from PIL import Image

    pictures = [Image.new("RGB", (64, 64), (20 * number + 10,) * 3) for number in range(frames)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **options)
    return path


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.avif"])
def test_moving_pictures_are_videos(tmp_path: Path, name: str) -> None:
    from PIL import features

    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow writes no AVIF here")
    with open_video(animation(tmp_path / name, 8, duration=100)) as reader:
        assert (len(reader), reader.fps) == (8, pytest.approx(10))
        greys = reader.sample_frames([7, 0, 3]).float().mean((1, 2, 3))
    assert greys.tolist() == pytest.approx([150, 10, 70], abs=3)


@pytest.mark.parametrize("name", ["a.png", "a.avif", "a.webp", "a.jpg", "a.tiff"])
def test_pictures_that_stand_still_are_none(tmp_path: Path, name: str) -> None:
    from PIL import Image, features

    if name == "a.avif" and not features.check("avif"):
        pytest.skip("Pillow writes no AVIF here")
    Image.new("RGB", (64, 64), (9, 9, 9)).save(tmp_path / name)
    with pytest.raises(UnreadableInput, match="is an image, not a video"):
        open_video(tmp_path / name)


def test_a_frame_that_is_not_there_is_what_one_item_can_cause(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", "mjpeg")
    with open_video(path) as reader:
        for numbers in ([FRAMES], [-1, 0]):
            with pytest.raises(UnreadableInput, match=rf"v\.mp4 were asked for, which has {FRAMES}"):
                reader.sample_frames(numbers)


# Orientation.

EIGHT = {
    "stored": ((1, 0, 0, 1), lambda x: x),
    "mirrored": ((-1, 0, 0, 1), lambda x: x[:, ::-1]),
    "upside down, mirrored": ((1, 0, 0, -1), lambda x: x[::-1]),
    "half turn": ((-1, 0, 0, -1), lambda x: x[::-1, ::-1]),
    "quarter turn right": ((0, 1, -1, 0), lambda x: np.rot90(x, -1)),
    "quarter turn left": ((0, -1, 1, 0), lambda x: np.rot90(x)),
    "transposed": ((0, 1, 1, 0), lambda x: x.transpose(1, 0, 2)),
    "transposed over the other diagonal": ((0, -1, -1, 0), lambda x: np.rot90(x, 2).transpose(1, 0, 2)),
}


@pytest.mark.parametrize("name", EIGHT)
def test_frames_are_turned_and_mirrored_as_players_show_them(tmp_path: Path, name: str) -> None:
    (a, b, c, d), shown = EIGHT[name]
    path = tmp_path / "v.mp4"
    quarters = np.zeros((48, 64, 3), np.uint8)
    quarters[:24, :32], quarters[:24, 32:], quarters[24:, :32] = (250, 0, 0), (0, 250, 0), (0, 0, 250)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"qp": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p"
        for number in range(3):
            frame = av.VideoFrame.from_ndarray(quarters, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    with open_video(path) as reader:
        stored = reader.sample_frames([0])[0].numpy()
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    data[at : at + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    with open_video(path) as reader:
        assert np.array_equal(reader.sample_frames([0, 2])[0].numpy(), shown(stored))
    clip = load_clip(path, spec(size=list(shown(stored).shape[:2])))
    assert np.abs(clip[0, :, 0].permute(1, 2, 0).numpy() * 255 - shown(stored)).mean() < 1


@given(st.lists(st.integers(-(1 << 20), 1 << 20), min_size=9, max_size=9))
def test_any_matrix_is_one_of_eight_orientations(matrix: list[int]) -> None:
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    turned = oriented(picture, from_matrix(tuple(matrix)))
    assert sorted(turned.flatten().tolist()) == sorted(picture.flatten().tolist())


# Names.

NAMES = [
    "2024-05-01T10:30:00.mp4", "~take.mp4", "~", "data:x.mp4", "C:foo.mp4", "a::b.mp4", "http:x.mp4", "file:x.mp4",
    "concat:a|b.mp4", "%03d.mp4", "-i.mp4", "pipe:0", "s3:x?y=1#z.mp4", "é 'quoted\".mp4", "memory::x.mp4",
]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="such names cannot be given there")
@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_there_is_a_file_whatever_its_name_looks_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from essmc_data.files.locations import join

    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.mp4").write_bytes(write(tmp_path / "made.mp4", "mjpeg").read_bytes())
    os.rename("there.mp4", name)
    for path in (name, os.path.join(os.fspath(tmp_path), name)):
        with open_video(path) as reader, open_for_training(path) as other:
            assert len(reader) == len(other) == FRAMES
        assert load_clip(path, spec()).shape == (1, 3, 2, 8, 8)
    monkeypatch.chdir("/")
    with open_for_training(join(str(tmp_path), name)) as reader:
        assert len(reader) == FRAMES


# What is no video.


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a POSIX system")
@pytest.mark.parametrize("kind", ["fifo", "zero", "directory", "socket", "dangling", "loop", "long", "null", "nobody"])
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = "v.mp4"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX).bind(path)
    elif kind in ("dangling", "loop"):
        os.symlink("nowhere" if kind == "dangling" else path, path)
    else:
        path = {"zero": "/dev/zero", "long": "x" * 5000 + ".mp4", "null": "a\0b.mp4", "nobody": "~nobody/x.mp4"}[kind]
    for opened in (open_video, open_for_training, lambda path: load_clip(path, spec())):
        with pytest.raises(UnreadableInput) as caught:
            opened(path)
        assert len(str(caught.value)) < 600


@pytest.mark.parametrize("count", [2**31 - 1, 2**32 - 1, 100_000_000])
def test_a_header_that_claims_more_frames_than_there_are_costs_nothing(tmp_path: Path, count: int) -> None:
    avi = bytearray(write(tmp_path / "v.avi", "mjpeg").read_bytes())
    for tag, place in ((b"avih", 16), (b"strh", 32)):
        at = avi.index(tag) + 8 + place
        avi[at : at + 4] = struct.pack("<I", count)
    (tmp_path / "v.avi").write_bytes(avi)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with open_video(tmp_path / "v.avi") as reader:
            assert len(reader) == FRAMES and reader.fps == 25
        assert len(list(load_segments(tmp_path / "v.avi", spec(), 0.25, Views()))) == 4
    whole = write(tmp_path / "v.mp4", "mjpeg", container={"movflags": "faststart"}).read_bytes()
    for size in (0, 1):
        mp4 = bytearray(whole)
        at = mp4.index(b"stsz") + 8
        mp4[at : at + 8] = struct.pack(">II", size, count)
        (tmp_path / "v.mp4").write_bytes(mp4)
        with pytest.raises(UnreadableInput, match=r"v\.mp4"), open_video(tmp_path / "v.mp4") as reader:
            reader.sample_frames([0])


def test_tables_that_claim_more_frames_than_bytes_are_not_made(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", "mjpeg", container={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    count = 20_000_000
    for tag, place, value in ((b"stsz", 8, (1, count)), (b"stsc", 16, (count,)), (b"stts", 12, (count,))):
        at = data.index(tag) + place
        data[at : at + 4 * len(value)] = struct.pack(f">{len(value)}I", *value)
    path.write_bytes(data)
    with pytest.raises(UnreadableInput, match=r"v\.mp4 claims 20,000,000 frames, more than its [\d,]+ bytes"):
        open_video(path)
    with pytest.raises(UnreadableInput, match="claims 20,000,000 frames"):
        FileReader(io.BytesIO(data), "v.mp4")


def test_frames_larger_than_any_screen_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "v.y4m", "raw")
    path.write_bytes(path.read_bytes().replace(b" W64 H64", b" W30000 H30000", 1))
    with pytest.raises(UnreadableInput, match=r"v\.y4m"):
        open_video(path)


# What breaks off.


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.avi", "v.flv", "v.asf", "v.webm", "v.mov"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.75])
def test_a_file_that_breaks_off_has_one_answer_everywhere(tmp_path: Path, name: str, share: float) -> None:
    container = {"movflags": "faststart"} if name in ("v.mp4", "v.mov") else {}
    codec = "vp8_alt_ref" if name == "v.webm" else "h264"
    path = write(tmp_path / name, codec, pts=range(3 * FRAMES), container=container, options={"bf": "0"})
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert_one_answer(path)


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.avi"])
def test_a_film_with_sound_that_breaks_off_is_noticed(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w", options={"movflags": "faststart"} if name == "v.mp4" else {}) as out:
        video, sound = out.add_stream("mjpeg", rate=25), out.add_stream("pcm_s16le" if name != "v.mp4" else "aac")
        video.width = video.height = SIDE
        video.pix_fmt = "yuvj420p"
        sound.sample_rate, sound.layout = 8000, "mono"
        for number in range(50):
            frame = av.VideoFrame.from_ndarray(np.zeros((SIDE, SIDE, 3), np.uint8), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame))
            part = av.AudioFrame.from_ndarray(np.zeros((1, 320), np.int16), "s16", "mono")
            part.sample_rate, part.pts = 8000, 320 * number
            out.mux(sound.encode(part))
        out.mux(video.encode())
        out.mux(sound.encode())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(open_video(path)) == 50
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    assert_one_answer(path)


def assert_one_answer(path: Path) -> None:
    answers, name = [], path.name
    for opened in (lambda: open_for_training(str(path)), lambda: list(load_segments(path, spec(), 0.5, Views()))):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                opened()
                answers.append([str(warning.message) for warning in caught if name in str(warning.message)])
            except UnreadableInput as error:
                answers.append([error.message])
    assert answers[0] == answers[1] and answers[0]
    assert all(name in answer for answer in answers[0])


def test_a_span_beyond_the_end_names_the_file_and_obeys_on_error(tmp_path: Path) -> None:
    from essmc_data.datasets.base import BaseDataset
    from essmc_data.transforms.load_video import LoadVideoFromFile

    path = write(tmp_path / "v.mp4", "mjpeg")

    class Spans(BaseDataset):
        def __len__(self) -> int:
            return 3

        def describe(self, index: int) -> dict[str, Any]:
            start = (0.0, 35.0, float("nan"))[index]
            return {"meta": {"video_path": str(path), "start_sec": start, "end_sec": start + 1}}

    pipeline = [LoadVideoFromFile(4, "uniform")]
    skipping = Spans("test", pipeline, "skip")
    assert [skipping[number] is not None for number in range(3)] == [True, False, False]
    assert skipping.bad_inputs == 2
    stopping = Spans("test", pipeline)
    for number in (1, 2):
        with pytest.raises(UnreadableInput, match=r"v\.mp4"):
            stopping[number]


# torchcodec.


class Batch:
    def __init__(self, data: torch.Tensor, pts_seconds: torch.Tensor) -> None:
        self.data, self.pts_seconds = data, pts_seconds


@pytest.mark.parametrize("fault", ["none", "count", "time", "turned", "fails"])
def test_torchcodec_is_left_aside_where_it_shows_other_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = str(write(tmp_path / "v.mp4"))
    asked: list[list[int]] = []

    class VideoDecoder:
        def __init__(self, source: str, **options: Any) -> None:
            self.reader = open_video(source)

        def __len__(self) -> int:
            return len(self.reader) + (fault == "count")

        def get_frames_at(self, indices: list[int]) -> Batch:
            asked.append(indices)
            if fault == "fails" and len(indices) > 1:
                raise RuntimeError("no")
            late = fault == "time" and len(indices) > 1
            frames = self.reader.sample_frames([min(index + late * (index > 0), FRAMES - 1) for index in indices])
            seconds = torch.tensor([(index + late * (index > 0)) / 25 + 3 for index in indices])
            return Batch(frames.flip(1) if fault == "turned" else frames, seconds)

    module = types.ModuleType("torchcodec.decoders")
    module.VideoDecoder = VideoDecoder  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchcodec", types.ModuleType("torchcodec"))
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", module)
    with open_for_training(path, "torchcodec") as reader, open_video(path) as ours:
        assert torch.equal(reader.sample_frames([9, 3, 3]), ours.sample_frames([9, 3, 3]))
        assert [int(frame[0, 0, 0]) for frame in reader.iter_frames([0, 20])] == [
            int(frame[0, 0, 0]) for frame in ours.iter_frames([0, 20])
        ]
        assert len(reader) == len(ours) and reader.duration == ours.duration
    assert (len(asked) == 3) == (fault == "none")
    assert SIDE == 64


@pytest.mark.slow
@pytest.mark.parametrize("threads", [2, 4])
def test_a_file_that_ends_within_a_packet_has_the_same_frames_by_any_number_of_threads(
    tmp_path: Path, threads: int
) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number in range(50):
            picture = np.zeros((64, 96, 3), np.uint8)
            picture[:, :, 0] = 5 * number
            picture[number : number + 8, number : number + 8] = 255
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    content = whole.read_bytes()
    for missing in range(10, 250, 12):
        cut.write_bytes(content[:-missing])
        seen = []
        for count in (1, threads):
            forget()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                video = open_video(cut, threads=count)
            with video:
                seen.append((video.sample_frames([len(video) - 1]), video.sample_frames(range(len(video)))))
        assert torch.equal(seen[0][0], seen[1][0])
        assert torch.equal(seen[0][1], seen[1][1])


CLOSED_EARLY = """
import av, sys, warnings
from essmc_core.errors import EssmcError
from essmc_core.inputs.video import open_video
warnings.simplefilter("ignore")
av.logging.set_level(av.logging.ERROR)
for number in range(60):
    try:
        with open_video(sys.argv[1], threads=4) as reader:
            reader.sample_frames([number % 40])
    except EssmcError:
        pass
print("done")
"""


@pytest.mark.slow
def test_closing_waits_for_no_thread_that_wants_to_log(tmp_path):
    # torchvision turns PyAV's log on; a decoder that is freed meanwhile would hold the lock that its threads log with.
    rng = np.random.default_rng(0)
    noise = (rng.integers(0, 256, (96, 128, 3), dtype=np.uint8) for _ in range(60))
    path = write_frames(tmp_path / "damaged.mkv", noise, options={"g": "60", "bf": "3"})
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 3, len(content) - 200, 977):
        content[place] ^= 0x5A
    path.write_bytes(bytes(content))
    command = [sys.executable, "-c", CLOSED_EARLY, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout == "done\n", done.stderr

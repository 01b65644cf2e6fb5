"""Frames by number are those of a full decode in order, in every container and of every codec that FFmpeg writes."""

from __future__ import annotations

import random
import struct
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from essmc_core.inputs.video import open_video
from essmc_core.inputs.video.frame_table import forget

av = pytest.importorskip("av")
FRAMES, SIDE = 24, 64
X264 = {"preset": "ultrafast", "bf": "3", "g": "8", "b_strategy": "0"}
CODECS: dict[str, tuple[str, dict[str, str], str]] = {
    "h264": ("libx264", X264, "yuv420p"),
    "h264_open_gop": ("libx264", {**X264, "x264-params": "scenecut=0:open-gop=1:b-pyramid=normal"}, "yuv420p"),
    "h264_refresh": ("libx264", {**X264, "bf": "0", "x264-params": "intra-refresh=1"}, "yuv420p"),
    "h264_fields": ("libx264", {**X264, "x264-params": "interlaced=1:tff=1"}, "yuv420p"),
    "h264_intra": ("libx264", {**X264, "bf": "0", "g": "1"}, "yuv420p"),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:keyint=8:open-gop=1"}, "yuv420p"),
    "mpeg4": ("mpeg4", {"bf": "2", "g": "8"}, "yuv420p"),
    "mpeg2": ("mpeg2video", {"bf": "2", "g": "8"}, "yuv420p"),
    "vp8_alt_ref": ("libvpx", {"g": "9", "auto-alt-ref": "1", "lag-in-frames": "8", "cpu-used": "5"}, "yuv420p"),
    "vp9_alt_ref": ("libvpx-vp9", {"g": "9", "auto-alt-ref": "1", "lag-in-frames": "8", "cpu-used": "5"}, "yuv420p"),
    "av1": ("libsvtav1", {"g": "9", "preset": "12"}, "yuv420p"),
    "mjpeg": ("mjpeg", {}, "yuvj420p"),
    "ffv1": ("ffv1", {"g": "4"}, "yuv420p"),
    "png": ("png", {}, "rgb24"),
    "raw": ("rawvideo", {}, "yuv420p"),
    "gif": ("gif", {}, "rgb8"),
    "apng": ("apng", {}, "rgb24"),
    "flv1": ("flv", {"g": "8"}, "yuv420p"),
    "wmv2": ("wmv2", {"g": "8"}, "yuv420p"),
    "qtrle": ("qtrle", {"g": "8"}, "rgb24"),
}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
MATRIX = [
    (codec, name)
    for codecs, names in (
        ("h264 h264_open_gop", "mp4 mkv avi asf flv ts mpg nut mxf h264"),
        ("h264_refresh h264_fields h264_intra", "mp4 mkv avi ts"),
        ("hevc", "mp4 mkv ts flv hevc"),
        ("mpeg4", "mp4 mkv avi asf ts m4v 3gp"),
        ("mpeg2", "mp4 mkv avi ts mpg vob mxf m2v"),
        ("vp8_alt_ref", "webm mkv avi ivf ogv"),
        ("vp9_alt_ref", "webm mp4 avi ivf"),
        ("av1", "webm mp4 obu ivf"),
        ("mjpeg", "avi mov mkv mjpeg"),
        ("ffv1", "mkv avi nut"),
        ("png", "mov avi"),
        ("raw", "avi y4m nut"),
        ("gif", "gif"),
        ("apng", "apng"),
        ("flv1", "flv swf"),
        ("wmv2", "asf"),
        ("qtrle", "mov"),
    )
    for codec in codecs.split()
    for name in names.split()
]


def picture(number: int) -> np.ndarray:
    """A grey that tells the frame's number, with something that moves."""
    made = np.full((SIDE, SIDE, 3), 8 * number + 16, np.uint8)
    made[number : number + 4] = 255
    return made


def write(
    path: Path,
    codec: str = "h264",
    *,
    pts: Any = range(FRAMES),
    base: Fraction = Fraction(1, 25),
    rate: int = 25,
    container: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    name, chosen, pixels = CODECS[codec]
    if name not in av.codecs_available:
        pytest.skip(f"FFmpeg was built without {name}")
    with av.open(str(path), "w", options=container or {}) as out:
        stream = out.add_stream(name, rate=rate, options={**chosen, **(options or {})})
        stream.width = stream.height = SIDE
        stream.pix_fmt = pixels
        stream.codec_context.time_base = base
        for number, time in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(number % FRAMES), "rgb24").reformat(format=pixels)
            frame.pts, frame.time_base = time, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def whole(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def assert_exact(path: Path, *, seeks: bool | None = None) -> None:
    expected = np.stack(whole(path))
    forget()
    with open_video(path) as reader:
        assert len(reader) == len(expected)
        assert np.array_equal(reader.sample_frames(range(len(reader))).numpy(), expected)
        assert reader.times[0] == 0 and (np.diff(reader.times) > 0).all() and reader.duration > reader.times[-1]
    for number in range(len(expected)):
        with open_video(path, threads=1 + number % 2) as reader:
            assert np.array_equal(reader.sample_frames([number])[0].numpy(), expected[number]), number
    draw = random.Random(0)
    with open_video(path) as reader:
        for size in (1, 2, 3, 5):
            group = [draw.randrange(len(expected)) for _ in range(size)]
            assert np.array_equal(reader.sample_frames(group).numpy(), expected[group]), group
        if seeks is not None:
            assert reader.table.seeks == seeks


@pytest.mark.slow
@pytest.mark.parametrize(("codec", "name"), MATRIX)
def test_frames_alone_and_in_groups_are_those_of_a_full_decode(tmp_path: Path, codec: str, name: str) -> None:
    assert_exact(write(tmp_path / f"v.{name}", codec))


@pytest.mark.parametrize("name", ["v.mp4", "v.mkv", "v.webm"])
def test_ordinary_files_are_sought_in_and_not_decoded_to_learn_their_frames(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, "vp9_alt_ref" if name == "v.webm" else "h264")
    assert_exact(path, seeks=True)
    with open_video(path) as reader:
        assert reader.table.fingerprints is None


def test_fragments_are_counted_though_the_header_counts_one(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", container={**FRAGMENTED, "frag_duration": "200000"})
    assert_exact(path, seeks=True)
    with open_video(path) as reader:
        assert (len(reader), reader.fps, reader.duration) == (FRAMES, 25, FRAMES / 25)


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.ts", "v.mov"])
@pytest.mark.parametrize("start", [250, -4])
def test_streams_that_start_late_or_early_are_whole(tmp_path: Path, name: str, start: int) -> None:
    path = write(tmp_path / name, pts=range(start, start + FRAMES))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_exact(path)
    with open_video(path) as reader:
        assert len(reader) == len(whole(path)) and reader.fps == 25


def edit_list(path: Path, begin: int, length: int) -> Path:
    """Rewrites an MP4's edit list: it shows so many frames from frame ``begin`` on."""
    data = bytearray(path.read_bytes())
    at = data.index(b"elst")
    scale = struct.unpack(">I", data[data.index(b"mdhd") + 16 :][:4])[0]
    movie = struct.unpack(">I", data[data.index(b"mvhd") + 16 :][:4])[0]
    _, media_time = struct.unpack(">Ii", data[at + 12 : at + 20])
    data[at + 12 : at + 20] = struct.pack(">Ii", length * movie // 25, media_time + begin * scale // 25)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("codec", ["h264", "h264_open_gop", "hevc"])
@pytest.mark.parametrize(("begin", "length"), [(3, 15), (8, 10), (11, 13), (0, 10)])
def test_frames_that_an_edit_list_hides_are_decoded_for_those_that_need_them(
    tmp_path: Path, codec: str, begin: int, length: int
) -> None:
    path = edit_list(write(tmp_path / "v.mp4", codec, container={"movflags": "faststart"}), begin, length)
    assert 0 < len(whole(path)) < FRAMES
    assert_exact(path)


def test_an_avi_without_its_index_is_read_in_order(tmp_path: Path) -> None:
    path = write(tmp_path / "v.avi")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"idx1")])
    assert_exact(path)


@pytest.mark.parametrize("bits", [8, 4])
def test_palettes_are_there_on_every_opening(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "palette.avi"
    path.write_bytes(b"".join(paletted(bits)))
    greys = [int(frame.mean()) for frame in whole(path)]
    assert len(set(greys)) == 5
    for _ in range(2):
        with open_video(path) as reader:
            assert [int(frame.float().mean()) for frame in reader.sample_frames(range(5))] == greys
            assert int(reader.sample_frames([3]).float().mean()) == greys[3]


def paletted(bits: int) -> Iterator[bytes]:
    """Yields an uncompressed AVI of five frames whose colours stand in its header."""

    def chunk(tag: bytes, data: bytes) -> bytes:
        return tag + struct.pack("<I", len(data)) + data

    def group(tag: bytes, data: bytes) -> bytes:
        return chunk(b"LIST", tag + data)

    colours, size = 1 << bits, SIDE * SIDE * bits // 8
    header = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, bits, 0, size, 0, 0, colours, 0)
    header += b"".join(bytes((grey * 255 // (colours - 1),) * 3 + (0,)) for grey in range(colours))
    main = struct.pack("<14I", 100000, size * 10, 0, 0x10, 5, 0, 1, size, SIDE, SIDE, 0, 0, 0, 0)
    stream = b"vidsDIB " + struct.pack(
        "<IHHIIIIIIIIHHHH", 0, 0, 0, 0, 1, 10, 0, 5, size, 0xFFFFFFFF, 0, 0, 0, SIDE, SIDE
    )
    pixels = [bytes([17 * (2 + 3 * number) % 256]) * size for number in range(5)]
    frames = [chunk(b"00db", data) for data in pixels]
    index = b"".join(b"00db" + struct.pack("<III", 0x10, 4 + k * len(frames[0]), size) for k in range(5))
    body = group(b"hdrl", chunk(b"avih", main) + group(b"strl", chunk(b"strh", stream) + chunk(b"strf", header)))
    body += group(b"movi", b"".join(frames)) + chunk(b"idx1", index)
    yield b"RIFF" + struct.pack("<I", len(body) + 4) + b"AVI " + body


def test_keyframes_that_a_container_marks_falsely_are_not_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "v.mp4", options={"bf": "0", "g": "12"}, container={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    at = data.index(b"stss")
    # Without a table of keyframes all frames are taken for such.
    data[at : at + 4] = b"free"
    path.write_bytes(data)
    assert_exact(path)


@pytest.mark.parametrize("codec", ["h264", "h264_open_gop", "h264_refresh", "hevc", "vp9_alt_ref"])
@pytest.mark.parametrize("name", ["v.mkv", "v.mp4"])
def test_what_was_cut_out_of_a_stream_has_the_frames_that_are_decoded(tmp_path: Path, codec: str, name: str) -> None:
    path, keyframes = tmp_path / name, -1
    with av.open(str(write(tmp_path / "whole.mkv", codec))) as source, av.open(str(path), "w") as out:
        stream = source.streams.video[0]
        copied = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            keyframes += packet.is_keyframe and packet.size > 0
            if keyframes and packet.size:
                packet.stream = copied
                out.mux(packet)
    assert 0 < len(whole(path)) < FRAMES
    assert_exact(path)

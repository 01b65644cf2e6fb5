"""Files that cannot be read in the middle of a dataset: what a run of training does about them, and what it says."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import SOLVERS, TrainModule
from essmc_core.errors import EssmcError
from essmc_data.errors import UnreadableInput
from essmc_data.loading import build_loader
from essmc_devkit.testing.fixtures import Python
from essmc_solvers.errors import DataError
from essmc_solvers.hooks.base import Hook
from tests.packs.data.test_datasets import LOAD, write_picture, write_shard, write_video

GOOD = 8


class Net(TrainModule):
    """Tells two brightnesses apart."""

    num_classes = 2

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def scores(self, pixels: Tensor) -> Tensor:
        found: Tensor = self.head(pixels.flatten(2).mean(2))
        return found

    def forward_train(self, video: Tensor, gt_label: Tensor) -> dict[str, Any]:
        return {"loss": nn.functional.cross_entropy(self.scores(video), gt_label), "batch_size": len(video)}

    def forward_test(self, video: Tensor, gt_label: Tensor) -> dict[str, Any]:
        probabilities = self.scores(video).softmax(1)
        return {"logits": probabilities, "batch_size": len(video)}


class Seen(Hook):
    """Remembers which items trained the model."""

    def __init__(self) -> None:
        super().__init__(0)
        self.items: list[tuple[int, int, float]] = []

    def after_iter(self, solver: Any) -> None:
        if solver.mode == "train":
            for meta, video in zip(solver.batch["meta"], solver.batch["video"], strict=True):
                self.items.append((solver.epoch, meta["index"], float(video.sum())))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of good videos, with one missing, empty, cut off or of another kind after each two of them."""
    root = tmp_path / "videos"
    for number in range(GOOD):
        write_video(root / "ab"[number // 4] / f"{number}.mp4", value=200 * (number // 4))
    (root / "a" / "1-missing.mp4").symlink_to(tmp_path / "nowhere.mp4")
    (root / "a" / "3-empty.mp4").write_bytes(b"")
    (root / "b" / "5-cut.mp4").write_bytes((root / "b" / "4.mp4").read_bytes()[:200])
    (root / "b" / "6-text.mp4").write_text("no video")
    spec = importlib.util.find_spec("iscc_samples")
    if spec is not None and spec.submodule_search_locations:
        demo = Path(spec.submodule_search_locations[0], "files", "video", "demo.ogv")
        shutil.copy(demo, root / "b" / "6-demo.ogv")
    return root


def broken(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*-*.*"))


def loader(folder: Path, on_error: str, workers: int, mode: str = "train") -> Any:
    dataset = {"type": "VideoFolder", "data_root_dir": str(folder), "pipeline": LOAD, "mode": mode}
    options = {"batch_size": 3, "num_workers": workers}
    return build_loader({"dataset": {**dataset, "on_error": on_error}, **options}, seed=1)


def train(data: Any, work_dir: Path | None = None, **arguments: Any) -> tuple[dict[str, dict[str, float]], Seen]:
    seen = Seen()
    torch.manual_seed(0)
    settings = {"optimizer": {"type": "SGD", "lr": 0.01}, "device": "cpu", "max_epochs": 2, "seed": 1, **arguments}
    hooks = [seen, *settings.pop("hooks", [])]
    made = SOLVERS.build({"type": "TrainValSolver", "model": Net(), "work_dir": work_dir, "hooks": hooks, **settings})
    return made.solve(data), seen


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_skipped_files_are_counted_in_log_and_metrics(
    folder: Path, tmp_path: Path, workers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(broken(folder))
    data = {mode: loader(folder, "skip", workers, mode) for mode in ("train", "eval")}
    results, seen = train(data, tmp_path / "run")
    assert results["train"]["unreadable"] == results["eval"]["unreadable"] == count
    shown = capsys.readouterr().out
    assert f"unreadable {count}" in shown
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines if '"done"' in line]
    assert [(record["mode"], record["unreadable"]) for record in records] == [("train", count), ("eval", count)] * 2
    for epoch in (0, 1):
        assert len({index for at, index, _ in seen.items if at == epoch}) == GOOD
    assert len(seen.items) == 2 * GOOD


@pytest.mark.slow
def test_replacements_are_the_same_in_every_run_and_by_any_workers(folder: Path, tmp_path: Path) -> None:
    results, first = train(loader(folder, "replace", 0))
    count = len(broken(folder))
    assert len(first.items) == 2 * (GOOD + count)
    assert results["train"]["unreadable"] >= count
    for workers in (0, 2):
        again, seen = train(loader(folder, "replace", workers))
        assert seen.items == first.items and again == results
    # Resumed within the second epoch, the same files are read, and as many are counted.
    hooks = [{"type": "CheckpointHook", "iterations": 1}]
    train(loader(folder, "replace", 0), tmp_path, hooks=hooks)
    middle = sorted(tmp_path.glob("epoch-00001-iter-*.pth"))[0]
    resumed, seen = train(loader(folder, "replace", 2), tmp_path, hooks=hooks, resume_from=middle)
    assert resumed == results and seen.items == first.items[-len(seen.items) :] and 0 < len(seen.items) < GOOD + count


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_stopping_names_the_file_and_nothing_else(folder: Path, workers: int) -> None:
    with pytest.raises(UnreadableInput) as caught:
        train(loader(folder, "stop", workers))
    assert any(name in caught.value.message for name in broken(folder))
    assert "Traceback" not in str(caught.value) and "Caught" not in str(caught.value)


@pytest.mark.parametrize(
    ("on_error", "error", "says"),
    [
        ("stop", UnreadableInput, "is an empty file"),
        ("skip", DataError, "no batch of this pass could be read"),
        ("replace", UnreadableInput, "5 inputs in a row cannot be read"),
    ],
)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_of_which_nothing_can_be_read_ends_the_run(
    tmp_path: Path, on_error: str, error: type[EssmcError], says: str, workers: int
) -> None:
    (tmp_path / "a").mkdir()
    for number in range(5):
        (tmp_path / "a" / f"{number}.mp4").write_bytes(b"")
    with pytest.raises(error, match=says) as caught:
        train(loader(tmp_path, on_error, workers))
    assert "Traceback" not in str(caught.value)


PICTURES = ["LoadImageFromFile", "ImageToTensor"]
STREAMED = {"type": "WebDataset", "mode": "train", "shuffle_buffer": 4, "pipeline": PICTURES}


@pytest.fixture
def shards(tmp_path: Path) -> str:
    """Three shards of pictures; the second has two samples that cannot be read, and breaks off."""
    for shard in range(3):
        samples: dict[str, dict[str, bytes]] = {}
        for number in range(6):
            picture = write_picture(tmp_path / "p.png", 20 * shard + 3 * number).read_bytes()
            bad = shard == 1 and number in (1, 2)
            samples[f"{shard}{number}"] = {"png": b"x" if bad else picture, "cls": str(number % 2).encode()}
        path = Path(write_shard(tmp_path / f"s-{shard}.tar", samples))
        if shard == 1:
            path.write_bytes(path.read_bytes()[: 512 * 2 * 2 * 5 + 700])
    return str(tmp_path / "s-{0..2}.tar")


class Pictures(Net):
    """The same for pictures, with dropout, whose randomness a resumed run has to take up."""

    def forward_train(self, img: Tensor, gt_label: Tensor) -> dict[str, Any]:  # type: ignore[override]
        kept = nn.functional.dropout(img, 0.3)
        return {"loss": nn.functional.cross_entropy(self.scores(kept), gt_label), "batch_size": len(img)}


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "epoch_size"), [(0, None), (2, None), (2, 13)])
def test_a_stream_resumes_within_an_epoch_with_the_same_bits(
    shards: str, tmp_path: Path, workers: int, epoch_size: int | None
) -> None:
    def run(resume_from: Path | None, work_dir: Path, readers: int = workers) -> Any:
        dataset = {**STREAMED, "urls": shards, "on_error": "skip", "epoch_size": epoch_size}
        data = build_loader({"dataset": dataset, "batch_size": 2, "num_workers": readers}, seed=5)
        torch.manual_seed(0)
        made = SOLVERS.build({
            "type": "TrainValSolver", "model": Pictures(), "work_dir": work_dir, "resume_from": resume_from, "seed": 5,
            "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}, "device": "cpu", "max_epochs": 3,
            "hooks": [{"type": "CheckpointHook", "iterations": 1, "keep_last": 100}],
            "logger": logging.getLogger("quiet"),
        })  # fmt: skip
        return made.solve(data), made

    results, whole = run(None, tmp_path / "whole")
    assert results["train"]["unreadable"] >= 2
    within = sorted((tmp_path / "whole").glob("epoch-00001-iter-*.pth"))
    assert len(within) > 3
    for number, checkpoint in enumerate(within[::3]):
        again, resumed = run(checkpoint, tmp_path / f"resumed-{number}")
        assert again == results
        for left, right in zip(whole.module.parameters(), resumed.module.parameters(), strict=True):
            assert torch.equal(left, right)
    with pytest.raises(EssmcError, match="workers"):
        run(within[0], tmp_path / "other", readers=workers + 2)


ZOO_FILE = """
zoo: motion_digits
knobs: {{num_classes: 2}}
data:
  train:
    batch_size: 3
    num_workers: {workers}
    dataset:
      type: VideoFolder
      data_root_dir: {folder}
      mode: train
      on_error: {on_error}
      pipeline:
        - {{type: LoadVideoFromFile, num_frames: 2, clip_duration: 0.4}}
        - VideoToTensor
solver: {{max_epochs: 1, device: cpu, optimizer: {{type: SGD, lr: 0.01}}}}
"""


def test_the_command_tells_files_and_counts_and_ends_in_one_message(python: Python, folder: Path) -> None:
    def run(on_error: str, workers: int) -> Any:
        text = ZOO_FILE.format(folder=folder, on_error=on_error, workers=workers)
        (python.cwd / "zoo.yaml").write_text(text)
        return python.essmc("train", "zoo.yaml", "--overwrite", check=False)

    done = run("skip", 1)
    assert done.returncode == 0, done.stderr
    assert f"unreadable {len(broken(folder))}" in done.stdout
    for name in broken(folder):
        assert (
            done.stderr.count(f"skipped an input that cannot be read: {folder}/{'a' if name < '4' else 'b'}/{name}")
            == 1
        )
    done = run("stop", 1)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert any(name in done.stderr for name in broken(folder))
    for path in folder.rglob("*.*"):
        path.unlink()
        path.write_bytes(b"")
    for on_error in ("skip", "replace"):
        done = run(on_error, 0)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "be read" in done.stderr.splitlines()[-2] + done.stderr.splitlines()[-1]

"""From nothing to a model in use: train, evaluate, export and predict, by commands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from essmc_data.datasets.moving_images import MovingImages
from essmc_devkit.testing.fixtures import Python

pytestmark = pytest.mark.slow
CLIP = "pkg://essmc-motion/essmc_motion/moving_digits.mp4"
# Less than a quarter of the training that the entry asks for.
SHORT = (
    "data.train.dataset.clips=768", "data.train.batch_size=32", "data.eval.dataset.clips=180",
    "solver.max_epochs=3", "solver.lr_scheduler.T_max=3", "solver.eval_interval=3",
)  # fmt: skip


@pytest.fixture(scope="module")
def python(tmp_path_factory: Any) -> Python:
    return Python(tmp_path_factory.mktemp("motion"))


@pytest.fixture(scope="module")
def trained(python: Python) -> Path:
    """A work dir."""
    python.essmc("train", "motion_digits", *SHORT, "--work-dir", "run")
    return python.cwd / "run"


def test_training_learns_motion(trained: Path):
    rows = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
    assert rows[-1]["mode"] == "eval" and rows[-1]["acc@1"] > 0.5
    assert (trained / "curve.png").read_bytes().startswith(b"\x89PNG") and (trained / "best.pth").exists()


def test_evaluation_gives_the_training_s_number(python: Python, trained: Path):
    done = python.essmc("eval", "motion_digits", *SHORT, "--checkpoint", str(trained), "--json")
    last = json.loads((trained / "metrics.jsonl").read_text().splitlines()[-1])
    assert json.loads(done.stdout)["acc@1"] == pytest.approx(last["acc@1"], abs=1e-6)


@pytest.mark.parametrize("name", ["motion.pt", "motion.pt2"])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_the_exported_file_is_as_good(python: Python, trained: Path, name: str):
    done = python.essmc("export", "motion_digits", "--checkpoint", str(trained / "best.pth"), "-o", name)
    assert "same numbers as motion_digits" in done.stdout and "N×3×8×32×32" in done.stdout
    path = python.cwd / name
    model = torch.jit.load(path) if name.endswith(".pt") else torch.export.load(path).module()
    items = MovingImages(mode="test", clips=90).__getitems__(list(range(90)))
    with torch.inference_mode():
        guessed = model(torch.stack([item["video"] for item in items])).argmax(1)
    assert (guessed == torch.stack([item["gt_label"] for item in items])).float().mean() > 0.5


def test_prediction_uses_the_result(python: Python, trained: Path):
    done = python.essmc("predict", "motion_digits", CLIP, "--checkpoint", str(trained / "best.pth"), "--segments", "1",
                        "--json")  # fmt: skip
    shown = json.loads(done.stdout)
    assert shown["weights"] == str(trained / "best.pth")
    best = [part["predictions"][0]["label"] for part in shown["segments"]]
    truth = ["right 2", "static", "up 1", "left 2", "down 1"]
    assert sum(one == other for one, other in zip(best, truth, strict=True)) >= 3

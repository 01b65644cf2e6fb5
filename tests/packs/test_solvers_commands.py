"""`essmc train` and `essmc eval` on a pack with a small model and small data, in processes of their own."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Python, Site

PARTS = """
import torch
from torch import nn
from essmc_core import TrainModule


class Points:
    classes = ("a", "b", "c")

    def __init__(self, size: int = 48, mode: str = "test", spoilt: bool = False):
        self.size, self.mode, self.spoilt, self.epoch = size, mode, spoilt, 0

    def set_epoch(self, epoch):
        self.epoch = epoch if self.mode == "train" else 0

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        noise = torch.randn(6, generator=torch.Generator().manual_seed(index + 1000 * self.epoch))
        noise = noise * float("nan") if self.spoilt else noise
        return {"img": noise + 2 * (index % 3), "gt_label": torch.tensor(index % 3), "meta": {"index": index}}


class Net(TrainModule):
    def __init__(self, num_classes: int = 3, width: int = 16):
        super().__init__()
        self.num_classes = num_classes
        self.net = nn.Sequential(nn.Linear(6, width), nn.ReLU(), nn.Linear(width, num_classes))

    def forward_train(self, img, gt_label=None):
        scores = self.net(img)
        return {"loss": nn.functional.cross_entropy(scores, gt_label), "batch_size": len(img)}

    def forward_test(self, img, gt_label=None):
        found = self.net(img).softmax(1)
        return {"logits": found, "batch_size": len(img), "acc@1": (found.argmax(1) == gt_label).float().mean()}
"""
CONFIG = """
model: {type: Net, width: 12}
data:
  train: {dataset: {type: Points, mode: train}, batch_size: 8, shuffle: true}
  eval: {dataset: {type: Points, size: 30}, batch_size: 8}
solver:
  max_epochs: 3
  device: cpu
  optimizer: {type: AdamW, lr: 0.02}
  hooks: [{type: CheckpointHook, save_best: true}, {type: LogHook, log_interval: 3}]
"""


@pytest.fixture
def config(python: Python, site: Site) -> Path:
    pytest.importorskip("essmc_data.loading")
    components = {"datasets.Points": "essmc_tiny.parts:Points", "models.Net": "essmc_tiny.parts:Net"}
    site.add("essmc-tiny", components=components, files={"parts.py": PARTS})
    path = python.cwd / "tiny.yaml"
    path.write_text(CONFIG)
    return path


def test_train_resume_and_eval(python: Python, config: Path) -> None:
    shown = python.essmc("train", "tiny.yaml", "solver.max_epochs=2").stdout
    folder = python.cwd / "work_dirs" / "tiny"
    assert "epoch 2/2  eval" in shown and "ETA" in shown
    assert (folder / "curve.png").read_bytes().startswith(b"\x89PNG")
    records = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    assert [record["mode"] for record in records if record.get("done")] == ["train", "eval"] * 2
    assert {"loss", "lr", "items_per_s", "data_time", "memory"} <= set(records[0])

    again = python.essmc("train", "tiny.yaml", check=False)
    assert again.returncode == 2 and "holds an earlier run" in again.stderr
    shown = python.essmc("train", "tiny.yaml", "--resume", "auto").stdout
    assert "resumed from" in shown and "epoch 3/3" in shown and "epoch 2/3" not in shown

    found = json.loads(python.essmc("eval", "tiny.yaml", "--checkpoint", str(folder), "--json").stdout)
    best = max(json.loads(line)["acc@1"] for line in (folder / "metrics.jsonl").read_text().splitlines()
               if '"eval"' in line)  # fmt: skip
    assert found["acc@1"] == pytest.approx(best)
    shown = python.essmc("eval", "tiny.yaml", "--checkpoint", str(folder / "epoch-00001.pth")).stdout
    assert "acc@1" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solver.max_epoch=3"], "did you mean 'max_epochs'"),
        (["solver.optimizer.lrr=3"], "lrr"),
        (["model.num_classes=2"], "have 3 classes, the model's head has 2"),
        (["data.train.dataset.spoilt=true"], "The loss is nan at epoch 1, iteration 1"),
        (["data.train=null"], "has no section data.train"),
        (["data.train.dataset.size=0"], "empty"),
        (["--resume", "nowhere.pth"], "There is no checkpoint nowhere.pth"),
        (["--work-dir", "tiny.yaml/below"], "cannot be written to"),
    ],
)
def test_mistakes_are_told_in_one_message(python: Python, config: Path, arguments: list[str], message: str) -> None:
    done = python.essmc("train", "tiny.yaml", *arguments, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_model_alone_cannot_be_trained(python: Python, config: Path) -> None:
    config.write_text("type: Net\n")
    done = python.essmc("train", "tiny.yaml", check=False)
    assert done.returncode == 2 and "no data and no solver" in done.stderr


def test_without_the_pack_of_loaders_its_name_is_told(python: Python, config: Path) -> None:
    blocker = "import sys\nsys.modules['essmc_data'] = None\n"
    code = f"{blocker}sys.argv = ['essmc', 'train', 'tiny.yaml']\nfrom essmc_core.cli import main\nmain()"
    done = python.run(code, check=False, ESSMC_BLOCK="essmc-data")
    assert done.returncode == 2 and "pip install essmc-data" in done.stderr


def test_progress_on_a_terminal(python: Python, config: Path) -> None:
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "essmc_core", "train", "tiny.yaml"]
    process = subprocess.Popen(
        command, cwd=python.cwd, env=python.environment(TERM="xterm"), stdout=terminal, stderr=terminal, text=False
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            block = os.read(controller, 4096)
        except OSError:
            break
        if not block:
            break
        shown += block
    assert process.wait(timeout=120) == 0
    text = shown.decode()
    assert "━" in text and "items/s" in text and "epoch 3/3  eval" in text

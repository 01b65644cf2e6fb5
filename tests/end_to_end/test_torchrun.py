"""Two processes train and evaluate as one does, and end together when one of them fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

ROOT = Path(__file__).parents[2]

JOB = """
import json, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from essmc_solvers.hooks.base import Hook
from tests.samples.solving import Net, Points, data, loader, solver


class Fails(Hook):
    def __init__(self):
        super().__init__(0)

    def before_iter(self, solver):
        if solver.accelerator.process_index == 1 and solver.total_iters == 3:
            raise RuntimeError("the worker's own error")


folder, kind = Path(sys.argv[1]), sys.argv[2]
torch.manual_seed(0)
made = solver(
    Net(norm=False, dropout=0.0), folder, max_epochs=2, optimizer={"type": "SGD", "lr": 0.1, "momentum": 0.9},
    eval_metric_cfg={"metric": "accuracy", "keys": ["logits", "gt_label"]}, extra_keys=["meta.index"],
    save_eval_data=True, split_batches=kind != "whole", accumulate_steps=2,
    hooks=[Fails()] if kind == "fails" else None,
)
# 41 = 5 * 8 + 1: the last batch leaves one process without an item; evaluation has 21 = 2 * 8 + 5.
# With whole batches of 4, two processes see the batches of 8 that one process sees.
results = made.solve(data(train=41, batch_size=4 if kind == "whole" and made.accelerator.num_processes == 2 else 8))
if made.is_main:
    (folder / "results.json").write_text(json.dumps(results))
made.accelerator.end_training()
"""


def run(folder: Path, processes: int, kind: str = "split") -> subprocess.CompletedProcess[str]:
    script = folder / "job.py"
    script.write_text(textwrap.dedent(JOB))
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return subprocess.run(
        [*launcher, str(script), str(folder), kind], capture_output=True, text=True, cwd=ROOT, timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def folder_of(tmp_path: Path, name: str) -> Path:
    made = tmp_path / name
    made.mkdir()
    return made


def assert_alike(one: Path, two: Path) -> None:
    results: list[Any] = [json.loads((folder / "results.json").read_text()) for folder in (one, two)]
    assert results[0].keys() == results[1].keys()
    for mode in results[0]:
        assert results[0][mode] == pytest.approx(results[1][mode], abs=1e-5)
    weights = [torch.load(folder / "epoch-00002.pth", weights_only=True)["state_dict"] for folder in (one, two)]
    for name, tensor in weights[0].items():
        assert torch.allclose(tensor, weights[1][name], atol=1e-5), name
    saved = [torch.load(folder / "eval_00002.pth", weights_only=True)["data"] for folder in (one, two)]
    assert sorted(saved[1]["meta.index"]) == list(range(21))
    assert torch.equal(saved[0]["gt_label"].sort().values, saved[1]["gt_label"].sort().values)


@pytest.mark.parametrize("kind", ["split", "whole"])
def test_two_processes_equal_one(tmp_path: Path, kind: str) -> None:
    one, two = folder_of(tmp_path, "one"), folder_of(tmp_path, "two")
    for folder, processes in ((one, 1), (two, 2)):
        done = run(folder, processes, kind)
        assert done.returncode == 0, done.stderr[-3000:]
    assert_alike(one, two)


def test_a_worker_that_fails_ends_the_job_with_its_error(tmp_path: Path) -> None:
    done = run(folder_of(tmp_path, "fails"), 2, "fails")
    assert done.returncode != 0
    assert "the worker's own error" in done.stderr

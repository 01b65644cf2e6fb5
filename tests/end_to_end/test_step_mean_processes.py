"""Two processes give the gradients, the losses and the metrics of one large batch, whatever a loss divides by."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

JOB = """
import json, sys
import torch
torch.set_num_threads(1)
from tests.packs.solvers.test_step_mean import (
    LOSSES, Custom, Focal, accumulated, classifier, inputs, labels, mosi, soft_labels, two_tasks
)

both = torch.stack([labels(0, 1, 5), labels(4)], dim=1)
motions = torch.stack([both, both.flip(0)], dim=-1)
weighted = {"type": "CrossEntropy", "weight": [1.0, 0.1, 10.0]}
cases = {
    name: (classifier(loss, act_name="sigmoid" if "binary" in name else "softmax"), {"img": inputs(12), "gt_label": y})
    for name, (loss, y) in LOSSES.items()
}
cases |= {
    "two tasks": (two_tasks("CrossEntropy"), {"video": inputs(12), "gt_label": both}),
    "weighted tasks": (two_tasks(weighted), {"video": inputs(12), "gt_label": both}),
    "motions": (mosi(weighted, "separate"), {"video": inputs(2, 1, 1, 3, 4), "mosi_label": motions}),
    "a loss that says nothing": (classifier(Focal(True)), {"img": inputs(12), "gt_label": labels()}),
    "a model that says nothing": (Custom(), {"img": inputs(12), "gt_label": labels(1)}),
}
found = {}
for name, (model, items) in cases.items():
    # 11 = 5 + 5 + 1 and 4 + 4 + 3: uneven shares, and a process without an item. One step, or two.
    for batch, steps in ((11, 1), (5, 3), (4, 2)):
        before = {key: value.clone() for key, value in model.state_dict().items()}
        change, means = accumulated(model, items, batch, steps)
        model.load_state_dict(before)
        found[f"{name} {batch} {steps}"] = [change.tolist(), means]
if torch.distributed.is_initialized():
    if torch.distributed.get_rank() == 0:
        open(sys.argv[1], "w").write(json.dumps(found))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()
else:
    open(sys.argv[1], "w").write(json.dumps(found))
"""


def run(folder: Path, processes: int) -> dict[str, Any]:
    script, results = folder / "job.py", folder / f"{processes}.json"
    script.write_text(textwrap.dedent(JOB))
    launcher = [sys.executable]
    if processes > 1:
        launcher += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*launcher, str(script), str(results)], capture_output=True, text=True, cwd=ROOT, timeout=500,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(results.read_text())
    return found


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(tmp_path: Path) -> None:
    one, two = run(tmp_path, 1), run(tmp_path, 2)
    assert len(one) > 50 and one.keys() == two.keys()
    for name, (change, means) in one.items():
        largest = max(map(abs, change))
        assert two[name][0] == pytest.approx(change, abs=5e-6 * largest), name
        for mode in ("train", "eval"):
            assert two[name][1][mode] == pytest.approx(means[mode], rel=1e-5), (name, mode)
        if not name.endswith("4 2"):  # one step of all items, however they are divided
            alone = one[f"{name.rsplit(' ', 2)[0]} 11 1"]
            assert change == pytest.approx(alone[0], abs=5e-6 * largest), name
            assert means["train"]["loss"] == pytest.approx(alone[1]["train"]["loss"], rel=1e-5), name

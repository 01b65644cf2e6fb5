"""What a hook of anybody's sees of a run, and what it adds to checkpoints by itself."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

import essmc_solvers
from essmc_core import SOLVERS
from essmc_solvers.checkpoint import contents
from essmc_solvers.errors import CheckpointMismatch
from essmc_solvers.run.protocol import Run
from tests.samples.solving import Net, data, solver


class Counter:
    """A hook of no base class, with everything that a hook may have."""

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self.count = 0
        self.missed = ""

    def after_iter(self, run: Run) -> None:
        if run.mode == "train":
            self.count += self.step

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]

    def start_without_state(self, run: Run, checkpoint: str) -> None:
        self.missed = f"{checkpoint} at {run.total_iters}"

    def compared_settings(self) -> dict[str, Any]:
        return {"step": self.step}

    def checkpoint_entries(self) -> dict[str, Any]:
        return {"counted": self.count, "epoch": "not for a hook to say"}


def test_a_hook_brings_its_own_state_entries_and_settings(tmp_path: Path) -> None:
    solver(work_dir=tmp_path, hooks=[Counter()]).solve(data())
    saved = contents.load(tmp_path / "epoch-00001.pth")
    assert saved["hooks"]["Counter"] == {"count": 5} and saved["counted"] == 5 and saved["epoch"] == 1
    again = Counter()
    solver(work_dir=tmp_path, hooks=[again], resume_from="auto", max_epochs=2).solve(data())
    assert again.count == 10 and not again.missed
    with pytest.raises(CheckpointMismatch, match=r"solver\.hooks\.Counter\.step was 1, is 2"):
        solver(hooks=[Counter(2)], resume_from=tmp_path, max_epochs=3).solve(data())


def test_a_hook_that_was_not_there_is_told_so(tmp_path: Path) -> None:
    solver(work_dir=tmp_path).solve(data())
    late = Counter()
    solver(work_dir=tmp_path, hooks=[late], resume_from="auto", max_epochs=2).solve(data())
    assert late.missed == "epoch-00001.pth at 5" and late.count == 5


def test_both_solvers_have_all_that_hooks_may_read() -> None:
    trained = solver()
    trained.solve(data())
    evaluated = SOLVERS.build({"type": "EvaluationSolver", "model": Net(), "device": "cpu"})
    evaluated.solve(data()["eval"])
    names = [*Run.__annotations__, *(name for name in vars(Run) if not name.startswith("_"))]
    assert {"epoch", "iter", "log", "step", "module"} <= set(names)
    for made in (trained, evaluated):
        for name in names:
            getattr(made, name)
    with pytest.raises(AttributeError):
        trained.epoch = 3


def test_checkpoints_know_no_hook_by_its_class() -> None:
    for path in Path(essmc_solvers.__path__[0], "checkpoint").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and "hooks" in (node.module or "").split(".")), path.name


def test_what_evaluation_does_not_use_may_be_stated() -> None:
    """A configuration of training is one of evaluation once its type is changed."""
    stated = {"optimizer": {"type": "AdamW", "lr": 0.1}, "lr_scheduler": "StepLR", "max_epochs": 9, "num_folds": 2,
              "eval_interval": 3, "envs": {"seed": 1}}  # fmt: skip
    for given in (stated, dict.fromkeys(stated)):
        made = SOLVERS.build({"type": "EvaluationSolver", "model": Net(), "device": "cpu", **given})
        assert set(made.solve(data()["eval"])) == {"eval"}

"""Checkpoints: whole or not there, found out when damaged, and read without running code."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from essmc_core.errors import ConfigError
from essmc_solvers.checkpoint import contents
from essmc_solvers.checkpoint.folder import list_checkpoints, load_newest
from essmc_solvers.errors import (
    CheckpointCorrupt,
    CheckpointMismatch,
    CheckpointNotFound,
    CheckpointNotWritten,
    WorkDirError,
)
from tests.samples.solving import Net, data, solver


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The work dir of a run of three epochs."""
    folder = tmp_path / "run"
    solver(work_dir=folder, max_epochs=3).solve(data())
    return folder


def names(folder: Path) -> list[str]:
    return [path.name for _, path in list_checkpoints(folder)]


def test_a_checkpoint_says_what_made_it(run: Path) -> None:
    content = contents.load(run / "epoch-00003.pth")
    assert content["epoch"] == 3 and content["total_iters"] == 15
    assert content["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert set(content["state_dict"]) == set(Net().state_dict())
    assert {"random", "means", "unreadable"} == set(content["processes"][0])
    assert zipfile.ZipFile(run / "epoch-00003.pth").comment.startswith(b"sha256:")


@pytest.mark.parametrize("damage", ["cut", "byte", "empty", "tail"])
def test_a_damaged_checkpoint_is_found_out_and_the_one_before_used(run: Path, damage: str) -> None:
    path = run / "epoch-00003.pth"
    whole = path.read_bytes()
    middle = len(whole) // 2
    path.write_bytes({
        "cut": whole[:middle], "byte": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :],
        "empty": b"", "tail": whole + b"x",
    }[damage])  # fmt: skip
    with pytest.raises(CheckpointCorrupt):
        contents.load(path)
    for source in (run, path):
        with pytest.warns(UserWarning, match=r"Going back to epoch-00002\.pth"):
            assert load_newest(source)[1]["epoch"] == 2


def test_nothing_is_trained_from_scratch_when_all_checkpoints_are_damaged(run: Path) -> None:
    for _, path in list_checkpoints(run):
        path.write_bytes(b"noise")
    with pytest.raises(CheckpointCorrupt, match="No checkpoint is left"):
        solver(work_dir=run, resume_from=run).solve(data())


@pytest.mark.parametrize(
    ("where", "told"),
    [("nowhere.pth", r"checkpoint .*nowhere\.pth"), ("nowhere", "checkpoint .*nowhere"), (".", "checkpoint in ")],
)
def test_resuming_from_nothing_is_an_error(tmp_path: Path, where: str, told: str) -> None:
    with pytest.raises(CheckpointNotFound, match=f"There is no {told}"):
        solver(work_dir=tmp_path, resume_from=tmp_path / where).solve(data())


def test_another_model_optimizer_seed_or_batch_size_is_refused(run: Path) -> None:
    path = run / "epoch-00002.pth"
    with pytest.raises(CheckpointMismatch, match="another model"):
        solver(Net(norm=False), resume_from=path).solve(data())
    with pytest.raises(CheckpointMismatch, match="other optimizers"):
        solver(resume_from=path, param_groups=[{"match": "head.*", "lr": 0.1}]).solve(data())
    with pytest.raises(CheckpointMismatch, match="seed 0, this one has seed 1"):
        solver(resume_from=path, seed=1).solve(data())
    hooks = [{"type": "CheckpointHook", "iterations": 2}]
    solver(work_dir=run / "b", hooks=hooks).solve(data())
    with pytest.raises(CheckpointMismatch, match="batch 4 of 5, and the data now make 10 batches"):
        solver(resume_from=run / "b" / "epoch-00000-iter-0000004.pth").solve(data(batch_size=4))
    with pytest.raises(CheckpointMismatch, match="in batches of 8 items, and they now have 9"):
        solver(resume_from=run / "b" / "epoch-00000-iter-0000004.pth").solve(data(batch_size=9))


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    hooks = [{"type": "CheckpointHook", "iterations": 2, "keep_last": 2, "save_best_by": "-loss"}]
    # Without evaluation the best is that of the training.
    made = solver(work_dir=tmp_path, max_epochs=4, hooks=hooks, optimizer={"type": "SGD", "lr": 0.0}, seed=4)
    made.solve({"train": data()["train"]})
    best = (tmp_path / "best.pth").resolve().name
    assert set(names(tmp_path)) == {best, "epoch-00003-iter-0000005.pth", "epoch-00004.pth"}
    assert (tmp_path / "best.pth").is_symlink()


def test_the_best_can_be_below_zero(tmp_path: Path) -> None:
    from essmc_solvers.hooks.checkpoint import CheckpointHook

    hook = CheckpointHook(save_best_by="+score")

    run = solver(hooks=[hook])
    marks = []
    for value in (-3.0, -5.0, -2.0, -2.0):
        run.progress.epoch_outputs = {"train": {"score": value}}
        marks.append(hook._improves(run))
    assert marks == [True, False, True, False]


def test_a_best_that_nobody_reports_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"give no 'acc@5'(.|\n)*acc@1"):
        solver(work_dir=tmp_path, hooks=[{"type": "CheckpointHook", "save_best_by": "+acc@5"}]).solve(data())


def test_a_full_disk_loses_nothing_that_was_written_before(run: Path) -> None:
    before = {path.name: path.read_bytes() for _, path in list_checkpoints(run)}
    child = os.fork()
    if not child:
        # A limit on the size of files stands for the full disk; the write fails in its middle.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
        try:
            contents.save(run / "epoch-00003.pth", {"state_dict": {"w": torch.rand(5000)}})
        except CheckpointNotWritten as error:
            os._exit(0 if "untouched" in str(error) else 3)
        except BaseException:
            os._exit(2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {path.name: path.read_bytes() for _, path in list_checkpoints(run)} == before
    assert not list(run.glob(".*"))
    assert load_newest(run)[1]["epoch"] == 3


def test_what_has_no_plain_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"hooks\.Mine\.0 is a function"):
        contents.save(tmp_path / "epoch-00001.pth", {"hooks": {"Mine": [test_what_has_no_plain_form_is_refused]}})
    assert not list(tmp_path.iterdir())


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25, deadline=None)
@given(plain)
def test_plain_data_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    path = tmp_path_factory.mktemp("plain") / "epoch-00001.pth"
    contents.save(path, {"value": value})
    assert contents.load(path)["value"] == value


@pytest.mark.parametrize(
    "optimizer", [{"type": "SGD", "lr": 0.1, "momentum": 0.9}, {"type": "RMSprop", "lr": 0.1}, {"type": "Adam"}]
)
def test_a_run_is_not_taken_up_with_another_optimizer(run: Path, optimizer: dict[str, Any]) -> None:
    path = run / "epoch-00002.pth"
    with pytest.raises(CheckpointMismatch, match=f"optimizer AdamW, this run has {optimizer['type']}"):
        solver(resume_from=path, optimizer=optimizer, max_epochs=3).solve(data())
    # Checkpoints of before kinds were written down have their optimizers' settings.
    content = contents.load(path)
    del content["kinds"], content["format"]
    contents.save(path, content)
    if optimizer["type"] != "Adam":
        with pytest.raises(CheckpointMismatch, match=f"another optimizer than {optimizer['type']}"):
            solver(resume_from=path, optimizer=optimizer, max_epochs=3).solve(data())


def test_a_run_is_not_taken_up_with_another_schedule(tmp_path: Path) -> None:
    solver(work_dir=tmp_path, lr_scheduler={"type": "StepLR", "step_size": 1}).solve(data())
    schedule = {"type": "ExponentialLR", "gamma": 0.5}
    with pytest.raises(CheckpointMismatch, match="lr_scheduler StepLR, this run has ExponentialLR"):
        solver(resume_from=tmp_path, lr_scheduler=schedule, max_epochs=2).solve(data())


def test_what_changed_since_a_run_was_written_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def said(**arguments: Any) -> str:
        given = {"max_epochs": 4, **arguments}
        batch_size = given.pop("batch_size", 8)
        capsys.readouterr()
        solver(**given).solve(data(batch_size=batch_size))
        return capsys.readouterr().out

    assert "warning" not in said(resume_from=run)
    assert "all 3 epochs are done already" in said(resume_from=run, max_epochs=3)
    shown = said(resume_from=run, batch_size=4, resume_changed=True)
    assert "a batch size of 8, this run has 4" in shown and "batches an epoch: 5, this run has 10" in shown
    assert "no averaged weights: EmaHook starts from" in said(resume_from=run, hooks=["EmaHook"])
    said(work_dir=run / "averaged", hooks=["EmaHook"], lr_scheduler={"type": "StepLR", "step_size": 1}, max_epochs=1)
    shown = said(resume_from=run / "averaged")
    assert "averaged weights, which end here" in shown and "written with StepLR; this run has no schedule" in shown


def test_an_average_that_begins_late_starts_from_the_trained_weights(run: Path) -> None:
    made = solver(resume_from=run, max_epochs=3, hooks=["EmaHook"])
    made.solve(data())
    average = made.hooks[1].averaged_state()
    assert all(map(torch.equal, made.module.state_dict().values(), average.values()))


def test_fewer_epochs_than_are_done_are_refused(run: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="has 3 epochs behind it, more than max_epochs 2"):
        solver(resume_from=run, max_epochs=2).solve(data())


def test_a_number_that_is_none_is_never_the_best() -> None:
    from essmc_solvers.hooks.checkpoint import CheckpointHook

    hook = CheckpointHook(save_best_by="+score")
    made = solver(hooks=[hook])
    marks = []
    for value in (float("nan"), 1.0, float("nan"), 2.0):
        made.progress.epoch_outputs = {"train": {"score": value}}
        marks.append(hook._improves(made))
    assert marks == [False, True, False, True]
    hook.load_state_dict({"best": float("nan")})
    made.progress.epoch_outputs = {"train": {"score": 0.5}}
    assert hook._improves(made)


def test_of_many_missing_weights_some_are_named(run: Path) -> None:
    class Deep(Net):
        def __init__(self) -> None:
            super().__init__()
            self.more = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(20)])
            self.head = torch.nn.Linear(16, 4)

    with pytest.raises(CheckpointMismatch) as caught:
        solver(Deep(), resume_from=run).solve(data())
    assert "lack 40 of the module's" in caught.value.message and "more (40 tensors)" in caught.value.message
    assert "head.weight: shape 3x16 does not fit 4x16" in caught.value.message
    kinds = {fault.kind: fault.keys for fault in caught.value.report.faults}
    assert len(kinds["missing"]) == 40 and kinds["misfit"] == ("head.weight", "head.bias")


HOLDER = """
import sys
from pathlib import Path
from essmc_solvers.checkpoint.run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_work_dir_has_one_run_at_a_time_and_is_free_after_a_kill(tmp_path: Path) -> None:
    made = solver(work_dir=tmp_path)
    for end in ("exit", "kill"):
        command = [sys.executable, "-c", HOLDER, str(tmp_path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None and other.stdout.readline() == "held\n"
            with pytest.raises(WorkDirError, match=f"another run is writing to .*: process {other.pid} on"):
                made.solve(data())
            assert list_checkpoints(tmp_path) == []
            other.kill() if end == "kill" else other.communicate()
            other.wait()
        assert (tmp_path / ".run.lock").exists() == (end == "kill")
    made.solve(data())
    assert names(tmp_path) == ["epoch-00001.pth"] and not (tmp_path / ".run.lock").exists()

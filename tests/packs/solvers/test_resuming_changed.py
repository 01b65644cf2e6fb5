"""Resuming with other settings: each is named and refused, or applied where the user says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from essmc_solvers.errors import CheckpointMismatch
from tests.samples.solving import Net, Points, data, loader, solver

SGD = {"type": "SGD", "lr": 0.1, "weight_decay": 1e-3, "momentum": 0.9}
COSINE = {"type": "CosineAnnealingLR", "T_max": 4}


def run(folder: Path, **arguments: Any) -> Any:
    """Trains and returns the solver; two epochs of four, unless told otherwise."""
    given: dict[str, Any] = {"optimizer": SGD, "lr_scheduler": COSINE, "max_epochs": 2, **arguments}
    fed = given.pop("data", None) or data(batch_size=given.pop("batch_size", 8))
    made = solver(work_dir=folder, **given)
    made.solve(fed)
    return made


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    run(folder)
    return folder / "epoch-00002.pth"


class Renamed(Points):
    classes = ("c", "b", "a")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"optimizer": {**SGD, "lr": 0.01}}, "solver.optimizer.lr was 0.1, is 0.01"),
        ({"optimizer": {**SGD, "weight_decay": 0.1}}, "solver.optimizer.weight_decay was 0.001, is 0.1"),
        ({"optimizer": {**SGD, "nesterov": True}}, "solver.optimizer.nesterov was False, is True"),
        ({"lr_scheduler": {**COSINE, "T_max": 9}}, "solver.lr_scheduler.T_max was 4, is 9"),
        ({"lr_scheduler": {**COSINE, "eta_min": 0.01}}, "solver.lr_scheduler.eta_min was 0.0, is 0.01"),
        ({"accumulate_steps": 2}, "solver.accumulate_steps was 1, is 2"),
        ({"clip_grad_norm": 1.0}, "solver.clip_grad_norm was None, is 1.0"),
        ({"num_folds": 2}, "solver.num_folds was 1, is 2"),
        ({"batch_size": 4}, "data.train.batch_size was 8, is 4"),
        ({"data": data(train=48)}, "items of the training data was 40, is 48"),
        ({"data": loader(Renamed(40))}, r"classes of the training data was \['a', 'b', 'c'\], is \['c', 'b', 'a'\]"),
        ({"freeze": "backbone.1"}, "belongs to|other optimizers"),
        ({"freeze": "backbone.1", "optimizer": {"backbone.0": SGD, "head": SGD}}, "other"),
        ({"hooks": [{"type": "LrHook", "warmup_func": "linear"}]}, "LrHook.warmup_func was None, is 'linear'"),
        ({"max_epochs": 6}, "solver.max_epochs was 2, is 6: CosineAnnealingLR comes to its end at T_max 4"),
        ({"seed": 3}, "seed 0, this one has seed 3"),
    ],
)  # fmt: skip
def test_what_changed_is_named_and_refused(
    written: Path, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    given = {"max_epochs": 4, **changed}
    with pytest.raises(CheckpointMismatch, match=message):
        run(tmp_path, resume_from=written, **given)
    assert not list(tmp_path.glob("*.pth"))


def test_all_changes_are_listed_with_the_ways_out(written: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch) as caught:
        run(
            tmp_path, resume_from=written, max_epochs=4, optimizer={**SGD, "lr": 1, "momentum": 0.5}, accumulate_steps=2
        )
    assert caught.value.message.count("\n  solver.") == 3
    assert "--resume-changed" in caught.value.hint and f"weights={written}" in caught.value.hint


def test_a_refused_run_keeps_its_own_weights(written: Path) -> None:
    torch.manual_seed(5)
    model = Net()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointMismatch):
        solver(model, resume_from=written, optimizer={**SGD, "lr": 1}, lr_scheduler=COSINE).solve(data())
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_what_may_change_changes_no_bit(written: Path, tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", max_epochs=4)
    free = {
        "eval_interval": 2,
        "hooks": [{"type": "LogHook", "log_interval": 1}, {"type": "CheckpointHook", "keep_last": 1}],
    }
    again = run(tmp_path / "again", max_epochs=4, resume_from=written, data=data(num_workers=1), **free)
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, again.module.state_dict()[name])


def rates(folder: Path) -> list[float]:
    import json

    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line["lr"] for line in lines if line["mode"] == "train" and "lr" in line]


@pytest.mark.parametrize("by_epoch", [True, False])
@pytest.mark.parametrize(
    "schedule",
    [COSINE, {"type": "StepLR", "step_size": 1, "gamma": 0.5}, {"type": "timm_cosine", "t_initial": 4}],
)  # fmt: skip
def test_changed_rates_are_those_of_a_run_that_had_them_from_the_start(
    tmp_path: Path, schedule: dict[str, Any], by_epoch: bool
) -> None:
    """The right values: the rates at the end of an uninterrupted run with the new settings."""
    hooks = [
        {"type": "LrHook", "set_by_epoch": by_epoch, "warmup_func": "linear", "warmup_epochs": 3.5},
        {"type": "LogHook", "log_interval": 1},
    ]
    longer = {**schedule, **{key: 6 for key in ("T_max", "t_initial") if key in schedule}}
    new = {
        "optimizer": {**SGD, "lr": 0.02, "weight_decay": 0.5},
        "lr_scheduler": longer,
        "max_epochs": 6,
        "hooks": hooks,
    }
    run(tmp_path / "old", lr_scheduler=schedule, hooks=hooks)
    whole = run(tmp_path / "new", **new)
    again = run(tmp_path / "again", resume_from=tmp_path / "old", resume_changed=True, **new)
    assert len(rates(tmp_path / "again")) == 20
    assert rates(tmp_path / "again") == pytest.approx(rates(tmp_path / "new")[-20:])
    for made in (whole, again):
        assert [group["weight_decay"] for group in made.optimizers[""].param_groups] == [0.5]


def test_changes_that_are_meant_are_said(written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, resume_from=written, resume_changed=True, max_epochs=3, seed=4, optimizer={**SGD, "lr": 0.01})
    assert "changed since epoch-00002.pth: solver.optimizer.lr was 0.1, is 0.01" in capsys.readouterr().out


@pytest.mark.slow
def test_the_configuration_is_compared_too(tmp_path: Path) -> None:
    def with_config(folder: Path, resume: Path | None, dataset: dict[str, Any], **options: Any) -> None:
        made = solver(work_dir=folder, max_epochs=1 if resume is None else 2, resume_from=resume)
        made.config = {"data": {"train": {"dataset": dataset, "batch_size": 8, **options}}, "solver": {"device": "cpu"}}
        made.solve(data())

    with_config(tmp_path, None, {"type": "Points", "root": "a", "pipeline": [{"type": "Resize", "size": 2}]})
    path = tmp_path / "epoch-00001.pth"
    with pytest.raises(CheckpointMismatch, match=r"data.train.dataset.root was 'a', is 'b'"):
        with_config(tmp_path / "b", path, {"type": "Points", "root": "b", "pipeline": [{"type": "Resize", "size": 2}]})
    with pytest.raises(CheckpointMismatch, match=r"dataset.pipeline.0.size was 2, is 3"):
        with_config(tmp_path / "b", path, {"type": "Points", "root": "a", "pipeline": [{"type": "Resize", "size": 3}]})
    same = {"type": "Points", "root": "a", "pipeline": [{"type": "Resize", "size": 2}]}
    with_config(tmp_path / "b", path, same, num_workers=0, pin_memory=True)


def test_checkpoints_of_before_settings_were_written_resume(written: Path, tmp_path: Path) -> None:
    from essmc_solvers.checkpoint import contents

    content = contents.load(written)
    del content["settings"], content["format"]
    contents.save(tmp_path / "epoch-00002.pth", content)
    run(tmp_path, resume_from=tmp_path, max_epochs=3)
    assert (tmp_path / "epoch-00003.pth").is_file()

"""What hooks see of gradients, learning rates and work dirs."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from essmc_core.errors import ConfigError
from essmc_solvers.errors import WorkDirError
from essmc_solvers.hooks.base import Hook
from tests.samples.solving import Net, Points, data, loader, solver


class Norms(Hook):
    """Keeps the norm of all gradients at both events."""

    def __init__(self) -> None:
        super().__init__(500)
        self.complete: list[float] = []
        self.used: list[float] = []
        self.told: list[float] = []

    def after_backward(self, solver: Any) -> None:
        self.complete.append(norm(solver.module))

    def before_step(self, solver: Any) -> None:
        self.used.append(norm(solver.module))
        self.told.append(float(solver.grad_norm))


def norm(module: Any) -> float:
    return float(torch.stack([parameter.grad.norm() for parameter in module.parameters()]).norm())


@pytest.mark.parametrize(("batch", "steps"), [(8, 1), (2, 4)])
def test_hooks_see_the_gradients_of_a_step_before_and_after_clipping(batch: int, steps: int) -> None:
    torch.manual_seed(3)
    model, norms = Net(norm=False, dropout=0.0), Norms()
    rows = [Points()[index] for index in range(8)]
    images, labels = (torch.stack([row[name] for row in rows]) for name in ("img", "gt_label"))
    model.train()(images, labels)["loss"].backward()
    expected = norm(model)
    run = solver(model, hooks=[norms], clip_grad_norm=0.01, accumulate_steps=steps)
    run.solve(loader(Points(8), batch, shuffle=False))
    assert norms.complete == norms.told == [pytest.approx(expected, rel=1e-5)]
    assert norms.used == [pytest.approx(0.01, rel=1e-3)]


def test_hooks_may_change_the_gradients() -> None:
    class Nothing(Hook):
        def __init__(self) -> None:
            super().__init__(0)

        def before_step(self, solver: Any) -> None:
            for parameter in solver.trained_parameters:
                parameter.grad.zero_()

    model = Net(dropout=0.0)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    solver(model, hooks=[Nothing()], optimizer={"type": "SGD", "lr": 1.0}).solve(data())
    assert all(map(torch.equal, before, model.parameters()))


class Rates(Hook):
    """Keeps the rates of all groups at each batch."""

    def __init__(self) -> None:
        super().__init__(500)
        self.seen: list[list[float]] = []

    def before_iter(self, solver: Any) -> None:
        if solver.mode == "train":
            self.seen.append([float(g["lr"]) for o in solver.optimizers.values() for g in o.param_groups])


@pytest.mark.parametrize("rate", [1e-2, 1e-3, 1e-4, 1e-5, 1e-7])
@pytest.mark.parametrize("start", [None, 0.0, 1e-4, 1e-2])
@pytest.mark.parametrize("by_epoch", [True, False])
def test_a_warm_up_rises_to_the_rate_and_never_lies_above_it(rate: float, start: float | None, by_epoch: bool) -> None:
    rates = Rates()
    given = {} if start is None else {"warmup_start_lr": start}
    hook = {"type": "LrHook", "warmup_func": "linear", "warmup_epochs": 2, "set_by_epoch": by_epoch, **given}
    groups = [{"match": "backbone.*", "lr_scale": 0.1}]
    run = solver(optimizer={"type": "SGD", "lr": rate}, hooks=[hook, rates], max_epochs=3, param_groups=groups)
    run.solve(loader(Points(16)))
    for column, largest in zip(zip(*rates.seen, strict=True), sorted(rates.seen[-1]), strict=True):
        assert max(column) == column[-1] == pytest.approx(largest) and list(column) == sorted(column)
        if start is None:
            assert column[0] < column[-1]
    if start is None and rate > 1e-4:
        assert max(rates.seen[0]) == pytest.approx(1e-4)


@pytest.mark.parametrize("given", [{"warmup_start_lr": -1e-4}, {"warmup_epochs": float("nan")}, {"warmup_epochs": 0}])
def test_warm_ups_that_cannot_be_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="warmup_"):
        solver(hooks=[{"type": "LrHook", "warmup_func": "linear", **given}])


@pytest.mark.parametrize(
    ("hook", "schedule", "message"),
    [
        ({"warmup_func": "linear", "warmup_start_lr": 0.5}, None, "warmup_start_lr 0.5 is above the rate 0.01"),
        ({"warmup_func": "linear", "warmup_epochs": 3}, None, "warm-up takes 3 epochs, more than max_epochs 1"),
        ({}, {"type": "CosineAnnealingLR", "T_max": 1, "eta_min": 0.1}, "eta_min 0.1 of CosineAnnealingLR is above"),
        ({"metric": "train/acc@1"}, {"type": "ReduceLROnPlateau"}, "is mode: max meant"),
    ],
)
def test_what_is_hardly_meant_is_said(
    hook: dict[str, Any], schedule: Any, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    solver(hooks=[{"type": "LrHook", **hook}], lr_scheduler=schedule).solve(loader(Points(8)))
    assert message in capsys.readouterr().out


def rates_logged(folder: Path) -> dict[str, float]:
    first = json.loads((folder / "metrics.jsonl").read_text().splitlines()[0])
    return {key: value for key, value in first.items() if key.startswith("lr")}


def test_rates_are_labelled_by_group(tmp_path: Path) -> None:
    log = {"type": "LogHook", "log_interval": 1}
    cases: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
        "one": ({"bn_weight_decay": 0.0}, {"lr": 0.01}),
        "groups": (
            {"param_groups": [{"match": "backbone.*", "lr_scale": 0.1}]}, {"lr/backbone": 0.001, "lr/head": 0.01}
        ),
        "layers": (
            {"param_groups": [{"match": "backbone.0.*", "lr": 0.1}, {"match": "*.bias", "lr": 0.2}]},
            {"lr/backbone.0": 0.1, "lr/rest": 0.01, "lr/rest#2": 0.2},
        ),
        "optimizers": (
            {"optimizer": {"backbone": {"type": "SGD", "lr": 0.3}, "*": {"type": "SGD", "lr": 0.4}}},
            {"lr/backbone": 0.3, "lr/*": 0.4},
        ),
    }  # fmt: skip
    for name, (given, expected) in cases.items():
        solver(work_dir=tmp_path / name, hooks=[log], **given).solve(loader(Points(8)))
        assert rates_logged(tmp_path / name) == pytest.approx(expected), name


def test_a_work_dir_with_an_earlier_run_is_refused(tmp_path: Path) -> None:
    solver(work_dir=tmp_path, max_epochs=2).solve(data())
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(ConfigError, match=r"holds an earlier run \(epoch-00001\.pth\)") as caught:
        solver(work_dir=tmp_path).solve(data())
    assert "overwrite=True" in str(caught.value)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before
    solver(work_dir=tmp_path, resume_from="auto", max_epochs=3).solve(data())
    assert (tmp_path / "metrics.jsonl").read_bytes().startswith(before)
    solver(work_dir=tmp_path, overwrite=True).solve(data())
    assert [path.name for path in sorted(tmp_path.glob("*.pth"))] == ["epoch-00001.pth"]


def test_two_runs_of_one_process_do_not_share_a_work_dir(tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Waits(Hook):
        def __init__(self) -> None:
            super().__init__(0)

        def before_epoch(self, solver: Any) -> None:
            inside.set()
            go_on.wait(60)

    first = threading.Thread(target=lambda: solver(work_dir=tmp_path, hooks=[Waits()]).solve(data()))
    first.start()
    try:
        assert inside.wait(60)
        with pytest.raises(WorkDirError, match="another run of this process is writing to"):
            solver(work_dir=tmp_path / ".." / tmp_path.name, overwrite=True).solve(data())
    finally:
        go_on.set()
        first.join()
    assert (tmp_path / "epoch-00001.pth").is_file()
    solver(work_dir=tmp_path, overwrite=True).solve(data())

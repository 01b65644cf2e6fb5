"""What is told before a training starts: names of metrics that nobody reports, batches of one under batch norm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from essmc_core import MODELS, SOLVERS
from essmc_core.errors import ConfigError
from essmc_solvers.errors import DataError
from essmc_solvers.hooks.base import Hook
from tests.samples.solving import Net, Points, data, loader, solver

PLATEAU = {"type": "ReduceLROnPlateau", "patience": 0, "factor": 0.1}


class Pictures(nn.Module):
    """A backbone with batch norm on maps of some size, or after pooling."""

    num_features, feature_rank = 4, 0

    def __init__(self, pooled: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.pooled = pooled

    def forward(self, inputs: Tensor) -> Tensor:
        maps = self.conv(inputs)
        maps = maps.mean((2, 3), keepdim=True) if self.pooled else maps
        return self.norm(maps).mean((2, 3))


def pictures(pooled: bool, **arguments: Any) -> Any:
    torch.manual_seed(0)
    head = {"type": "ClassifierHead", "dim": 4, "num_classes": 3}
    return MODELS.build({"type": "Classifier", "backbone": Pictures(pooled), "head": head, **arguments})


def batches(size: int, batch: int, **arguments: Any) -> DataLoader[Any]:
    draw = torch.Generator().manual_seed(0)
    rows = [{"img": torch.randn(1, 3, 3, generator=draw), "gt_label": torch.tensor(i % 3)} for i in range(size)]
    return DataLoader(rows, batch_size=batch, **arguments)


class Steps(Hook):
    """Counts batches."""

    def __init__(self) -> None:
        super().__init__(0)
        self.count = 0

    def before_iter(self, solver: Any) -> None:
        self.count += solver.mode == "train"


def test_a_last_batch_of_one_is_told_with_layer_and_cure() -> None:
    steps = Steps()
    message = r"last batch .* 3 batches, has 1 item, and backbone\.norm \(BatchNorm2d\)"
    with pytest.raises(DataError, match=message) as caught:
        solver(pictures(True), hooks=[steps]).solve(batches(9, 4))
    assert "drop_last: true" in str(caught.value)
    assert steps.count == 0


def test_shuffled_batches_and_all_batches_of_one_are_told() -> None:
    with pytest.raises(DataError, match="last batch"):
        solver(pictures(True), accumulate_steps=2).solve(batches(9, 4, shuffle=True))
    with pytest.raises(DataError, match="batch 1 of the training data"):
        solver(pictures(True)).solve(batches(3, 1))


@pytest.mark.parametrize(
    ("model", "size", "arguments"),
    [
        (lambda: pictures(True), 9, {"drop_last": True}),
        (lambda: pictures(True), 10, {}),
        (lambda: pictures(True, freeze_bn=True), 9, {}),
        (lambda: pictures(False), 9, {}),
    ],
)
def test_batches_that_do_not_matter_are_let_be(model: Any, size: int, arguments: dict[str, Any]) -> None:
    steps = Steps()
    solver(model(), hooks=[steps]).solve(batches(size, 4, **arguments))
    assert steps.count == (2 if arguments else 3)


def test_looking_at_a_batch_leaves_no_trace() -> None:
    trained = []
    for name in ("batch_of_one", None):
        model = pictures(False)
        run = solver(model, lr_scheduler=PLATEAU, hooks=[{"type": "LrHook", "metric": "train/acc@1"}] if name else None)
        torch.manual_seed(5)
        run.solve(batches(9, 4, shuffle=True))
        trained.append([*model.state_dict().values(), torch.get_rng_state()])
    assert all(map(torch.equal, *trained))


def test_a_stream_tells_at_its_batch() -> None:
    class Stream(torch.utils.data.IterableDataset[dict[str, Any]]):
        def __iter__(self) -> Any:
            return iter(batches(5, 1).dataset)

    with pytest.raises(DataError, match=r"batch 2 of epoch 1 has too few items for batch norm") as caught:
        solver(pictures(True)).solve(DataLoader(Stream(), batch_size=4))
    assert "drop_last" in str(caught.value)


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        ([{"type": "CheckpointHook", "save_best_by": "+ac@1"}], "save_best_by .* give no 'ac@1' .did you mean 'acc@1'"),
        ([{"type": "LrHook", "metric": "eval/los"}], "metric of LrHook .* the eval data give no 'los'"),
        ([{"type": "LrHook", "metric": "train/acc@5"}], "the train data give no 'acc@5'"),
        ([{"type": "LrHook", "metric": "val/loss"}], "watches 'loss' of the 'val' data, and the data are"),
        ([{"type": "LrHook", "metric": "loss"}], "watches '' of the 'loss' data"),
    ],
)
def test_a_misspelled_metric_is_told_before_the_start(tmp_path: Path, hooks: Any, message: str) -> None:
    steps = Steps()
    run = solver(pictures(False), tmp_path, lr_scheduler=PLATEAU, hooks=[*hooks, steps])
    with pytest.raises(ConfigError, match=message) as caught:
        run.solve({"train": batches(8, 4), "eval": batches(8, 4)})
    assert steps.count == 0
    assert "val" in message or "''" in message or "They give acc@1, loss" in str(caught.value)


def test_names_to_collect_are_told_before_the_start() -> None:
    steps = Steps()
    metric = {"metric": "accuracy", "keys": ["logits", "gt_labels"]}
    with pytest.raises(ConfigError, match="no 'gt_labels' to collect"):
        solver(eval_metric_cfg=metric, hooks=[steps]).solve(data())
    assert steps.count == 0


def test_metrics_over_all_data_can_be_watched() -> None:
    metric = {"metric": {"type": "accuracy", "topk": [2]}, "keys": ["logits", "gt_label"]}
    hooks = [{"type": "CheckpointHook", "save_best_by": "+acc@2"}]
    assert solver(eval_metric_cfg=metric, hooks=hooks).solve(data())["eval"]["acc@2"] > 0


def test_the_best_and_the_plateau_go_by_the_loss_of_the_evaluation(tmp_path: Path) -> None:
    hooks: list[Any] = [{"type": "CheckpointHook", "save_best_by": "-loss"}, {"type": "LrHook", "metric": "eval/loss"}]
    optimizer = {"type": "SGD", "lr": 50.0}  # far too large: the loss rises, the rate falls
    run = solver(pictures(False), tmp_path, optimizer=optimizer, lr_scheduler=PLATEAU, hooks=hooks, max_epochs=4)
    run.solve({"train": batches(8, 4), "eval": batches(8, 3)})
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if line["mode"] == "eval"]
    assert len(losses) == 4
    best = 1 + losses.index(min(losses))
    assert (tmp_path / "best.pth").resolve().name == f"epoch-{best:05d}.pth"
    worse = sum(loss > min(losses[:place]) for place, loss in enumerate(losses) if place)
    assert run.optimizers[""].param_groups[0]["lr"] == pytest.approx(50.0 * 0.1**worse)
    model, first = run.module.eval(), next(iter(batches(8, 8)))
    expected = nn.functional.cross_entropy(model.raw_scores(first["img"]), first["gt_label"])
    assert losses[-1] == pytest.approx(float(expected.detach()), rel=1e-4)


def test_a_plateau_of_the_evaluation_waits_for_epochs_with_one() -> None:
    hooks = [{"type": "LrHook", "metric": "eval/acc@1"}]
    run = solver(lr_scheduler={**PLATEAU, "mode": "max"}, hooks=hooks, max_epochs=3, eval_interval=2)
    run.solve(data())
    assert run.lr_schedulers[""].last_epoch == 2


class Fails(Hook):
    """Fails where it is told."""

    def __init__(self, event: str, priority: int, mode: str = "") -> None:
        super().__init__(priority)
        setattr(type(self), event, self.fail)
        self.mode = mode

    def fail(self, solver: Any) -> None:
        if solver.mode == self.mode:
            raise RuntimeError("the hook's own error")


@pytest.mark.parametrize("priority", [10, 250, 350])
@pytest.mark.parametrize(
    ("event", "mode"),
    [("after_epoch", ""), ("before_iter", "eval"), ("after_all_iter", "eval"), ("after_all_iter", "train")],
)
def test_an_epoch_is_saved_before_what_follows_it_fails(tmp_path: Path, event: str, mode: str, priority: int) -> None:
    settings: dict[str, Any] = {
        "max_epochs": 2, "lr_scheduler": {"type": "StepLR", "step_size": 1}, "seed": 3,
        "hooks": ["EmaHook"], "eval_interval": 1,
    }  # fmt: skip
    kind = type("FailsHere", (Fails,), {})
    torch.manual_seed(0)
    failing = solver(Net(dropout=0.0), tmp_path, **{**settings, "hooks": ["EmaHook", kind(event, priority, mode)]})
    with pytest.raises(RuntimeError, match="the hook's own error"):
        failing.solve(data())
    assert (tmp_path / "epoch-00001.pth").is_file()
    torch.manual_seed(0)
    whole, resumed = Net(dropout=0.0), Net(dropout=0.0)
    solver(whole, **settings).solve(data())
    solver(resumed, tmp_path, resume_from="auto", **settings).solve(data())
    assert all(map(torch.equal, whole.state_dict().values(), resumed.state_dict().values()))


def test_an_evaluation_that_fails_leaves_the_trained_weights(tmp_path: Path) -> None:
    class Breaks(Net):
        def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
            raise RuntimeError("no evaluation today")

    torch.manual_seed(0)
    with pytest.raises(RuntimeError, match="no evaluation today"):
        solver(Breaks(), tmp_path, hooks=["EmaHook"]).solve(data())
    saved = torch.load(tmp_path / "epoch-00001.pth", weights_only=True)
    assert saved["epoch"] == 1
    torch.manual_seed(0)
    trained = Net()
    solver(trained).solve({"train": data()["train"]})
    assert torch.equal(saved["state_dict"]["head.weight"], trained.head.weight)
    assert not torch.equal(saved["state_dict_ema"]["head.weight"], trained.head.weight)


def test_soft_labels_in_training_and_classes_in_evaluation() -> None:
    class Soft(nn.Module):
        def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
            if targets.shape != scores.shape:
                raise ValueError("targets must be soft")
            return -(targets * scores.log_softmax(1)).sum(1).mean()

    rows = [{"img": torch.randn(1, 3, 3), "gt_label": torch.full((3,), 1 / 3)} for _ in range(8)]
    run = solver(pictures(False, loss=Soft()))
    with pytest.warns(UserWarning, match="no loss in eval mode: Soft says targets must be soft"):
        results = run.solve({"train": DataLoader(rows, batch_size=4), "eval": batches(8, 4)})
    assert "loss" not in results["eval"] and "acc@1" in results["eval"]


def test_an_evaluation_alone_has_a_loss() -> None:
    made = SOLVERS.build({"type": "EvaluationSolver", "model": pictures(False), "device": "cpu"})
    assert made.solve(batches(7, 3))["eval"]["loss"] > 0


def test_points_need_no_check() -> None:
    # Batch norm after a linear layer: 9 = 8 + 1.
    with pytest.raises(DataError, match=r"backbone\.1 \(BatchNorm1d\)"):
        solver(Net()).solve(loader(Points(9)))
    solver(Net(norm=False)).solve(loader(Points(9)))

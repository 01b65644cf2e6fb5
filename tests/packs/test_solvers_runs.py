"""Training and evaluation from Python: what is computed, what is refused, and what a bad batch does."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import SOLVERS
from essmc_core.errors import ConfigError, ContractError
from essmc_solvers.errors import DataError, LabelError, TrainingDiverged, WorkDirError
from essmc_solvers.hooks.base import Hook
from tests.packs.solver_samples import Net, Points, data, loader, solver


class Watch(Hook):
    """Remembers the events and the learning rates."""

    def __init__(self, priority: int = 500) -> None:
        super().__init__(priority)
        self.events: list[str] = []

    def before_solve(self, solver: Any) -> None:
        self.events.append("before_solve")

    def after_iter(self, solver: Any) -> None:
        self.events.append(f"{solver.mode} {solver.iter}")

    def after_epoch(self, solver: Any) -> None:
        self.events.append(f"epoch {solver.epoch}")


class Broken(Net):
    """A model that breaks the contract as it is told."""

    def __init__(self, outputs: Any) -> None:
        super().__init__()
        self.outputs = outputs

    def forward_train(self, img: Tensor, gt_label: Tensor) -> Any:
        return self.outputs


def test_training_learns_and_reports(capsys: pytest.CaptureFixture[str]) -> None:
    results = solver(max_epochs=6).solve(data(train=90))
    assert results["train"]["loss"] < 0.9
    assert results["eval"]["acc@1"] > 0.6
    shown = capsys.readouterr().out
    assert "epoch 6/6  eval" in shown
    assert "items/s" in shown


def test_equals_a_loop_written_by_hand() -> None:
    torch.manual_seed(3)
    ours = Net(norm=False, dropout=0.0)
    theirs = copy.deepcopy(ours)
    train = loader(Points(24), shuffle=False)
    SOLVERS.build(
        {"type": "TrainValSolver", "model": ours, "optimizer": {"type": "SGD", "lr": 0.1}, "device": "cpu"}
    ).solve(train)
    optimizer = torch.optim.SGD(theirs.parameters(), lr=0.1)
    theirs.train()
    for batch in train:
        optimizer.zero_grad()
        theirs(batch["img"], batch["gt_label"])["loss"].backward()
        optimizer.step()
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(left, right)


def test_accumulated_steps_equal_one_large_batch() -> None:
    torch.manual_seed(3)
    large = Net(norm=False, dropout=0.0)
    small = copy.deepcopy(large)
    common = {"optimizer": {"type": "SGD", "lr": 0.1}, "max_epochs": 2}
    solver(large, **common).solve(loader(Points(20), 8, shuffle=False))
    # 20 = 8 + 8 + 4: the last step has two batches only.
    solver(small, **common, accumulate_steps=4).solve(loader(Points(20), 2, shuffle=False))
    for left, right in zip(large.parameters(), small.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-6)


def test_means_are_weighted_by_batch_size() -> None:
    model = Net()
    results = solver(model, max_epochs=1).solve(data(evaluation=21))
    dataset = Points(21, fresh=False)
    model.eval()
    right = sum(int(model(dataset[i]["img"][None]).argmax()) == int(dataset[i]["gt_label"]) for i in range(21))
    assert results["eval"]["acc@1"] == pytest.approx(right / 21)


def test_metrics_run_over_all_data_and_can_be_saved(tmp_path: Path) -> None:
    evaluation = SOLVERS.build(
        {
            "type": "EvaluationSolver", "model": Net(), "device": "cpu", "work_dir": str(tmp_path),
            "eval_metric_cfg": [
                {"metric": {"type": "accuracy", "topk": [1, 2]}, "keys": ["logits", "gt_label"]},
                {"metric": "ensemble_accuracy", "keys": ["logits", "gt_label", "gt_label"]},
            ],
            "extra_keys": ["meta.index"], "save_eval_data": True,
        }
    )  # fmt: skip
    results = evaluation.solve(loader(Points(21), shuffle=False))["eval"]
    assert {"acc@1", "acc@2"} <= set(results)
    saved = torch.load(tmp_path / "eval_00001.pth", weights_only=True)["data"]
    assert saved["meta.index"] == list(range(21))
    assert saved["logits"].shape == (21, 3)


def test_evaluation_takes_a_model_that_returns_a_tensor() -> None:
    class Plain(Net):
        def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
            return self.scores(img).softmax(1)

    metric = {"metric": "accuracy", "keys": ["logits", "gt_label"]}
    made = SOLVERS.build({"type": "EvaluationSolver", "model": Plain(), "device": "cpu", "eval_metric_cfg": metric})
    assert 0 <= made.solve(loader(Points(10)))["eval"]["acc@1"] <= 1


def test_hooks_run_in_order_and_from_configurations() -> None:
    watch = Watch()
    solver(max_epochs=2, hooks=[watch, "EmaHook"], eval_interval=2).solve(data(train=16, evaluation=8))
    assert watch.events == [
        "before_solve", "train 1", "train 2", "epoch 0", "train 1", "train 2", "eval 1", "epoch 1",
    ]  # fmt: skip
    priorities = [hook.priority for hook in solver(hooks={"tensorboard": "TensorboardLogHook"}).hooks]
    assert priorities == [0, 100, 101, 200, 300, 400]


def test_folds_make_longer_epochs() -> None:
    watch = Watch()
    solver(max_epochs=4, num_folds=2, hooks=[watch]).solve({"train": loader(Points(16))})
    assert [event for event in watch.events if event.startswith("epoch")] == ["epoch 0", "epoch 2"]
    assert watch.events.count("train 4") == 2


@pytest.mark.parametrize(
    "outputs", [torch.zeros(8, 3), {"loss": torch.zeros(())}, {"loss": torch.zeros(3), "batch_size": 3}, None]
)
def test_a_model_that_breaks_the_contract_is_told_the_contract(outputs: Any) -> None:
    with pytest.raises(ContractError, match="In train mode a model that is given the ground truth returns"):
        solver(Broken(outputs)).solve(data())


def test_labels_out_of_range_are_named() -> None:
    class Shifted(Points):
        def __getitem__(self, index: int) -> dict[str, Any]:
            return {**super().__getitem__(index), "gt_label": torch.tensor(index % 4)}

    with pytest.raises(LabelError, match=r"item 3 of train batch 0 has the label 3, .* classes are 0 to 2"):
        solver().solve(loader(Shifted(), shuffle=False))


def test_more_classes_than_the_head_has_are_refused() -> None:
    dataset = Points()
    dataset.classes = tuple("abcd")
    with pytest.raises(DataError, match="have 4 classes, the model's head has 3"):
        solver().solve(loader(dataset))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "needs 'train' data"),
        ({"train": None, "eval": []}, "needs 'train' data"),
        (3, "are a int, not a DataLoader"),
        (loader(Points(3), drop_last=True), "make no batch: the dataset has 3 items"),
        ([torch.zeros(3)], "is a Tensor, not a dict"),
    ],
)
def test_data_that_cannot_be_trained_on(given: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        solver().solve(given)


def test_a_work_dir_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkDirError, match="cannot be written to"):
        solver(work_dir=tmp_path / "file" / "below").solve(data())


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_epochs": 0}, {"accumulate_steps": 0}, {"on_nan": "ignore"}, {"device": "tpu"}, {"optimizer": None},
        {"mixed_precision": "fp16"}, {"save_eval_data": True}, {"do_final_eval": True},
        {"hooks": [{"type": "CheckpointHook", "save_best_by": "acc@1"}]}, {"max_epoch": 3},
        {"eval_metric_cfg": {"metric": "accuracy"}},
    ],
)  # fmt: skip
def test_impossible_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        solver(**arguments)


class Spoilt(Points):
    """Points of which one is not a number."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = super().__getitem__(index)
        return {**item, "img": item["img"] * float("nan")} if index == 12 else item


def test_a_loss_that_is_not_finite_stops_with_its_batch_saved(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match="loss is nan at epoch 1, iteration 2"):
        solver(work_dir=tmp_path).solve(loader(Spoilt(), shuffle=False))
    saved = torch.load(tmp_path / "bad-batch-00001-0000002.pth", weights_only=True)
    assert saved["img"].isnan().any()


@pytest.mark.parametrize("accumulate_steps", [1, 2])
def test_a_loss_that_is_not_finite_is_skipped_without_a_trace(accumulate_steps: int) -> None:
    class Without(Points):
        """The same, with the bad batch left out."""

        def __getitem__(self, index: int) -> dict[str, Any]:
            first = 8 * accumulate_steps * (8 // (8 * accumulate_steps))
            return super().__getitem__(index if index < first else index + 8 * accumulate_steps)

    models = [Net(dropout=0.0), Net(dropout=0.0)]
    models[1].load_state_dict(models[0].state_dict())
    common = {"on_nan": "skip", "accumulate_steps": accumulate_steps, "logger": logging.getLogger("quiet")}
    results = solver(models[0], **common).solve(loader(Spoilt(48), shuffle=False))
    solver(models[1], **common).solve(loader(Without(48 - 8 * accumulate_steps), shuffle=False))
    assert torch.isfinite(torch.tensor(results["train"]["loss"]))
    for left, right in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(left, right)
    if accumulate_steps == 1:
        for left, right in zip(models[0].buffers(), models[1].buffers(), strict=True):
            assert torch.equal(left, right)


def test_gradients_are_clipped() -> None:
    torch.manual_seed(0)
    model = Net(norm=False, dropout=0.0)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    solver(model, optimizer={"type": "SGD", "lr": 1.0}, clip_grad_norm=0.01).solve(loader(Points(8)))
    moved = torch.stack([(p - b).norm() for p, b in zip(model.parameters(), before, strict=True)]).norm().item()
    assert moved == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("workers", [0, 2])
def test_the_order_of_data_depends_on_seed_and_epoch_alone(workers: int) -> None:
    from essmc_solvers.epoch_loader import EpochLoader

    def order(epoch: int, start: int = 0, seed: int = 5) -> list[int]:
        made = EpochLoader(loader(Points(20), 4, num_workers=workers), seed=seed)
        torch.rand(epoch + start)  # random numbers drawn elsewhere make no difference
        return [item["index"] for batch in made.batches(epoch, start) for item in batch.data["meta"]]

    assert sorted(order(0)) == list(range(20))
    assert order(0) == order(0)
    assert order(0) != order(1)
    assert order(0) != order(0, seed=6)
    assert order(1, start=3) == order(1)[12:]


def test_short_clips_train_in_bfloat16_as_in_float32() -> None:
    class Video(Net):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv3d(1, 8, (5, 1, 1), padding=(2, 0, 0))
            self.last = nn.Linear(8, 3)

        def scores(self, img: Tensor) -> Tensor:
            clip = img.reshape(len(img), 1, 2, 3, 1)
            return self.last(self.conv(clip).mean(dim=(2, 3, 4)))

    torch.manual_seed(0)
    exact = Video()
    rounded = copy.deepcopy(exact)
    for model, precision in ((exact, "no"), (rounded, "bf16")):
        optimizer = {"type": "SGD", "lr": 0.1}
        solver(model, optimizer=optimizer, mixed_precision=precision).solve(loader(Points(32), shuffle=False))
    assert (rounded.conv.weight - exact.conv.weight).abs().max() < 0.02
    assert "forward" not in vars(rounded.conv)
    assert "forward" not in vars(rounded)


def test_scalars_reach_tensorboard(tmp_path: Path) -> None:
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    hook = {"type": "TensorboardLogHook", "log_interval": 2}
    results = solver(work_dir=tmp_path, max_epochs=2, hooks=[hook]).solve(data())
    found = events.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {"train/loss", "eval/acc@1", "train/iter/loss", "train/iter/lr"} <= set(found.Tags()["scalars"])
    last = found.Scalars("eval/acc@1")[-1]
    assert (last.step, last.value) == (2, pytest.approx(results["eval"]["acc@1"]))


def test_batches_that_could_not_be_read_are_left_out_but_counted() -> None:
    def skipping(items: list[dict[str, Any]]) -> dict[str, Any] | None:
        from tests.packs.solver_samples import collate

        kept = [item for item in items if item["meta"]["index"] >= 12]
        return collate(kept) if kept else None

    watch = Watch()
    arguments = {"batch_size": 8, "collate_fn": skipping}
    loaders = {mode: torch.utils.data.DataLoader(Points(24), **arguments) for mode in ("train", "eval")}
    solver(hooks=[watch]).solve(loaders)
    assert watch.events[1:] == ["train 2", "train 3", "eval 2", "eval 3", "epoch 0"]


def test_streams_are_read_in_order_and_end_their_steps() -> None:
    class Stream(torch.utils.data.IterableDataset[dict[str, Any]]):
        def __iter__(self) -> Any:
            return (Points()[index] for index in range(20))

    torch.manual_seed(3)
    large = Net(norm=False, dropout=0.0)
    streamed = copy.deepcopy(large)
    common: dict[str, Any] = {"optimizer": {"type": "SGD", "lr": 0.1}, "accumulate_steps": 2}
    solver(large, **common).solve(loader(Points(16), 4, shuffle=False))
    results = solver(streamed, **common).solve(loader(Stream(), 4, shuffle=False))
    assert results["train"]["loss"] > 0
    assert not torch.equal(large.head.weight, streamed.head.weight)  # the fifth batch made a step of its own

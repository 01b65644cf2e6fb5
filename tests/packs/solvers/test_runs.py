"""Training and evaluation from Python: what is computed, what is refused, and what a bad batch does."""

from __future__ import annotations

import copy
import logging
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from essmc_core import SOLVERS
from essmc_core.errors import ConfigError, ContractError
from essmc_solvers.errors import CheckpointNotFound, DataError, LabelError, TrainingDiverged, WorkDirError
from essmc_solvers.hooks.base import Hook
from tests.samples.solving import Net, Points, data, loader, solver


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


@pytest.mark.slow
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

    torch.manual_seed(0)
    model = Plain()
    metric = {"metric": "accuracy", "keys": ["logits", "gt_label"]}
    made = SOLVERS.build({"type": "EvaluationSolver", "model": model, "device": "cpu", "eval_metric_cfg": metric})
    found = made.solve(loader(Points(10)))["eval"]["acc@1"]
    items = [Points(10)[index] for index in range(10)]
    right = sum(int(model.eval().scores(item["img"][None]).argmax()) == int(item["gt_label"]) for item in items)
    assert 0 < right < 10 and found == pytest.approx(right / 10)


def evaluated_with(metric: Any) -> dict[str, float]:
    given = {"metric": metric, "keys": ["logits", "gt_label"]}
    made = SOLVERS.build({"type": "EvaluationSolver", "model": Net(), "device": "cpu", "eval_metric_cfg": given})
    found: dict[str, float] = made.solve(loader(Points(10), shuffle=False))["eval"]
    return found


def test_a_metric_may_give_one_number() -> None:
    def first_label(logits: Tensor, labels: Tensor) -> Tensor:
        return labels[1]

    assert evaluated_with(first_label)["first_label"] == 1.0


@pytest.mark.parametrize("given", [torch.ones(3), None, {"a": "many"}, ["x"]])
def test_what_is_no_number_is_refused_in_the_name_of_its_metric(given: Any) -> None:
    def odd(logits: Tensor, labels: Tensor) -> Any:
        return given

    with pytest.raises(ContractError, match="the metric odd gave "):
        evaluated_with(odd)


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
    ("arguments", "message"),
    [
        ({"max_epochs": 0}, "max_epochs must be at least 1, got 0"),
        ({"accumulate_steps": 0}, "accumulate_steps must be at least 1, got 0"),
        ({"on_nan": "ignore"}, r"on_nan: expected Literal\['stop', 'skip'\], got 'ignore'"),
        ({"device": "tpu"}, "device is 'auto', 'cpu', 'cuda' or 'mps', got 'tpu'"),
        ({"optimizer": None}, "training needs an optimizer"),
        ({"mixed_precision": "fp16"}, "fp16 needs an accelerator"),
        ({"save_eval_data": True}, "save_eval_data needs extra_keys or eval_metric_cfg"),
        ({"do_final_eval": True}, "do_final_eval needs eval_metric_cfg"),
        (
            {"hooks": [{"type": "CheckpointHook", "save_best_by": "acc@1"}]},
            r"hooks\.0\.save_best_by: save_best_by is '\+acc@1' or '-err', with the sign",
        ),
        ({"max_epoch": 3}, r"no argument 'max_epoch' \(did you mean 'max_epochs'"),
        ({"eval_metric_cfg": {"metric": "accuracy"}}, "eval_metric_cfg: 'keys' is missing"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
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


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_the_order_of_data_depends_on_seed_and_epoch_alone(workers: int) -> None:
    from essmc_solvers.data.epoch_loader import EpochLoader

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
        from tests.samples.solving import collate

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


def test_a_training_configuration_evaluates_when_its_type_is_changed(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "optimizer": {"type": "AdamW", "lr": 0.01}, "lr_scheduler": {"type": "StepLR", "step_size": 1},
        "max_epochs": 2, "device": "cpu",
        "hooks": [{"type": name} for name in ("BackwardHook", "LrHook", "CheckpointHook", "EmaHook")],
    }  # fmt: skip
    loaders = data()
    trained = SOLVERS.build({"type": "TrainValSolver", "model": Net(), "work_dir": str(tmp_path), **settings})
    expected = trained.solve(loaders)["eval"]
    model = Net()
    settings |= {"type": "EvaluationSolver", "model": model, "resume_from": str(tmp_path)}
    assert SOLVERS.build(settings).solve({"eval": loaders["eval"]})["eval"] == expected
    with pytest.raises(CheckpointNotFound, match="nowhere"):
        SOLVERS.build({**settings, "resume_from": str(tmp_path / "nowhere.pth")})


class Renamed(Points):
    """Points under another name, or without labels."""

    def __init__(self, names: dict[str, str]) -> None:
        super().__init__(8)
        self.names = names

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {self.names[key]: value for key, value in super().__getitem__(index).items() if key in self.names}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"img": "video", "gt_label": "gt_label"}, "takes 'img', 'gt_label', and the batch has 'video', 'gt_label'"),
        ({"gt_label": "gt_label"}, "the batch has 'gt_label'"),
        ({"img": "img"}, "the batch has 'img' alone|takes 'img', 'gt_label', and the batch has 'img'"),
    ],
)
def test_a_batch_that_the_model_does_not_take_is_told_by_names(names: dict[str, str], message: str) -> None:
    batches = torch.utils.data.DataLoader(Renamed(names), batch_size=4)
    with pytest.raises(DataError, match=message):
        solver().solve(batches)
    if "img" not in names:
        with pytest.raises(DataError, match="takes 'img', 'gt_label'"):
            SOLVERS.build({"type": "EvaluationSolver", "model": Net(), "device": "cpu"}).solve(batches)


def test_a_model_that_runs_without_labels_is_not_trained_without_them() -> None:
    class Optional(Net):
        def forward_train(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
            return self.scores(img)

    with pytest.raises(DataError, match="nothing to learn from") as caught:
        solver(Optional()).solve(torch.utils.data.DataLoader(Renamed({"img": "img"}), batch_size=4))
    assert "Do all items have a 'gt_label'?" in str(caught.value)


def test_a_type_error_inside_the_model_stays_what_it_is() -> None:
    class Wrong(Net):
        def forward_train(self, img: Tensor, gt_label: Tensor) -> Any:
            return len(3)  # type: ignore[arg-type]

    with pytest.raises(TypeError, match="has no len"):
        solver(Wrong()).solve(loader(Points(8)))


def test_a_stream_without_a_batch_is_refused() -> None:
    class Empty(torch.utils.data.IterableDataset[dict[str, Any]]):
        def __iter__(self) -> Any:
            return iter(())

    with pytest.raises(DataError, match="no batch of this pass could be read"):
        solver().solve(loader(Empty(), 4, shuffle=False))


def test_the_last_batches_of_a_stream_are_shared_by_stand_ins() -> None:
    from essmc_solvers.data.epoch_loader import EpochLoader

    class Stream(torch.utils.data.IterableDataset[dict[str, Any]]):
        def __iter__(self) -> Any:
            return (Points()[index] for index in range(21))

    def counted(world: int, start: int = 0) -> list[list[tuple[int, int]]]:
        made = [EpochLoader(loader(Stream(), 4, shuffle=False), rank=rank, world=world) for rank in range(world)]
        return [[b.count(len(b.data["meta"])) for b in one.batches(0, start)] for one in made]

    for world in (1, 2, 3, 4):
        shares = counted(world)
        assert sum(own for share in shares for own, _ in share) == 21
        assert len({len(share) for share in shares}) == 1  # processes stay in step
        assert counted(world, 1) == [share[1:] for share in shares]


def test_labels_of_the_dataset_do_not_count_for_a_model_that_learns_others() -> None:
    class Motions(Net):
        """Three motions, on data of any number of classes."""

        def forward_train(  # type: ignore[override]
            self, img: Tensor, mosi_label: Tensor, gt_label: Tensor | None = None
        ) -> dict[str, Any]:
            return super().forward_train(img, mosi_label)

    class Many(Points):
        classes = tuple("abcdefghij")

        def __getitem__(self, index: int) -> dict[str, Any]:
            item = super().__getitem__(index)
            return {**item, "mosi_label": item["gt_label"], "gt_label": torch.tensor(9)}

    batches = torch.utils.data.DataLoader(Many(16), batch_size=8)
    assert solver(Motions()).solve(batches)["train"]["loss"] > 0
    with pytest.raises(DataError, match="10 classes"):
        solver(Net()).solve(batches)


class Stream(torch.utils.data.IterableDataset[dict[str, Any]]):
    """Points one after the other."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __iter__(self) -> Any:
        return (Points()[index] for index in range(self.size))


@pytest.mark.parametrize("kind", [Points, Stream])
@pytest.mark.parametrize(("size", "batch", "steps"), [(10, 4, 3), (10, 3, 2), (11, 3, 2), (20, 2, 4), (5, 4, 3)])
def test_accumulated_batches_of_any_size_equal_one_large_batch(kind: Any, size: int, batch: int, steps: int) -> None:
    torch.manual_seed(3)
    large = Net(norm=False, dropout=0.0)
    small = copy.deepcopy(large)
    common: dict[str, Any] = {"optimizer": {"type": "SGD", "lr": 0.1}, "clip_grad_norm": 0.5}
    solver(large, **common).solve(loader(kind(size), batch * steps, shuffle=False))
    solver(small, **common, accumulate_steps=steps).solve(loader(kind(size), batch, shuffle=False))
    for left, right in zip(large.parameters(), small.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-6)


class Huge(Points):
    """Points of which one is finite but huge."""

    def __getitem__(self, index: int) -> dict[str, Any]:
        item = super().__getitem__(index)
        return {**item, "img": item["img"] * 1e30} if index == 12 else item


@pytest.mark.parametrize("norm", [True, False])
def test_gradients_that_are_not_finite_are_skipped_without_a_trace(
    norm: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    class Without(Points):
        def __getitem__(self, index: int) -> dict[str, Any]:
            return super().__getitem__(index if index < 8 else index + 8)

    models = [Net(norm, dropout=0.0), Net(norm, dropout=0.0)]
    models[1].load_state_dict(models[0].state_dict())
    common: dict[str, Any] = {"on_nan": "skip", "optimizer": {"type": "SGD", "lr": 0.1}}
    results = solver(models[0], **common).solve(loader(Huge(40), shuffle=False))
    assert solver(models[1], **common).solve(loader(Without(32), shuffle=False)) == results
    assert all(map(torch.equal, models[0].state_dict().values(), models[1].state_dict().values()))
    shown = capsys.readouterr().out
    assert f"iteration 2: {'batch statistics' if norm else 'the gradients'} are not finite, skipped" in shown


def test_gradients_that_are_not_finite_stop_with_their_batch_saved(tmp_path: Path) -> None:
    model = Net(norm=False, dropout=0.0)
    with pytest.raises(TrainingDiverged, match="gradients are not finite at epoch 1, iteration 2"):
        solver(model, tmp_path, optimizer={"type": "SGD", "lr": 0.1}).solve(loader(Huge(), shuffle=False))
    assert all(parameter.isfinite().all() for parameter in model.parameters())
    saved = torch.load(tmp_path / "bad-batch-00001-0000002.pth", weights_only=True)
    assert saved["img"].abs().max() > 1e29


def test_infinite_masks_of_a_model_are_let_be() -> None:
    model = Net()
    model.register_buffer("mask", torch.tensor([0.0, float("-inf")]))
    assert solver(model).solve(loader(Points(16)))["train"]["loss"] > 0


@pytest.mark.parametrize("accumulate_steps", [1, 2])
def test_an_epoch_of_which_nothing_is_left_stops_the_run(accumulate_steps: int) -> None:
    class Nothing(Points):
        """Each step has a batch that is not a number."""

        def __getitem__(self, index: int) -> dict[str, Any]:
            item = super().__getitem__(index)
            bad = index // 8 % accumulate_steps == 0
            return {**item, "img": item["img"] * float("nan")} if bad else item

    run = solver(on_nan="skip", max_epochs=3, accumulate_steps=accumulate_steps)
    with pytest.raises(TrainingDiverged, match=r"Epoch 1 changed nothing.*the loss is nan"):
        run.solve(loader(Nothing(32), shuffle=False))


@pytest.mark.parametrize("name", ["clip_grad_norm", "clip_grad_value"])
@pytest.mark.parametrize("bound", [0, -1.0, float("nan")])
def test_bounds_of_gradients_are_above_zero(name: str, bound: float) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be above 0"):
        solver(**{name: bound})


def test_the_last_epoch_has_the_folds_that_are_left() -> None:
    watch = Watch()
    run = solver(max_epochs=3, num_folds=2, hooks=[watch], lr_scheduler={"type": "StepLR", "step_size": 1})
    run.solve({"train": loader(Points(16))})
    assert [event for event in watch.events if event.startswith("epoch")] == ["epoch 0", "epoch 2"]
    assert run.total_iters == 6 and run.epoch == 3
    assert run.lr_schedulers[""].last_epoch == 3


def test_a_loss_without_gradient_is_told() -> None:
    with pytest.raises(ContractError, match="carries no gradient"):
        solver(Broken({"loss": torch.zeros(()), "batch_size": 8})).solve(data())


def test_labels_that_are_no_indices_are_told() -> None:
    class Floats(Points):
        def __getitem__(self, index: int) -> dict[str, Any]:
            item = super().__getitem__(index)
            return {**item, "gt_label": item["gt_label"].float()}

    with pytest.raises(LabelError, match=r"labels of train batch 0 are torch\.float32 numbers"):
        solver().solve(loader(Floats()))


def test_a_module_that_is_no_model_is_told_at_once() -> None:
    for made, others in (("TrainValSolver", {"optimizer": {"type": "SGD", "lr": 0.1}}), ("EvaluationSolver", {})):
        with pytest.raises(ContractError, match="is a Linear, which takes no ground truth"):
            SOLVERS.build({"type": made, "model": nn.Linear(6, 3), "device": "cpu", **others})


def test_a_test_output_without_logits_is_told() -> None:
    class Scores(Net):
        def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
            return {"scores": self.scores(img)}

    with pytest.raises(ContractError, match="a dict without 'logits': it has 'scores'"):
        solver(Scores()).solve(data())


def test_a_hook_without_events_is_refused() -> None:
    class Duck:
        def after_iter(self, solver: Any) -> None:
            self.seen = solver.iter

    duck = Duck()
    solver(hooks=[duck]).solve(loader(Points(16)))
    assert duck.seen == 2
    with pytest.raises(ContractError, match="object is no hook"):
        solver(hooks=[object()])


def test_data_that_took_the_place_of_others_are_read() -> None:
    evaluation = SOLVERS.build({"type": "EvaluationSolver", "model": Net(), "device": "cpu"})
    given = {"eval": loader(Points(30, fresh=False), shuffle=False)}
    first = evaluation.solve(given)
    given["eval"] = loader(Points(3, fresh=False), shuffle=False)
    assert evaluation.solve(given) != first
    with pytest.raises(DataError, match="needs 'train' data, and got nothing"):
        solver().solve(None)


def test_data_by_another_name_than_that_of_evaluation_are_told_of() -> None:
    with pytest.warns(UserWarning, match="'val' data are not used: those to evaluate on are called 'eval'"):
        solver().solve({"train": data()["train"], "val": data()["eval"]})


def test_labels_that_are_text_are_told() -> None:
    rows = [{"img": torch.randn(6), "gt_label": "abc"[index % 3]} for index in range(8)]
    with pytest.raises(LabelError, match="labels of train batch 0 are text, 'a' the first"):
        solver().solve(DataLoader(rows, batch_size=4))


def test_missing_data_are_not_counted_as_given() -> None:
    made = SOLVERS.build({"type": "EvaluationSolver", "model": Net(), "device": "cpu"})
    with pytest.raises(DataError, match=r"needs 'eval' data, and got 'train'(\n|$)"):
        made.solve({"train": loader(Points(8)), "eval": None})

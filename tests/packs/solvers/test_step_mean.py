"""Accumulated steps give the gradients, the losses and the metrics of one large batch, whatever a loss divides by."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from essmc_core import MODELS, SOLVERS, TrainModule
from essmc_core.errors import ConfigError, ContractError
from essmc_solvers.errors import DataError

SIZE, CLASSES = 11, 3
QUIET = logging.getLogger("quiet")


class Flat(nn.Module):
    """A backbone of one layer, for images and clips."""

    num_features, feature_rank = 5, 0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(12, 5)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layer(inputs.flatten(1)).tanh()


def inputs(*shape: int) -> Tensor:
    return torch.randn(SIZE, *shape, generator=torch.Generator().manual_seed(0))


def labels(*ignored: int, ignore_index: int = -100) -> Tensor:
    found = torch.tensor([2, 2, 0, 1, 0, 1, 2, 0, 0, 1, 2])
    found[list(ignored)] = ignore_index
    return found


def soft_labels() -> Tensor:
    return torch.rand(SIZE, CLASSES, generator=torch.Generator().manual_seed(1)).softmax(1)


def classifier(loss: Any, **arguments: Any) -> Any:
    torch.manual_seed(0)
    head = {"type": "ClassifierHead", "dim": 5, "num_classes": CLASSES}
    return MODELS.build({"type": "Classifier", "backbone": Flat(), "head": head, "loss": loss, **arguments})


def two_tasks(loss: Any) -> Any:
    torch.manual_seed(0)
    head = {"type": "VideoClassifierHeadx2", "dim": 5, "num_classes": [CLASSES, CLASSES], "dropout_rate": 0.0}
    return MODELS.build({"type": "VideoClassifier2x", "backbone": Flat(), "head": head, "loss": loss})


def mosi(loss: Any, label_mode: str) -> Any:
    torch.manual_seed(0)
    head = {"type": "MoSIHead", "dim": 5, "num_classes": CLASSES, "dropout_rate": 0.0}
    settings = {"type": "MoSINet", "backbone": Flat(), "neck": None, "head": head, "loss": loss}
    return MODELS.build({**settings, "label_mode": label_mode})


def accumulated(model: Any, items: dict[str, Tensor], batch: int, steps: int, **arguments: Any) -> Any:
    """Trains one epoch with SGD of rate 1; returns the changes of all steps together and the epoch's means."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rows = [{name: value[index] for name, value in items.items()} for index in range(len(next(iter(items.values()))))]
    optimizer = {"type": "SGD", "lr": 1.0}
    settings = {"model": model, "optimizer": optimizer, "device": "cpu", "logger": QUIET, "accumulate_steps": steps}
    solver = SOLVERS.build({"type": "TrainValSolver", **settings, **arguments})
    means = solver.solve({"train": DataLoader(rows, batch_size=batch), "eval": DataLoader(rows, batch_size=batch)})
    return change(model, before), means


def change(model: nn.Module, before: dict[str, Tensor]) -> Tensor:
    return torch.cat([(value - before[name]).flatten() for name, value in model.state_dict().items()])


def assert_step_of_one_large_batch(model: Any, items: dict[str, Tensor], batch: int, **arguments: Any) -> Any:
    """One step of batches beside plain torch on all items at once."""
    reference = copy.deepcopy(model).train()
    before = {name: value.clone() for name, value in reference.state_dict().items()}
    outputs = reference(**items)
    outputs["loss"].backward()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter -= parameter.grad
    found, means = accumulated(model, items, batch, -(-SIZE // batch), **arguments)
    expected = change(reference, before)
    assert float((found - expected).norm() / expected.norm()) < 2e-6
    assert means["train"]["loss"] == pytest.approx(float(outputs["loss"].detach()), rel=1e-5)
    evaluated = reference.eval()(**items)
    for name in ("loss", "acc@1"):
        if name in evaluated:
            assert means["eval"][name] == pytest.approx(float(evaluated[name].detach()), rel=1e-5), name
    return outputs, means


LOSSES: dict[str, tuple[Any, Tensor]] = {
    "plain": ("CrossEntropy", labels()),
    "class weights": ({"type": "CrossEntropy", "weight": [1.0, 0.1, 10.0]}, labels()),
    "ignored labels": ("CrossEntropy", labels(0, 3, 10)),
    "a batch of ignored labels": ("CrossEntropy", labels(0, 1, 2)),
    "another ignored label": ({"type": "CrossEntropy", "ignore_index": 255}, labels(0, 3, ignore_index=255)),
    "weights of 0": ({"type": "CrossEntropy", "weight": [1.0, 2.0, 0.0]}, labels(4)),
    "smoothing": ({"type": "CrossEntropy", "label_smoothing": 0.1, "weight": [1.0, 0.1, 10.0]}, labels(0, 3)),
    "soft targets": ({"type": "CrossEntropy", "weight": [1.0, 0.1, 10.0]}, soft_labels()),
    "sum": ({"type": "CrossEntropy", "reduction": "sum"}, labels(0, 3)),
    "binary": ({"type": "BinaryCrossEntropy", "pos_weight": [1.0, 5.0, 0.1]}, soft_labels()),
    "binary sum": ({"type": "BinaryCrossEntropy", "reduction": "sum"}, soft_labels()),
    "torch's": (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.1, 10.0]), ignore_index=1), labels(ignore_index=1)),
    "torch's, a batch ignored": (nn.CrossEntropyLoss(ignore_index=2), labels()),
    "torch's binary": (nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.0, 5.0, 0.1])), soft_labels()),
    "torch's sum": (nn.MSELoss(reduction="sum"), soft_labels()),
}


@pytest.mark.parametrize("batch", [1, 2, 3, 4])
@pytest.mark.parametrize("name", LOSSES)
def test_a_step_of_batches_is_a_step_of_one(name: str, batch: int) -> None:
    loss, targets = LOSSES[name]
    model = classifier(loss, act_name="sigmoid" if "binary" in name else "softmax")
    assert_step_of_one_large_batch(model, {"img": inputs(12), "gt_label": targets}, batch)


@pytest.mark.parametrize("batch", [2, 4])
@pytest.mark.parametrize("loss", ["CrossEntropy", {"type": "CrossEntropy", "weight": [1.0, 0.1, 10.0]}])
def test_tasks_are_divided_each_by_its_own_number(loss: Any, batch: int) -> None:
    both = torch.stack([labels(0, 1, 5), labels(4)], dim=1)
    assert_step_of_one_large_batch(two_tasks(loss), {"video": inputs(12), "gt_label": both}, batch)


@pytest.mark.parametrize("label_mode", ["joint", "separate"])
def test_motions_are_divided_by_what_counts_of_them(label_mode: str) -> None:
    several = torch.stack([labels(0, 1, 5), labels(4)], dim=1)  # two clips an item
    motions = several if label_mode == "joint" else torch.stack([several, several.flip(0)], dim=-1)
    model = mosi({"type": "CrossEntropy", "weight": [1.0, 0.1, 10.0]}, label_mode)
    assert_step_of_one_large_batch(model, {"video": inputs(2, 1, 1, 3, 4), "mosi_label": motions}, 3)


def test_steps_and_clipping_are_those_of_large_batches() -> None:
    loss, targets = LOSSES["smoothing"]
    items = {"img": inputs(12), "gt_label": targets}
    for epochs in (1, 3):
        small, means = accumulated(classifier(loss), items, 2, 2, clip_grad_norm=0.5, max_epochs=epochs)
        large, right = accumulated(classifier(loss), items, 4, 1, clip_grad_norm=0.5, max_epochs=epochs)
        assert float((small - large).norm() / large.norm()) < 1e-5
        assert means["train"] == pytest.approx(right["train"], rel=1e-5)
        assert means["eval"] == pytest.approx(right["eval"], rel=1e-5)


def test_a_step_in_which_nothing_counts_changes_nothing() -> None:
    model = classifier("CrossEntropy")
    settings = {"optimizer": {"type": "SGD", "lr": 1.0, "weight_decay": 0.5}}
    items = {"img": inputs(12), "gt_label": labels(*range(8))}
    found, means = accumulated(model, items, 4, 1, **settings)
    alone, right = accumulated(classifier("CrossEntropy"), {k: v[8:] for k, v in items.items()}, 4, 1, **settings)
    assert torch.equal(found, alone)
    assert means["train"]["loss"] == right["train"]["loss"] and means["train"]["acc@1"] == right["train"]["acc@1"]


@pytest.mark.parametrize("steps", [1, 2])
def test_an_epoch_in_which_nothing_counts_is_told(steps: int) -> None:
    items = {"img": inputs(12), "gt_label": labels(*range(SIZE))}
    with pytest.raises(DataError, match="the loss ignores all labels"):
        accumulated(classifier("CrossEntropy"), items, 4, steps)


class Focal(nn.Module):
    """A loss that says nothing, divided by the items or by what is in the focus."""

    def __init__(self, over_items: bool) -> None:
        super().__init__()
        self.over_items = over_items

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        losses = functional.cross_entropy(scores, targets, reduction="none")
        focus = (1 - (-losses).exp()) ** 2
        return (focus * losses).sum() / (len(scores) if self.over_items else focus.sum())


class StatedFocal(Focal):
    """The same, and says what it divides by."""

    def normalizer(self, scores: Tensor, targets: Tensor) -> Tensor:
        losses = functional.cross_entropy(scores, targets, reduction="none")
        return ((1 - (-losses).exp()) ** 2).sum().detach()


def test_a_loss_that_says_nothing_is_right_or_refused() -> None:
    items = {"img": inputs(12), "gt_label": labels()}
    assert_step_of_one_large_batch(classifier(Focal(True)), items, 3)
    with pytest.raises(ConfigError, match=r"Focal of 3 items is .* no mean over items") as caught:
        accumulated(classifier(Focal(False)), items, 3, 4)
    assert "normalizer(scores, labels)" in str(caught.value)
    accumulated(classifier(Focal(False)), items, 3, 1)


class Around(nn.Module):
    """A loss around one of torch's that is no mean over items."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 5.0, 0.2]))

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        return self.inner(scores, targets) * 2


class Sum(nn.Module):
    """A loss of one's own with torch's word for a sum."""

    def __init__(self, reduction: str = "sum") -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, scores: Tensor, targets: Tensor) -> Tensor:
        found = functional.cross_entropy(scores, targets, reduction="none")
        return found.sum() if self.reduction == "sum" else found.mean()


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("loss", [Focal(False), Around()], ids=["focal", "around"])
def test_batches_of_one_item_hide_nothing(loss: Any, batch: int) -> None:
    items = {"img": inputs(12), "gt_label": labels()}
    with pytest.raises(ConfigError, match="no mean over items"):
        accumulated(classifier(loss), items, batch, 4)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("loss", [Focal(True), Sum(), Sum("mean")], ids=["focal", "sum", "mean"])
def test_losses_of_ones_own_of_batches_of_any_size(loss: Any, batch: int) -> None:
    assert_step_of_one_large_batch(classifier(loss), {"img": inputs(12), "gt_label": labels()}, batch)


def test_a_loss_states_what_it_divides_by() -> None:
    # Gradients flow through what the loss is divided by, so only the epoch's loss can be the large batch's.
    _, means = accumulated(classifier(StatedFocal(False)), {"img": inputs(12), "gt_label": labels()}, 3, 4)
    model = classifier(StatedFocal(False)).train()
    assert means["train"]["loss"] == pytest.approx(float(model(inputs(12), labels())["loss"].detach()), rel=1e-5)


class Custom(TrainModule):
    """A model of one's own around one of torch's losses, of which it says nothing."""

    def __init__(self, doubled: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Linear(12, CLASSES)
        self.criterion = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 0.1, 10.0]))
        self.doubled = doubled

    def forward_train(self, img: Tensor, gt_label: Tensor) -> Any:
        loss = self.criterion(self.layer(img), gt_label)
        return {"loss": 2 * loss if self.doubled else loss, "batch_size": len(img)}

    def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
        return {"logits": self.layer(img).softmax(1)}


def test_a_model_that_says_nothing_of_a_loss_that_does_is_right_or_refused() -> None:
    items = {"img": inputs(12), "gt_label": labels(1, 2)}
    assert_step_of_one_large_batch(Custom(), items, 3)
    with pytest.raises(ConfigError, match="'criterion' divides by another number"):
        accumulated(Custom(doubled=True), items, 3, 4)


class Terms(Custom):
    """A model that changes what it tells of its loss."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self.criterion = nn.CrossEntropyLoss()
        self.change = change

    def forward_train(self, img: Tensor, gt_label: Tensor) -> Any:
        outputs = super().forward_train(img, gt_label)
        return {**outputs, **self.change(outputs["loss"])}


def test_a_constant_term_has_no_gradients() -> None:
    items = {"img": inputs(12), "gt_label": labels()}
    told = Terms(lambda loss: {"loss_terms": {"own": loss, "weighed by 0": torch.zeros(())}})
    assert_step_of_one_large_batch(told, items, 3)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"normalizers": {"los": 3}}, "names 'los', which the model does not return"),
        ({"normalizers": {"loss": "mean"}}, "normalizer of 'loss' is a value of type str"),
        ({"normalizers": {"loss": -3.0}}, "normalizer of 'loss' is -3.0"),
        ({"normalizers": {"loss": torch.ones(3)}}, "normalizer of 'loss' is a torch.float32 tensor"),
        ({"loss_terms": {"a": torch.tensor(100.0)}}, "the sum of its 'loss_terms' 100"),
    ],
)
def test_what_a_model_tells_wrongly_of_its_loss_is_refused(told: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        accumulated(Terms(lambda loss: told), {"img": inputs(12), "gt_label": labels()}, 3, 2)


def test_models_tell_normalizers_to_solvers_alone() -> None:
    model = classifier("CrossEntropy")
    accumulated(model, {"img": inputs(12), "gt_label": labels()}, 4, 1)
    assert set(model.train()(inputs(12), labels())) == {"loss", "batch_size", "acc@1"}
    model.tells_normalizers = True
    told = model(inputs(12), labels(0, 1))
    assert told["normalizers"] == {"loss": 9, "acc@1": 9}
    told = two_tasks("CrossEntropy")
    told.tells_normalizers = True
    outputs = told.train()(inputs(12), torch.stack([labels(0), labels()], 1))
    assert outputs["loss"] == sum(outputs["loss_terms"].values())
    assert outputs["normalizers"] == {"loss_0": 10, "acc_0@1": 10, "loss_1": SIZE, "acc_1@1": SIZE}


def test_accuracy_counts_what_counts() -> None:
    model = classifier("CrossEntropy").eval()
    best = model(inputs(12)).argmax(1)
    best[:8] = -100
    assert model(inputs(12), best)["acc@1"] == 1


@pytest.mark.parametrize("told", [None, -100])
def test_metrics_over_all_data_leave_out_what_the_loss_ignores(told: int | None) -> None:
    loss = {"type": "CrossEntropy", "ignore_index": 2}
    metric: dict[str, Any] = {"type": "accuracy"} if told is None else {"type": "accuracy", "ignore_index": told}
    items = {"img": inputs(12), "gt_label": labels()}
    model = classifier(loss)
    _, means = accumulated(model, items, 4, 1, eval_metric_cfg={"metric": metric, "keys": ["logits", "gt_label"]})
    hits = model.eval()(items["img"]).argmax(1) == items["gt_label"]
    counted = items["gt_label"] != 2
    expected = hits[counted].float().mean() if told is None else hits.float().mean()
    assert means["eval"]["acc@1"] == pytest.approx(float(expected))

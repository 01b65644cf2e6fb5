"""The model contract of the classifiers: what they return in each mode, with and without labels."""

from __future__ import annotations

import copy
import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES, MODELS, TrainModule
from essmc_core.contract.module import check_train_output
from essmc_core.errors import ConfigError, InputError

CLASSES = 6


@BACKBONES.register("TinyConv")
class TinyConv(nn.Module):
    """One convolution of images or clips with a batch norm."""

    def __init__(self, dim: int = 2) -> None:
        super().__init__()
        self.conv = (nn.Conv2d if dim == 2 else nn.Conv3d)(3, 4, 3)
        self.norm = (nn.BatchNorm2d if dim == 2 else nn.BatchNorm3d)(4)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.norm(self.conv(x))
        return features


def config(name: str, **arguments: Any) -> dict[str, Any]:
    dim = 2 if name == "Classifier" else 3
    head: dict[str, Any] = {"type": "ClassifierHead", "dim": 4, "num_classes": CLASSES}
    if name == "VideoClassifier2x":
        head = {"type": "VideoClassifierHeadx2", "dim": 4, "num_classes": [CLASSES, 3], "dropout_rate": 0.0}
    parts = {"backbone": {"type": "TinyConv", "dim": dim}, "neck": {"type": "GlobalAveragePooling", "dim": dim}}
    return {"type": name, **parts, "head": head, **arguments}


def build(name: str, **arguments: Any) -> Any:
    torch.manual_seed(0)
    model = MODELS.build(config(name, **arguments))
    assert isinstance(model, TrainModule)
    return model


def batch(name: str, size: int = 4) -> tuple[Tensor, Tensor]:
    inputs = torch.randn(size, 3, 8, 8) if name == "Classifier" else torch.randn(size, 3, 4, 8, 8)
    labels = torch.arange(size) % 3
    return inputs, torch.stack([labels, labels], dim=1) if name == "VideoClassifier2x" else labels


single = pytest.mark.parametrize("name", ["Classifier", "VideoClassifier"])
every = pytest.mark.parametrize("name", ["Classifier", "VideoClassifier", "VideoClassifier2x"])


@single
@pytest.mark.parametrize("training", [False, True])
def test_inputs_alone_give_probabilities_in_either_mode(name: str, training: bool) -> None:
    probabilities = build(name).train(training)(batch(name)[0])
    assert probabilities.shape == (4, CLASSES)
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(4))
    assert probabilities.min() >= 0


@single
def test_eval_with_labels(name: str) -> None:
    model = build(name, topk=(1, 3)).eval()
    inputs, labels = batch(name)
    output = model(inputs, labels)
    assert output.keys() == {"logits", "batch_size", "loss", "acc@1", "acc@3"}
    torch.testing.assert_close(output["logits"], model(inputs))
    assert output["batch_size"] == 4
    assert output["acc@1"] == (output["logits"].argmax(dim=1) == labels).float().mean()


@single
def test_train_with_labels_gives_the_cross_entropy_of_raw_scores(name: str) -> None:
    model = build(name)
    inputs, labels = batch(name)
    output = model(inputs, gt_label=labels)
    assert check_train_output(output).keys() == {"loss", "batch_size", "acc@1"}
    torch.testing.assert_close(output["loss"], -model(inputs).log()[torch.arange(4), labels].mean())
    output["loss"].backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_two_way_classifier_without_labels() -> None:
    model = build("VideoClassifier2x")
    for output in (model.train()(batch("VideoClassifier2x")[0]), model.eval()(batch("VideoClassifier2x")[0])):
        assert {key: value.shape for key, value in output.items()} == {"logits0": (4, CLASSES), "logits1": (4, 3)}
        torch.testing.assert_close(output["logits1"].sum(dim=1), torch.ones(4))


def test_two_way_classifier_with_labels() -> None:
    model = build("VideoClassifier2x", topk=(1, 2))
    video, labels = batch("VideoClassifier2x")
    accuracies = {"acc_0@1", "acc_0@2", "acc_1@1", "acc_1@2"}
    trained = model(video, labels)
    assert check_train_output(trained).keys() == {"loss", "batch_size", *accuracies}
    probabilities = model(video)
    rows = torch.arange(4)
    expected = sum(-probabilities[f"logits{task}"].log()[rows, labels[:, task]].mean() for task in range(2))
    torch.testing.assert_close(trained["loss"], expected)
    assert model.eval()(video, labels).keys() == {"logits0", "logits1", "batch_size", "loss", *accuracies}


def test_two_way_classifier_refuses_single_labels() -> None:
    video, labels = batch("VideoClassifier2x")
    with pytest.raises(InputError, match=r"\(N, 2\)"):
        build("VideoClassifier2x")(video, labels[:, 0])


@single
@pytest.mark.parametrize("multi_hot", [True, False])
def test_sigmoid_takes_several_labels_per_item(name: str, multi_hot: bool) -> None:
    model = build(name, act_name="sigmoid", topk=(1, 2))
    inputs, labels = batch(name)
    targets = nn.functional.one_hot(labels, CLASSES)
    if multi_hot:
        targets[:, 5] = 1
    output = model(inputs, targets.float() if multi_hot else labels)
    probabilities = model(inputs)
    torch.testing.assert_close(output["loss"], nn.functional.binary_cross_entropy(probabilities, targets.float()))
    assert probabilities.sum(dim=1).max() > 1.5
    assert {"acc@1", "acc@2"} <= output.keys()
    assert {"acc@1", "acc@2"} <= model.eval()(inputs, targets).keys()


def test_sigmoid_of_two_tasks_takes_a_pair_of_targets() -> None:
    model = build("VideoClassifier2x", act_name="sigmoid")
    output = model(batch("VideoClassifier2x")[0], (torch.ones(4, CLASSES), torch.zeros(4, 3)))
    assert output["loss"].isfinite()
    assert output["acc_0@1"] == 1


@every
def test_exporting_by_name_calls_the_input_what_configurations_do(name: str) -> None:
    first, *_ = inspect.signature(build(name).forward).parameters
    assert first == ("img" if name == "Classifier" else "video")


@every
def test_what_else_a_batch_carries_is_no_obstacle(name: str) -> None:
    inputs, labels = batch(name)
    key = "img" if name == "Classifier" else "video"
    assert "loss" in build(name)(**{key: inputs, "gt_label": labels, "meta": {"clip_id": [0] * 4}})
    with pytest.raises(TypeError, match="gt_lable"):
        build(name)(**{key: inputs, "gt_lable": labels})


@every
def test_the_loss_adds_nothing_to_the_state_dict(name: str) -> None:
    weighted = build(name, loss={"type": "CrossEntropy", "weight": [1.0] * CLASSES})
    assert weighted.state_dict().keys() == build(name).state_dict().keys()


@every
def test_parameters_and_their_defaults(name: str) -> None:
    defaults = {key: value.default for key, value in inspect.signature(MODELS[name]).parameters.items()}
    assert defaults == {
        "backbone": inspect.Parameter.empty,
        "neck": None,
        "head": None,
        "loss": None,
        "act_name": "softmax",
        "topk": (1,),
        "freeze_bn": False,
    }


def test_parts_that_are_built_already_are_used_as_they_are() -> None:
    backbone = TinyConv()
    assert build("Classifier", backbone=backbone).backbone is backbone


def test_a_missing_head_and_an_unknown_activation_are_refused() -> None:
    with pytest.raises(ConfigError, match="needs a head"):
        MODELS["Classifier"](TinyConv())
    with pytest.raises(ConfigError, match="'relu'"):
        build("Classifier", act_name="relu")


class Norms(nn.Module):
    """Every kind of batch norm, with a layer norm that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.three = nn.BatchNorm1d(3), nn.BatchNorm2d(3), nn.BatchNorm3d(3)
        self.sync, self.layer = nn.SyncBatchNorm(3), nn.LayerNorm(8)

    def forward(self, img: Tensor) -> Tensor:
        img = self.two(self.layer(img))
        img = self.one(img.flatten(2)).unflatten(2, (8, 8))
        return torch.cat([self.three(img[..., None])[..., 0], img[:, :1]], dim=1)


def test_frozen_batch_norms_keep_statistics_and_affine_parameters() -> None:
    model = build("Classifier", backbone=Norms(), freeze_bn=True)
    norms = [model.backbone.one, model.backbone.two, model.backbone.three, model.backbone.sync]
    inputs, labels = batch("Classifier")
    before = copy.deepcopy([norm.state_dict() for norm in norms])
    optimizer = torch.optim.SGD((p for p in model.parameters() if p.requires_grad), lr=1.0)
    for _ in range(2):
        model.eval()
        model.train()
        model(inputs, labels)["loss"].backward()
        optimizer.step()
    assert model.training
    assert not any(norm.training for norm in norms)
    for norm, state in zip(norms, before, strict=True):
        assert all(torch.equal(value, state[key]) for key, value in norm.state_dict().items())
    assert model.backbone.layer.weight.grad is not None
    assert model.backbone.layer.training


def test_batch_norms_are_frozen_after_conversion_to_synchronised_ones_too() -> None:
    convert: Any = nn.SyncBatchNorm.convert_sync_batchnorm
    model = convert(build("Classifier", freeze_bn=True)).train()
    norms = [module for module in model.modules() if isinstance(module, nn.SyncBatchNorm)]
    assert norms
    assert not any(norm.training or norm.weight.requires_grad or norm.bias.requires_grad for norm in norms)


def test_without_freezing_batch_norms_train() -> None:
    model = build("Classifier")
    inputs, labels = batch("Classifier")
    model(inputs, labels)
    assert model.backbone.norm.num_batches_tracked == 1
    assert model.backbone.norm.weight.requires_grad


@pytest.mark.parametrize(
    ("name", "head", "fitting"),
    [
        ("VideoClassifier", {"type": "VideoClassifierHeadx2", "num_classes": [3, 4]}, "VideoClassifierHead, .*2x"),
        ("VideoClassifier", {"type": "TransformerHeadx2", "num_classes": [3, 4]}, "VideoClassifierHead, .*2x"),
        (
            "VideoClassifier2x",
            {"type": "VideoClassifierHead", "num_classes": 3},
            "VideoClassifierHeadx2, .* in VideoClassifier",
        ),
    ],
)
def test_a_head_for_another_number_of_labels_is_refused(name: str, head: dict[str, Any], fitting: str) -> None:
    with pytest.raises(ConfigError, match=f"give it a head such as {fitting}"):
        build(name, head={**head, "dim": 4})


@pytest.mark.parametrize("training", [True, False])
@every
def test_labels_without_a_class_are_refused(name: str, training: bool) -> None:
    model = build(name).train(training)
    inputs, labels = batch(name)
    for wrong in (CLASSES, -1):
        spoilt = labels.clone()
        spoilt.view(-1)[0] = wrong
        with pytest.raises(InputError, match=rf"label {wrong} is out of range: the head has {CLASSES} classes, 0 to 5"):
            model(inputs, spoilt)
    # The loss leaves these out.
    ignored = labels.clone()
    ignored.view(-1)[0] = -100
    assert isinstance(model(inputs, ignored), dict)

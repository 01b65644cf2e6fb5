"""MoSINet and MoSIHead: the contract with n clips per item, joint and separate labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from essmc_core import HEADS, MODELS
from essmc_core.errors import ConfigError, InputError
from essmc_core.module import check_train_output

BACKBONE = {"type": "ResNetR2D3D", "depth": 10, "num_filters": (8, 8, 8, 8, 16)}


def build(label_mode: str = "joint", num_classes: Any = 9, **arguments: Any) -> Any:
    torch.manual_seed(0)
    return MODELS.build(
        {
            "type": "MoSINet",
            "backbone": BACKBONE,
            "neck": {"type": "GlobalAveragePooling", "dim": 3},
            "head": {"type": "MoSIHead", "dim": 16, "num_classes": num_classes},
            "label_mode": label_mode,
            **arguments,
        }
    )


def clips(items: int = 2, each: int = 3) -> Tensor:
    return torch.randn(items, each, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0))


def test_eval_mode_gives_probabilities_of_every_clip() -> None:
    model, video = build().eval(), clips()
    probabilities = model(video)
    assert probabilities.shape == (6, 9)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(6))
    torch.testing.assert_close(probabilities[3:], model(video[1:]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(2, 3), (6,)])
@pytest.mark.parametrize("name", ["mosi_label", "gt_label"])
def test_labels_are_taken_per_clip_under_either_name(shape: tuple[int, ...], name: str) -> None:
    model, labels = build(topk=(1, 5)).train(), torch.arange(6).view(shape)
    outputs = check_train_output(model(clips(), **{name: labels}))
    assert set(outputs) == {"loss", "batch_size", "acc@1", "acc@5"}
    assert outputs["batch_size"] == 6
    outputs["loss"].backward()
    assert model.head.out_joint.weight.grad.abs().sum() > 0
    assert set(model.eval()(clips(), **{name: labels})) == {"logits", "batch_size", "acc@1", "acc@5"}


def test_the_motion_takes_precedence_over_the_class_of_the_image() -> None:
    model, labels = build().eval(), torch.zeros(2, 3, dtype=torch.long)
    both = model(clips(), mosi_label=labels, gt_label=torch.ones(2, dtype=torch.long))
    assert both["acc@1"] == model(clips(), labels)["acc@1"]


def test_separate_labels_have_a_layer_per_axis_and_one_loss() -> None:
    model = build("separate", [5, 5]).eval()
    labels = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)], -1).long()
    assert set(model(clips())) == {"logits_x", "logits_y"}
    outputs = model(clips(), labels)
    assert set(outputs) == {"logits_x", "logits_y", "batch_size", "acc_x@1", "acc_y@1"}
    model.head.dropout.p = 0.0
    trained = check_train_output(model.train()(clips(), labels))
    scores = model.head(model.neck(model.backbone(clips().flatten(0, 1))))
    targets = labels.flatten(0, 1).unbind(1)
    loss = sum(torch.nn.functional.cross_entropy(*pair) for pair in zip(scores, targets, strict=True))
    torch.testing.assert_close(trained["loss"], loss, rtol=1e-4, atol=1e-5)
    with pytest.raises(InputError, match="dimension of 2"):
        model(clips(), labels[..., 0])


def test_train_mode_without_labels_gives_probabilities() -> None:
    probabilities = build().train()(clips())
    torch.testing.assert_close(probabilities.sum(1), torch.ones(6))


@pytest.mark.parametrize(("label_mode", "num_classes"), [("joint", 9), ("separate", [5, 4])])
def test_trace_equals_eager_at_another_batch_size(label_mode: str, num_classes: Any) -> None:
    model = build(label_mode, num_classes).eval()
    traced = torch.jit.trace(model, clips(), strict=False)  # type: ignore[no-untyped-call,unused-ignore]
    torch.testing.assert_close(traced(clips(3)), model(clips(3)))


def test_clips_without_the_second_dimension_are_refused() -> None:
    with pytest.raises(InputError, match="unsqueeze"):
        build()(clips()[0])


@pytest.mark.parametrize(
    ("label_mode", "num_classes", "message"),
    [
        ("joint", [5, 5], "does not go with"),
        ("separate", 9, "does not go with"),
        ("both", 9, "label_mode"),
        ("separate", [5, 5, 5], "along x and y"),
    ],
)
def test_modes_and_heads_that_do_not_go_together_are_refused(label_mode: str, num_classes: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(label_mode, num_classes)


def test_unpooled_features_are_refused() -> None:
    with pytest.raises(InputError, match="GlobalAveragePooling"):
        HEADS.build({"type": "MoSIHead", "dim": 4, "num_classes": 3})(torch.zeros(2, 4, 1, 1, 1))

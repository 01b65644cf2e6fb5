"""What building would refuse, `essmc validate` refuses: ranges, unknown keys, arguments that need others."""

from __future__ import annotations

from pathlib import Path

import pytest

from essmc_core.errors import SchemaError
from essmc_core.models.recipes import check_training, read_training
from essmc_core.registry.reading import live_signature, read_signature

TRAINING = """\
model:
  type: VideoClassifier
  backbone: {type: ResNet3D_TAda, depth: 10}
  head: {type: VideoClassifierHead, num_classes: 3}
data: {train: {dataset: {type: MovingImages, mode: train}, batch_size: 4}}
solver:
  optimizer: {type: AdamW, lr: 0.1, weight_decay: 0.01}
"""
WRONG = {
    "data.train.batch_size=0": ("data.train.batch_size", "batch_size must be at least 1, got 0"),
    "data.train.num_workers=-1": ("data.train.num_workers", "num_workers must be at least 0, got -1"),
    "data.train.dataset.num_frames=0": ("data.train.dataset.num_frames", "at least 1"),
    "solver.max_epochs=0": ("solver.max_epochs", "max_epochs must be at least 1, got 0"),
    "solver.accumulate_steps=0": ("solver.accumulate_steps", "at least 1"),
    "solver.clip_grad_norm=0": ("solver.clip_grad_norm", "clip_grad_norm must be above 0, got 0"),
    "solver.optimizer=null": ("solver", "training needs an optimizer"),
    "solver.optimizer.lr=-1": ("solver.optimizer.lr", "lr must be at least 0, got -1"),
    "solver.optimizer.betas=[0.9, 1.0]": ("solver.optimizer.betas", r"betas must be in \[0, 1\)"),
    "solver.lr_scheduler={type: CosineAnnealingLR, T_max: 0}": ("solver.lr_scheduler.T_max", "above 0"),
    "solver.lr_scheduler={type: SequentialLR, milestones: [1, 2], schedulers: [ConstantLR, ConstantLR]}": (
        "solver.lr_scheduler.milestones", "2 schedules have 1 milestones",
    ),
    "solver.lr_scheduler={head: {type: ConstantLR}}": ("solver.lr_scheduler.head", "no optimizer is called 'head'"),
    "solver.param_groups=[{match: head.*, lr_scales: 0}]": (
        "solver.param_groups.0.lr_scales", "has no option 'lr_scales'.*did you mean 'lr_scale'",
    ),
    "solver.param_groups=[{match: head.*, beta: [0.9, 0.9]}]": ("solver.param_groups.0.beta", "did you mean 'betas'"),
    "solver.param_groups=[{lr: 0.1}]": ("solver.param_groups.0", "needs `match`"),
    "solver.param_groups=[{match: head.*, lr: -0.1}]": ("solver.param_groups.0.lr", "at least 0"),
    "solver.param_groups=[{match: 3}]": ("solver.param_groups.0.match", "`match` is a pattern"),
    "solver.save_eval_data=true": ("solver.save_eval_data", "needs extra_keys or eval_metric_cfg"),
    "solver.device=gpu": ("solver.device", "device is 'auto'"),
    "solver.hooks=[{type: EmaHook, decay: 1.0}]": ("solver.hooks.0.decay", "decay must be below 1, got 1.0"),
    "solver.hooks=[{type: CheckpointHook, save_best_by: acc@1}]": ("solver.hooks.0.save_best_by", "with the sign"),
    "solver.hooks=[{type: LrHook, warmup_func: linear, warmup_epochs: 0}]": ("solver.hooks.0.warmup_epochs", "above 0"),
    "model.head=null": ("model", "VideoClassifier needs a head"),
    "model.head.num_classes=0": ("model.head.num_classes", "needs at least 1 class"),
    "model.head.dropout_rate=2": ("model.head.dropout_rate", r"a chance in \[0, 1\], got dropout_rate=2"),
    "model.topk=[1, 0]": ("model.topk.1", "topk must be at least 1, got 0"),
    "model.loss={type: CrossEntropy, label_smoothing: 1.5}": ("model.loss.label_smoothing", r"a chance in \[0, 1\]"),
    "model.backbone.bn_params={epss: 1}": ("model.backbone.bn_params.epss", "did you mean 'eps'"),
    "model.backbone.branch_cfg={reduction: 4}": ("model.backbone.branch_cfg.reduction", "has no argument 'reduction'"),
    "model.backbone.non_local_cfg={scale: 4}": ("model.backbone.non_local_cfg.scale", "NonLocal has no argument"),
    "model.backbone.num_filters=[4, 8]": ("model.backbone.num_filters", "num_filters has 2 entries"),
    "model.backbone={type: ViVit, branch_cfg: {num_head: 2}}": (
        "model.backbone.branch_cfg.num_head", "no argument 'num_head'.*did you mean 'num_heads'",
    ),
    "model.head={type: X3DHead, num_classes: 0}": ("model.head.num_classes", "X3DHead needs at least 1 class"),
    "model.backbone.init_cfg={name: kaiming, zero: 1}": ("model.backbone.init_cfg.zero", "there is no 'zero' here"),
}  # fmt: skip


@pytest.mark.parametrize("read", [read_signature, live_signature], ids=["source", "live"])
@pytest.mark.parametrize("change", list(WRONG))
def test_validate_refuses_with_the_place_what_building_would(tmp_path: Path, change: str, read: object) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(TRAINING)
    place, message = WRONG[change]
    with pytest.raises(SchemaError, match=message) as caught:
        check_training(read_training(str(path), [change]), read)  # type: ignore[arg-type]
    assert [issue.path for issue in caught.value.issues] == [place]


@pytest.mark.parametrize(
    "change",
    [
        "solver.max_epochs=1",
        "solver.param_groups=[{match: head.*, lr_scale: 0, decay_scale: 2, betas: [0.5, 0.5]}]",
        "solver.optimizer={type: timm_lamb, lr: 0.1}",
        "model.backbone.bn_params={eps: 1.0e-3, momentum: 0.1}",
        "solver.freeze=backbone",
        "solver.freeze=[backbone.*, '*.bias']",
    ],
)
def test_what_can_be_built_is_valid(tmp_path: Path, change: str) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(TRAINING)
    assert check_training(read_training(str(path), [change]), read_signature)


def test_a_configuration_to_evaluate_with_needs_no_optimizer(tmp_path: Path) -> None:
    path = tmp_path / "training.yaml"
    path.write_text(TRAINING)
    read = read_training(str(path), ["solver.optimizer=null"])
    assert check_training(read, read_signature, evaluating=True)
    assert check_training(read_training(str(path), ["solver=null", "data.train=null"]), read_signature)

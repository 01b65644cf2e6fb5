"""Necks and heads take their numbers from the backbone when they are not written; a disagreement names both lines."""

from __future__ import annotations

import pytest
import torch

import essmc_core
from essmc_core.errors import ConfigError, SchemaError
from essmc_core.models.recipes import read_recipe, resolved_parts

VIDEO = """\
model:
  type: VideoClassifier
  backbone: {type: ResNetR2D3D, depth: 10, num_filters: [8, 8, 16, 24, 40]}
  neck: GlobalAveragePooling
  head: {type: VideoClassifierHead, num_classes: 4}
"""


def test_head_and_neck_are_filled_from_the_backbone(tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(VIDEO)
    assert len(resolved_parts(read_recipe(path))) == 4, "the check from source accepts it too"
    model = essmc_core.build_model(path)
    assert (model.neck.dim, model.head.dim) == (3, 40)
    assert model.eval()(torch.zeros(1, 3, 4, 32, 32)).shape == (1, 4)
    wider = essmc_core.build_model(path, overrides=["model.backbone.num_filters=[8, 8, 16, 24, 48]"])
    assert wider.head.dim == 48


def test_order_in_the_file_does_not_matter(tmp_path):
    lines = VIDEO.splitlines()
    path = tmp_path / "model.yaml"
    path.write_text("\n".join([lines[0], lines[1], lines[4], lines[3], lines[2]]) + "\n")
    assert essmc_core.build_model(path).head.dim == 40


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("num_classes: 4", "num_classes: 4, dim: 41", r"yaml:5:58: model\.head\.dim: VideoClassifierHead has dim=41"),
        ("GlobalAveragePooling", "{type: GlobalAveragePooling, dim: 2}", r"yaml:4:43: model\.neck\.dim: .*dim=2"),
    ],
)
def test_a_disagreement_names_both_lines(tmp_path, old, new, message):
    path = tmp_path / "model.yaml"
    path.write_text(VIDEO.replace(old, new))
    with pytest.raises(SchemaError, match=message) as caught:
        essmc_core.build_model(path)
    assert "model.yaml:3:13 has" in str(caught.value)


@pytest.mark.parametrize(
    ("backbone", "head", "width"),
    [
        ("{type: SlowFast, stem_width: 8, stage_widths: [32, 32, 64, 64]}", "SlowFastHead", 72),
        ("{type: X3D, width_factor: 1.0, depth_factor: 1.0}", "X3DHead", 96),
        ("{type: SlowOnly, stem_width: 8, stage_widths: [16, 16, 32, 48]}", "WindowPoolHead", 48),
    ],
)
def test_heads_that_pool_are_filled_and_held_to_it_too(tmp_path, backbone, head, width):
    path = tmp_path / "model.yaml"
    text = f"model:\n  type: VideoClassifier\n  backbone: {backbone}\n  head: {{type: {head}, num_classes: 4}}\n"
    path.write_text(text)
    model = essmc_core.build_model(path).eval()
    assert model.head.dim == width
    assert model(torch.zeros(1, 3, 8, 32, 32)).shape == (1, 4)
    with pytest.raises(SchemaError, match=rf"override 'model\.head\.dim=7'.*{head} has dim=7.*{path.name}:3:13"):
        essmc_core.build_model(path, overrides=["model.head.dim=7"])
    with pytest.raises(ConfigError, match="at least 1 class"):
        essmc_core.build_model(path, overrides=["model.head.num_classes=0"])


def test_a_head_on_its_own_still_needs_its_dim():
    with pytest.raises(SchemaError, match="ClassifierHead needs the argument 'dim'"):
        essmc_core.HEADS.build({"type": "ClassifierHead", "num_classes": 3})


def test_a_built_backbone_fills_them_too():
    backbone = essmc_core.BACKBONES.build({"type": "ResNetR2D3D", "depth": 10})
    head = {"type": "VideoClassifierHead", "num_classes": 3}
    model = essmc_core.MODELS.build(
        {"type": "VideoClassifier", "backbone": backbone, "neck": "GlobalAveragePooling", "head": head}
    )
    assert model.head.dim == 256 and "dim" not in head


def test_image_models_of_timm_fill_them_too():
    cfg = {"type": "Classifier", "backbone": "timm/resnet18", "head": {"type": "ClassifierHead", "num_classes": 3}}
    assert essmc_core.MODELS.build(cfg).eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 3)


def test_constructors_fill_them_too():
    parts = {
        "backbone": {"type": "ResNetR2D3D", "depth": 10, "num_filters": [8, 8, 16, 24, 40]},
        "neck": "GlobalAveragePooling",
        "head": {"type": "VideoClassifierHead", "num_classes": 4},
    }
    model = essmc_core.MODELS["VideoClassifier"](**parts)
    assert (model.neck.dim, model.head.dim) == (3, 40)
    with pytest.raises(SchemaError, match="has dim=41, and ResNetR2D3D has num_features=40"):
        essmc_core.MODELS["VideoClassifier"](**{**parts, "head": {**parts["head"], "dim": 41}})
    with pytest.raises(SchemaError, match="has no argument 'num_clases'"):
        essmc_core.MODELS["VideoClassifier"](**{**parts, "head": {**parts["head"], "num_clases": 3}})


def test_a_backbone_that_does_not_tell_is_named():
    parts = {"backbone": torch.nn.Flatten(), "head": {"type": "VideoClassifierHead", "num_classes": 4}}
    message = "VideoClassifierHead needs dim, and Flatten has no attribute num_features"
    with pytest.raises(SchemaError, match=message):
        essmc_core.MODELS.build({"type": "VideoClassifier", **parts})
    with pytest.raises(SchemaError, match=message):
        essmc_core.MODELS["VideoClassifier"](**parts)

"""Knobs that point nowhere: no mistake where another part was put in place, and one where the file says so itself."""

from __future__ import annotations

import pytest

from essmc_core.errors import SchemaError
from essmc_core.models.recipes import read_recipe, resolved_parts


def test_a_head_without_the_entry_s_knob_takes_its_place():
    head = "model.head={type: X3DHead, dim: 256, num_classes: 5}"
    parts = resolved_parts(read_recipe("r2d3d_18_mosi_hmdb51", [head]))
    assert ("model.head", "X3DHead") in [(path, component.name) for path, component in parts]


def test_a_file_s_own_knob_points_at_what_is_there(tmp_path):
    (tmp_path / "own.yaml").write_text(
        "model: {type: Classifier, backbone: {type: timm/test_resnet}, head: {type: ClassifierHead, num_classes: 2}}\n"
        "knobs: {slope: model.head.slope}\n"
    )
    with pytest.raises(SchemaError, match=r"own\.yaml:2:\d+: knobs\.slope: 'model\.head\.slope' points nowhere"):
        resolved_parts(read_recipe(tmp_path / "own.yaml"))

"""Files of networks that essmc does not have are called what they are, in the forms of the library's versions."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from essmc_core.models.recognition import look_at
from essmc_core.weights.layouts.layout import Shapes

SIZES = {
    "hidden_size": 48, "num_hidden_layers": 11, "num_attention_heads": 4, "intermediate_size": 96, "image_size": 32,
}  # fmt: skip


def shapes_of(name: str, config: str, **arguments: Any) -> Shapes:
    library = pytest.importorskip("transformers", reason="transformers is not installed: pip install transformers")
    with torch.device("meta"):
        model = getattr(library, name)(getattr(library, config)(**SIZES, **arguments))
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


CASES = [
    ("VideoMAEForVideoClassification", "VideoMAEConfig", {"patch_size": 8, "num_labels": 7}, "VideoMAE"),
    ("VideoMAEModel", "VideoMAEConfig", {"patch_size": 8, "use_mean_pooling": False}, "VideoMAE"),
    ("TimesformerForVideoClassification", "TimesformerConfig", {"patch_size": 8, "num_labels": 7}, "TimeSformer"),
    ("VivitForVideoClassification", "VivitConfig", {"tubelet_size": [2, 8, 8], "num_labels": 7}, "ViViT"),
    ("CLIPVisionModelWithProjection", "CLIPVisionConfig", {"patch_size": 8}, "CLIP's vision tower"),
]


@pytest.mark.parametrize(("name", "config", "arguments", "architecture"), CASES)
def test_what_transformers_makes_is_named_with_its_arguments(
    name: str, config: str, arguments: dict[str, Any], architecture: str
) -> None:
    shapes = shapes_of(name, config, **arguments)
    found = look_at("w.pth", {f"module.{key}": shape for key, shape in shapes.items()})
    (one,) = found.elsewhere
    assert found.networks == [] and one.architecture == architecture and one.advice
    told = {"hidden_size": 48, "num_hidden_layers": 11, "intermediate_size": 96, "patch_size": 8}
    assert told.items() <= one.arguments.items()
    assert one.arguments.get("num_labels") == arguments.get("num_labels")


def test_one_tensor_less_or_of_another_shape_is_not_named() -> None:
    shapes = version_4()
    assert look_at("w.pth", shapes).elsewhere
    for key in ("videomae.encoder.layer.1.attention.attention.q_bias", "classifier.weight"):
        assert not look_at("w.pth", {name: shape for name, shape in shapes.items() if name != key}).elsewhere
        assert not look_at("w.pth", {**shapes, key: (5,)}).elsewhere


def version_4() -> Shapes:
    """Returns names and shapes of VideoMAE as transformers 4 wrote it: biases of q and v beside the layers."""
    front = "videomae.encoder.layer.{}."
    layer = {f"attention.attention.{name}.weight": (48, 48) for name in ("query", "key", "value")}
    layer |= {"attention.attention.q_bias": (48,), "attention.attention.v_bias": (48,)}
    layer |= {"attention.output.dense.weight": (48, 48), "intermediate.dense.weight": (96, 48)}
    layer |= {"output.dense.weight": (48, 96), "layernorm_before.weight": (48,), "layernorm_after.weight": (48,)}
    layer |= {
        key.replace("weight", "bias"): shape[:1] for key, shape in layer.items() if "attention.attention" not in key
    }
    shapes: dict[str, tuple[int, ...]] = {front.format(n) + key: shape for n in (0, 1) for key, shape in layer.items()}
    patches = "videomae.embeddings.patch_embeddings.projection"
    shapes |= {f"{patches}.weight": (48, 3, 2, 8, 8), f"{patches}.bias": (48,)}
    shapes |= {"fc_norm.weight": (48,), "fc_norm.bias": (48,), "classifier.weight": (7, 48), "classifier.bias": (7,)}
    return shapes

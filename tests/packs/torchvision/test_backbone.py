"""torchvision models as backbones: torchvision's numbers and keys, the uniform interface, clear refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torchvision import models

from essmc_core.errors import ConfigError, InputError
from essmc_core.weights.state_dict import map_keys
from essmc_devkit.testing import BackboneConformance
from essmc_torchvision.backbone import torchvision_backbone
from essmc_torchvision.key_maps import export_state_dict, from_torchvision, last_layer
from essmc_torchvision.resnet_trunk import resnet_trunk

# One of each family that needs no more than a second.
SIZES = {
    "alexnet": (64, 64), "vgg11_bn": (32, 32), "resnet18": (33, 47), "regnet_y_400mf": (32, 48),
    "convnext_tiny": (32, 32), "efficientnet_b0": (32, 32), "mobilenet_v2": (32, 32), "mobilenet_v3_small": (32, 32),
    "mnasnet0_5": (32, 32), "densenet121": (32, 32), "shufflenet_v2_x0_5": (32, 32), "googlenet": (32, 32),
    "inception_v3": (80, 80), "swin_t": (32, 32), "swin_v2_t": (32, 32), "vit_b_32": (224, 224),
    "maxvit_t": (224, 224), "r3d_18": (4, 32, 32), "mc3_18": (3, 32, 48), "r2plus1d_18": (4, 32, 32),
    "swin3d_t": (2, 32, 32),
}  # fmt: skip
SLOW_SIZES = {"s3d": (14, 224, 224), "mvit_v2_s": (16, 224, 224)}


def original(name: str) -> nn.Module:
    """Returns torchvision's own model, every tensor of it random."""
    arguments = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    model: nn.Module = models.get_model(name, weights=None, **arguments)
    with torch.no_grad():
        for tensor in [*model.parameters(), *(one for one in model.buffers() if one.is_floating_point())]:
            noise = torch.randn_like(tensor)
            tensor.copy_(noise / tensor[0].numel() ** 0.5 if tensor.ndim > 1 else 1 + 0.1 * noise.abs())
    return model.eval()


def classifier(backbone: Any, name: str, reference: nn.Module) -> nn.Module:
    """Returns the backbone with a linear layer ``head.fc``, with the reference's weights through the key map."""
    state = reference.state_dict()
    weight = f"{last_layer(name)}.weight"
    state[weight] = state[weight].flatten(1)
    classes, width = state[weight].shape
    model = nn.ModuleDict({"backbone": backbone, "head": nn.ModuleDict({"fc": nn.Linear(width, classes)})})
    model["head"]["fc"].bias = None if last_layer(name) + ".bias" not in state else model["head"]["fc"].bias
    model.load_state_dict(map_keys(state, tuple(from_torchvision(name))))
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), {**SIZES, **SLOW_SIZES}.items(), ids=str)
def test_scores_and_keys_are_torchvisions_through_the_key_maps_both_ways(name: str, size: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    reference, backbone = original(name), torchvision_backbone(name)
    model = classifier(backbone, name, reference)
    inputs = torch.randn(1, 3, *size)
    with torch.no_grad():
        expected = reference(inputs)
        features = backbone(inputs)
        torch.testing.assert_close(model["head"]["fc"](features), expected, rtol=1e-5, atol=1e-5)
    assert features.shape == (1, backbone.num_features) == (1, backbone.out_channels)
    exported = export_state_dict(model.state_dict(), name)
    assert exported.keys() == reference.state_dict().keys()
    reference.load_state_dict(exported)


@pytest.mark.slow
class TestInterface(BackboneConformance):
    cases = {name: ({"type": f"torchvision/{name}", "pool": False}, (3, *size)) for name, size in SIZES.items()}
    without = dict.fromkeys(
        ("component.*", "copying.*", "state-dict.*", "exporting.*", "backbone.checkpointing"),
        "wrapped alike in all families; see TestFamilies",
    )
    warnings_fail = True


class TestFamilies(BackboneConformance):
    """A network of each way to wrap them, and one whose size is fixed."""

    cases = {
        name: ({"type": f"torchvision/{name}"}, (3, *SIZES[name])) for name in ("resnet18", "r3d_18", "swin3d_t")
    } | {"vit_b_32": ({"type": "torchvision/vit_b_32", "model_args": {"image_size": 64}}, (3, 64, 64))}
    quick = ("resnet18",)
    without = {"backbone.feature-info": "see TestInterface", "refusals.*": "see TestInterface"}
    onnx = "layers are torchvision's own"


def test_reductions_are_input_over_feature_sizes() -> None:
    info = torchvision_backbone("r3d_18").feature_info
    assert [(one.channels, one.reduction, one.temporal_reduction) for one in info] == [
        (64, 2, 1), (128, 4, 2), (256, 8, 4), (512, 16, 8),
    ]  # fmt: skip
    with torch.device("meta"):
        assert torchvision_backbone("vit_h_14").feature_info[-1].reduction == 14


@pytest.mark.parametrize("in_chans", [1, 2, 5])
def test_other_input_channels_repeat_the_first_kernels_and_keep_their_scale(in_chans: int) -> None:
    torch.manual_seed(0)
    three = resnet_trunk(18)
    torch.manual_seed(0)
    other = resnet_trunk(18, in_chans=in_chans)
    torch.testing.assert_close(other.conv1.weight[:, 0], three.conv1.weight[:, 0] * 3 / in_chans)
    assert other.in_chans == in_chans
    assert other(torch.zeros(2, in_chans, 32, 32)).shape == (2, 512, 1, 1)


@pytest.mark.parametrize(
    ("name", "inputs", "named"),
    [
        ("r3d_18", torch.zeros(3, 8, 32, 32), r"add the batch"),
        ("r3d_18", torch.zeros(1, 8, 3, 32, 32), r"time comes after channels"),
        ("r3d_18", torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8), r"torch.uint8.*\n.*float"),
        ("mvit_v2_s", torch.zeros(1, 3, 8, 224, 224), r"\(N, 3, 16, 224, 224\)"),
        ("s3d", torch.zeros(1, 3, 8, 224, 224), r"T >= 14"),
        ("resnet18", torch.zeros(1, 4, 32, 32), r"\(N, 3, H, W\).*\n.*in_chans"),
        ("resnet18", torch.zeros(1, 32, 32, 3), r"channels come second"),
        ("vit_b_32", torch.zeros(1, 3, 192, 224), r"\(N, 3, 224, 224\)"),
        ("inception_v3", torch.zeros(1, 3, 64, 64), r"H >= 75"),
    ],
)
def test_inputs_it_cannot_take_are_refused_with_those_it_can(name: str, inputs: torch.Tensor, named: str) -> None:
    with torch.device("meta"):
        backbone = torchvision_backbone(name)
    with pytest.raises(InputError, match=named):
        backbone(inputs)


def test_double_precision_needs_a_double_backbone() -> None:
    backbone = resnet_trunk(18).double().eval()
    assert backbone(torch.zeros(1, 3, 32, 32, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"model_name": "resnet18", "model_args": {"blok": 1}}, "blok"),
        ({"model_name": "resnet18", "model_args": {"num_classes": 10}}, "num_classes"),
        ({"model_name": "resnet18", "stochastic_depth_prob": 0.1}, "stochastic_depth_prob"),
        ({"model_name": "resnet18", "pretrained": "IMAGENET1K_V9"}, "IMAGENET1K_V9"),
        ({"model_name": "googlenet", "in_chans": 1, "model_args": {"transform_input": True}}, "transform_input"),
    ],
)
def test_arguments_a_family_does_not_take_are_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        torchvision_backbone(**arguments)


def test_unknown_depths_are_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="18, 34, 50, 101, 152"):
        resnet_trunk(20)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet18", "r3d_18", "swin3d_t"])
def test_another_number_type_is_refused_and_autocast_takes_it(name: str) -> None:
    backbone = torchvision_backbone(name).eval()
    images = torch.randn(1, 3, *SIZES[name])
    for run in (backbone, backbone.forward_features):
        with pytest.raises(InputError, match=r"computes in torch\.float32 and got torch\.float64"):
            run(images.double())
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert backbone(images).isfinite().all()
    assert backbone.double()(images.double()).dtype == torch.float64

"""timm models as backbones: timm's numbers and keys, honest widths, clear refusals."""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essmc_core.errors import ConfigError, InputError
from essmc_timm.backbone import timm_backbone

GOLDEN = sorted((Path(__file__).parent / "golden").glob("timm_*.json"))


def golden_tensor(key: str, shape: torch.Size) -> torch.Tensor:
    """Makes a tensor from its key alone, by the rule the golden numbers were made with."""
    noise = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(tuple(shape)).astype(np.float32)
    last = key.rpartition(".")[2]
    if last == "running_var":
        values = 1 + 0.1 * np.abs(noise)
    elif last in ("running_mean", "bias"):
        values = 0.1 * noise
    elif last == "weight" and len(shape) == 1:
        values = (1 + 0.1 * noise) * (0.3 if key.endswith("bn3.weight") else 1)
    elif last == "weight":
        values = noise / math.sqrt(np.prod(shape[1:]))
    else:
        values = 0.2 * noise
    return torch.from_numpy(np.asarray(values, dtype=np.float32))


def fill(model: torch.nn.Module) -> None:
    state = model.state_dict()
    model.load_state_dict(
        {k: v if k.endswith("num_batches_tracked") else golden_tensor(k, v.shape) for k, v in state.items()}
    )


def spell(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}[{','.join(map(str, tensor.shape))}]"


def normal(shape: tuple[int, ...] | list[int], seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(tuple(shape)).astype(np.float32))


@pytest.mark.slow
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_keys_and_numbers_are_those_of_timm(path: Path) -> None:
    golden: dict[str, Any] = json.loads(path.read_text())
    model = timm_backbone(golden["cfg"]["args"]["model_name"]).eval()
    assert {key: spell(value) for key, value in model.state_dict().items()} == golden["state_dict"]
    assert sum(p.numel() for p in model.parameters()) == golden["param_count"]
    fill(model)
    with torch.no_grad():
        output = model(normal(golden["input_shape"], golden["input_seed"]))
    expected = golden["outputs"]["out"]
    assert list(output.shape) == expected["shape"]
    assert model.out_channels == output.shape[1]
    flat = output.double().numpy().ravel()
    tolerance = max(20 * golden["fp32_vs_fp64"]["out"]["max_abs_over_std"], 1e-5) * expected["std"]
    np.testing.assert_allclose(flat[:16], expected["first16"], rtol=0, atol=tolerance)
    strided = flat[np.linspace(0, flat.size - 1, 16).astype(np.int64)]
    np.testing.assert_allclose(strided, expected["strided16"], rtol=0, atol=tolerance)
    probes = [flat @ np.random.RandomState(1000 + k).standard_normal(flat.size) for k in range(4)]
    np.testing.assert_allclose(np.array(probes) / math.sqrt(flat.size), expected["probes4"], rtol=0, atol=tolerance)


# Families whose pooled width is not that of their last feature map are the ones a head would get wrong.
@pytest.mark.parametrize("name", ["resnet18", "mobilenetv3_small_050", "ghostnet_050", "vit_tiny_patch16_224"])
def test_out_channels_is_the_width_of_the_output(name: str) -> None:
    model = timm_backbone(name).eval()
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 224, 224)).shape == (1, model.out_channels)


def test_features_before_pooling_are_maps_with_channels_first() -> None:
    images = torch.zeros(1, 3, 64, 64)
    assert timm_backbone("resnet18", pool=False).eval()(images).shape == (1, 512, 2, 2)
    tokens = timm_backbone("vit_tiny_patch16_224", pool=False, img_size=64).eval()(images)
    assert tokens.shape == (1, 192, 4, 4)


def test_in_chans_changes_the_stem() -> None:
    assert timm_backbone("resnet18", in_chans=5).conv1.weight.shape[1] == 5


def test_drop_rates_reach_the_model() -> None:
    model = timm_backbone("vit_tiny_patch16_224", drop_rate=0.25, drop_path_rate=0.5)
    assert model.head_drop.p == 0.25
    assert model.blocks[-1].drop_path1.drop_prob == pytest.approx(0.5)


def test_family_arguments_go_through_model_args() -> None:
    model = timm_backbone("vit_tiny_patch16_224", img_size=[32, 64], model_args={"depth": 2, "embed_dim": 96})
    assert (len(model.blocks), model.out_channels) == (2, 96)
    assert model(torch.zeros(1, 3, 32, 64)).shape == (1, 96)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"model_name": "resnet18", "model_args": {"blok_args": {}}}, "blok_args"),
        ({"model_name": "resnet18", "img_size": 224}, "img_size"),
        ({"model_name": "resnet18", "model_args": {"num_classes": 10}}, "num_classes"),
        ({"model_name": "vgg11", "drop_path_rate": 0.1}, "drop_path_rate"),
        ({"model_name": "deit_tiny_distilled_patch16_224", "pool": False}, "pool"),
    ],
)
def test_an_argument_the_family_does_not_take_is_named(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=rf"timm/{arguments['model_name']}.*{named}"):
        timm_backbone(**arguments)


def test_errors_that_are_not_about_arguments_keep_their_type() -> None:
    with pytest.raises(TypeError) as caught:
        timm_backbone("vit_tiny_patch16_224", model_args={"embed_dim": "wide"})
    assert not isinstance(caught.value, ConfigError)


def test_another_number_type_is_refused_and_autocast_takes_it() -> None:
    backbone = timm_backbone("resnet18").eval()
    images = torch.randn(1, 3, 32, 32)
    for run in (backbone, backbone.forward_features):
        with pytest.raises(InputError, match=r"timm's ResNet computes in torch\.float32 and got torch\.float64"):
            run(images.double())
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert backbone(images).isfinite().all()
    assert backbone.bfloat16()(images.bfloat16()).dtype == torch.bfloat16
    traced = torch.jit.trace(backbone.float(), images, check_trace=False)
    torch.testing.assert_close(traced(images[..., :16]), backbone(images[..., :16]))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("vgg11", 32), ("densenet121", 29), ("inception_resnet_v2", 75)])
def test_images_that_are_too_small_are_refused_with_the_least_size(name: str, least: int) -> None:
    backbone = timm_backbone(name).eval()
    for run in (backbone, backbone.forward_features):
        with pytest.raises(InputError, match=f"scale the images to {least}x{least} or more"):
            run(torch.zeros(1, 3, least - 1, least - 1))
    with torch.no_grad():
        assert backbone(torch.zeros(1, 3, least, least)).ndim == 2

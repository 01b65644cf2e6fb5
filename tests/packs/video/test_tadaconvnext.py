"""TAdaConvNeXtV2: what the text of the paper and the published settings say, beyond the golden numbers."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core import BACKBONES
from essmc_core.errors import ConfigError, InputError
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import timm_convnext
from essmc_video.networks.tadaconvnext.backbone import TAdaConvNeXtV2
from essmc_video.networks.tadaconvnext.depthwise_conv import TAdaDepthwiseConv
from essmc_video.networks.tadaconvnext.route_function import RouteFunction

SMALL = {"depths": [1, 1, 2, 1], "widths": [16, 32, 48, 64], "head_dim": 8}
VARIANTS = {
    "tiny": ({}, 45_663_888),
    "small": ({"depths": [3, 3, 27, 3]}, 81_941_520),
    "base": ({"depths": [3, 3, 27, 3], "widths": [128, 256, 512, 1024], "head_dim": 64}, 145_277_632),
}


def small(**arguments: Any) -> TAdaConvNeXtV2:
    torch.manual_seed(0)
    backbone: TAdaConvNeXtV2 = BACKBONES.build({"type": "TAdaConvNeXtV2", **SMALL, **arguments})
    return backbone


def randomized(backbone: TAdaConvNeXtV2) -> TAdaConvNeXtV2:
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.2)
    return backbone


def clips(frames: int = 4, batch: int = 2, height: int = 32, width: int = 32) -> Tensor:
    return torch.randn(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", VARIANTS)
def test_published_numbers_of_parameters(name: str) -> None:
    arguments, count = VARIANTS[name]
    with torch.device("meta"):
        backbone = TAdaConvNeXtV2(**arguments)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == count


def test_calibration_equals_one_kernel_per_clip_channel_and_frame() -> None:
    convolution = TAdaDepthwiseConv(6, kernel_size=7).double()
    x, alpha, beta = torch.randn(2, 6, 3, 9, 8).double(), torch.randn(2, 6, 3).double(), torch.randn(2, 6, 3).double()
    found = convolution(x, alpha[..., None, None], beta[..., None, None])
    for clip in range(2):
        for frame in range(3):
            weight = convolution.weight[0, 0] * alpha[clip, :, frame, None, None, None]
            bias = convolution.bias[0, 0] * beta[clip, :, frame]
            expected = functional.conv2d(x[clip : clip + 1, :, frame], weight, bias, padding=3, groups=6)
            torch.testing.assert_close(found[clip : clip + 1, :, frame], expected)


def test_attention_of_the_route_function_is_that_of_its_definition() -> None:
    torch.manual_seed(0)
    route = RouteFunction(24, reduction=2, kernel_sizes=(3, 3), head_dim=4, zero_init=True).double()
    qkv = torch.randn(2, 5, 36).double()
    found = route._attend(qkv)
    query, key, value = qkv.split(12, dim=2)
    for head in range(3):
        # The head runs fastest inside; outside, features of one head lie together.
        q, k, v = (part[:, :, head::3] for part in (query, key, value))
        weights = (q @ k.transpose(1, 2) * 12**-0.5).softmax(dim=2)
        torch.testing.assert_close(found[:, :, 4 * head : 4 * head + 4], weights @ v)


def test_a_new_network_is_calibrated_to_one_and_averages_nothing() -> None:
    backbone = small()
    for module in backbone.modules():
        if isinstance(module, RouteFunction):
            alpha, beta = module(torch.randn(2, module.a.in_channels, 3, 4, 4))
            assert torch.equal(alpha, torch.ones_like(alpha)) and torch.equal(beta, torch.ones_like(beta))
    states = backbone.state_dict()
    assert all(not value.any() for key, value in states.items() if "norm_avgpool" in key)
    assert all(torch.equal(value, torch.full_like(value, 1e-6)) for key, value in states.items() if "gamma" in key)
    weights = [value for key, value in states.items() if "dwconv.weight" in key or "pwconv1.weight" in key]
    assert all(0.01 < weight.std() < 0.03 and weight.abs().max() < 0.2 for weight in weights)
    assert all(not value.any() for key, value in states.items() if key.endswith("conv1.bias"))


def test_every_layer_norm_has_eps_1e_6() -> None:
    eps = [module.eps for module in small().modules() if isinstance(module, nn.LayerNorm)]
    assert len(eps) == 5 * 4 + 4 + 1 and set(eps) == {1e-6}


@pytest.mark.slow
@pytest.mark.parametrize("frames", [1, 2, 3, 5])
def test_clips_of_any_length_have_features(frames: int) -> None:
    backbone = randomized(small()).eval()
    maps = backbone.forward_features(clips(frames, height=70, width=32), [0, -1])
    assert [tuple(one.shape) for one in maps] == [(2, 16, (frames + 1) // 2, 17, 8), (2, 64, (frames + 1) // 2, 2, 1)]
    assert backbone(clips(frames)).isfinite().all()


def test_clips_of_a_batch_do_not_see_each_other_and_frames_do() -> None:
    backbone, video = randomized(small()).eval().double(), clips(6).double()
    together = backbone(video)
    torch.testing.assert_close(together, torch.cat([backbone(video[:1]), backbone(video[1:])]), rtol=0, atol=1e-9)
    assert not torch.allclose(together, backbone(video[:, :, [1, 0, 2, 3, 4, 5]]), atol=1e-3)


def test_drop_path_rises_to_the_last_block_and_is_off_in_eval_mode() -> None:
    backbone = randomized(small(drop_path_rate=0.4))
    rates = [getattr(block.drop_path, "drop_prob", 0.0) for stage in backbone.stages for block in stage]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    assert torch.equal(backbone.eval()(clips()), backbone(clips()))


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_gradients_in_bfloat16_are_those_of_float32(frames: int) -> None:
    exact, rounded = randomized(small()).train(), randomized(small()).train()
    rounded.load_state_dict(exact.state_dict())
    exact(clips(frames)).sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        loss = rounded(clips(frames)).sum()
    loss.backward()
    for one, other in zip(exact.parameters(), rounded.parameters(), strict=True):
        assert other.grad.norm() < 10 * one.grad.norm() + 10


def test_keys_of_timm_map_both_ways() -> None:
    with torch.device("meta"):
        image, video = timm.create_model("convnext_tiny", num_classes=0), TAdaConvNeXtV2()
    theirs = dict(image.state_dict())
    ours = map_keys(theirs, timm_convnext.FROM_TIMM)
    missing = video.state_dict().keys() - ours.keys()
    assert ours.keys() <= video.state_dict().keys()
    assert all(".dwconv_rf." in key or ".norm_avgpool." in key for key in missing)
    assert map_keys(ours, timm_convnext.TO_TIMM).keys() == theirs.keys()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head_dim": 5}, "head_dim"),
        ({"depths": [1, 1]}, "four stages"),
        ({"stem_kernel": 2}, "odd"),
        ({"route_kernels": [3, 4]}, "odd"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**arguments)


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(3, 4, 32, 32), "add the batch"),
        (torch.zeros(2, 4, 3, 32, 32), "time comes after channels"),
        (torch.zeros(2, 3, 4, 16, 32), "at least 32x32"),
        (torch.zeros(2, 3, 0, 32, 32), "at least 1"),
        (torch.zeros(2, 3, 4, 32, 32, dtype=torch.uint8), "255"),
        (torch.zeros(2, 3, 4, 32, 32, dtype=torch.float64), "float64"),
    ],
)
def test_what_is_no_clip_is_refused_with_what_to_do(video: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small()(video)

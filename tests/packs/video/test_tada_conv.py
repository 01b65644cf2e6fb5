"""TAdaConv2d is the convolution with calibrated weights that the paper defines, at any stride, group or bias."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from essmc_core import BRICKS
from essmc_core.errors import ConfigError
from essmc_video.layers.average_pool import SameAvgPool3d
from essmc_video.layers.tada_conv import RouteFuncMLP, TAdaConv2d


def by_definition(conv: TAdaConv2d, x: Tensor, alpha: Tensor) -> Tensor:
    """Convolves each frame of each clip with weights of its own (equation 3 of the paper)."""
    width = conv.in_channels // conv.groups
    clips = []
    for clip, calibration in zip(x, alpha, strict=True):
        frames = []
        for time in range(clip.shape[1]):
            # Input channel c of group g sees the calibration of channel g * width + c.
            factors = calibration[:, time, 0, 0].reshape(conv.groups, 1, width, 1, 1)
            weight = conv.weight[0, 0].reshape(conv.groups, -1, *conv.weight.shape[3:]) * factors
            frames.append(
                functional.conv2d(
                    clip[None, :, time],
                    weight.flatten(0, 1),
                    conv.bias,
                    conv.stride[1:],
                    conv.padding[1:],
                    conv.dilation[1:],
                    conv.groups,
                )[0]
            )
        clips.append(torch.stack(frames, dim=1))
    return torch.stack(clips)


@settings(max_examples=30, deadline=None)
@given(
    batch=st.integers(1, 3),
    frames=st.integers(1, 4),
    groups=st.sampled_from([1, 2, 3]),
    stride=st.sampled_from([1, 2, (1, 2), (1, 2, 1)]),
    padding=st.sampled_from([0, 1, (0, 1, 0)]),
    dilation=st.integers(1, 2),
    bias=st.booleans(),
)
def test_equals_the_definition(
    batch: int, frames: int, groups: int, stride: Any, padding: Any, dilation: int, bias: bool
) -> None:
    torch.manual_seed(0)
    conv = TAdaConv2d(6, 12, 3, stride, padding, dilation, groups, bias).double()
    x = torch.randn(batch, 6, frames, 9, 8, dtype=torch.float64)
    alpha = torch.randn(batch, 6, frames, 1, 1, dtype=torch.float64)
    torch.testing.assert_close(conv(x, alpha), by_definition(conv, x, alpha))


def test_weights_keep_the_shape_of_published_checkpoints_and_bias_is_the_default() -> None:
    conv = TAdaConv2d(4, 8, (1, 3, 5), groups=2)
    assert conv.weight.shape == (1, 1, 8, 2, 3, 5)
    assert conv.bias is not None


def test_initial_weights_are_as_large_as_those_of_a_plain_convolution() -> None:
    torch.manual_seed(0)
    ours, plain = TAdaConv2d(64, 64, 3), torch.nn.Conv2d(64, 64, 3)
    torch.testing.assert_close(ours.weight.std(), plain.weight.std(), rtol=0.02, atol=0)


@pytest.mark.parametrize("kernel_size", [(3, 1, 1), (5, 3, 1), (1, 3, 5), (1, 1, 1)])
@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last_3d])
def test_average_equals_padded_pooling_and_takes_short_clips(
    kernel_size: tuple[int, int, int], frames: int, order: torch.memory_format
) -> None:
    x = torch.randn(2, 3, frames, 6, 7).contiguous(memory_format=order).requires_grad_()
    time, height, width = kernel_size
    summed = functional.conv3d(
        x, torch.ones(3, 1, *kernel_size), padding=(time // 2, height // 2, width // 2), groups=3
    )
    average, expected = SameAvgPool3d(kernel_size)(x), summed / (time * height * width)
    torch.testing.assert_close(average, expected)
    weights = torch.randn_like(average)
    torch.testing.assert_close(
        torch.autograd.grad((average * weights).sum(), x), torch.autograd.grad((expected * weights).sum(), x)
    )


@pytest.mark.parametrize("arguments", [{"kernel_size": (3, 3, 3)}, {"stride": (2, 2, 2)}, {"padding": (1, 1, 1)}])
def test_reaching_over_time_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="frame by frame"):
        TAdaConv2d(**{"in_channels": 4, "out_channels": 4, "kernel_size": 3, **arguments})


def test_calibration_starts_as_one_and_has_a_value_per_frame() -> None:
    calibration = RouteFuncMLP(c_in=8, ratio=4, kernels=(3, 3))(torch.randn(2, 8, 5, 6, 7))
    assert calibration.shape == (2, 8, 5, 1, 1)
    assert torch.equal(calibration, torch.ones_like(calibration))


def test_a_new_block_ignores_its_average_pooling() -> None:
    arguments = {"dim_in": 8, "num_filters": 16, "kernel_size": (1, 3, 3), "expansion_ratio": 4}
    strides = {"downsampling": False, "downsampling_temporal": False, "branch_style": "bottleneck"}
    branch = BRICKS.build({"type": "TAdaConvBlockAvgPool", **arguments, **strides}).eval()
    x = torch.randn(1, 8, 4, 6, 6)
    before = branch(x)
    branch.b_avgpool = torch.nn.Identity()
    torch.testing.assert_close(branch(x), before)

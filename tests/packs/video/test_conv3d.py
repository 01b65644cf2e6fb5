"""The 3D convolution of the video networks gives torch's numbers, whichever way it takes."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.tada_conv import TAdaConv2d

small = st.integers(1, 3)
triples = st.tuples(small, small, small)
paddings = st.tuples(st.integers(0, 1), st.integers(0, 1), st.integers(0, 1))
POINTWISE = {"kernel": (1, 1, 1), "padding": (0, 0, 0), "dilation": (1, 1, 1), "groups": 1, "bias": False, "clips": 2}


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(
    kernel=triples, stride=triples, padding=paddings, dilation=triples, groups=st.sampled_from([1, 2, 4]),
    bias=st.booleans(), clips=st.integers(1, 2), channels_last=st.booleans(),
)  # fmt: skip
@example(**POINTWISE, stride=(1, 1, 1), channels_last=False)
@example(**POINTWISE, stride=(1, 2, 2), channels_last=True)
def test_outputs_and_gradients_are_those_of_torch(
    kernel, stride, padding, dilation, groups, bias, clips, channels_last
):
    torch.manual_seed(0)
    ours = Conv3d(4, 8, kernel, stride, padding, dilation, groups, bias).double()
    results = []
    for conv in (ours, _plain(ours)):
        x = torch.linspace(-1, 1, clips * 4 * 7 * 8 * 9, dtype=torch.float64).sin().view(clips, 4, 7, 8, 9)
        x = x.contiguous(memory_format=torch.channels_last_3d) if channels_last else x
        x.requires_grad_()
        out = conv(x)
        out.square().sum().backward()
        results.append([out, x.grad, *(parameter.grad for parameter in conv.parameters())])
    for mine, theirs in zip(*results, strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("stride", [(1, 2, 2), (2, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("channels", [2, 4, 7])
def test_strided_pointwise_convolutions_of_few_channels_never_reach_the_broken_kernel(channels, stride):
    """On CPUs with AVX2 and no more, oneDNN's gradient of their weights is wrong, hangs or crashes, channels last."""
    x = torch.randn(2, channels, 8, 8, 8).contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    conv = Conv3d(channels, 8, 1, stride, bias=False)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], record_shapes=True) as profiled:
        conv(x)
    sizes = [event.input_shapes[0] for event in profiled.events() if event.name == "aten::conv2d"]
    picked = [size // step for size, step in zip((8, 8, 8), stride, strict=True)]
    assert sizes == [[2, channels, picked[0], picked[1] * picked[2]]]
    conv(x).square().sum().backward()
    exact = _plain(conv).double()
    exact.zero_grad()
    exact(x.detach().double()).square().sum().backward()
    torch.testing.assert_close(conv.weight.grad.double(), exact.weight.grad, rtol=1e-4, atol=1e-4)


def _plain(conv: Conv3d) -> nn.Conv3d:
    plain = copy.deepcopy(conv)
    plain.__class__ = nn.Conv3d  # type: ignore[assignment]
    return plain


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 1, 1), (1, 3, 3)])
@pytest.mark.parametrize("layout", ["channels_last", "one clip without a batch", "strided view"])
def test_every_layout_of_the_input(kernel, layout):
    conv = Conv3d(4, 8, kernel, padding=tuple(size // 2 for size in kernel))
    x = {
        "channels_last": torch.randn(1, 4, 5, 6, 7).contiguous(memory_format=torch.channels_last_3d),
        "one clip without a batch": torch.randn(4, 5, 6, 7),
        "strided view": torch.randn(1, 5, 4, 12, 7).transpose(1, 2)[:, :, :, ::2],
    }[layout]
    torch.testing.assert_close(conv(x), functional.conv3d(x, conv.weight, conv.bias, padding=conv.padding))


@pytest.mark.parametrize(("padding", "mode"), [("same", "zeros"), (1, "replicate"), (1, "circular")])
def test_paddings_that_only_torch_knows(padding, mode):
    conv = Conv3d(4, 8, (3, 1, 1), padding=(padding if padding == "same" else (1, 0, 0)), padding_mode=mode)
    x = torch.randn(1, 4, 5, 6, 7)
    torch.testing.assert_close(conv(x), _plain(conv)(x))


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 1, 1)])
def test_a_convolution_over_time_never_meets_the_slow_3d_kernel(kernel):
    x = torch.randn(1, 4, 5, 6, 7)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled, torch.no_grad():
        Conv3d(4, 8, kernel)(x)
    names = {event.key for event in profiled.key_averages()}
    assert "aten::conv2d" in names
    assert "aten::conv3d" not in names and "aten::slow_conv3d_forward" not in names


@pytest.mark.parametrize("kind", ["Conv3d", "TAdaConv2d"])
@pytest.mark.parametrize(("shape", "kernel"), [((1, 32, 8, 96, 8), "aten::conv3d"), ((1, 32, 8, 8, 8), "aten::conv2d")])
def test_a_spatial_convolution_copies_frames_only_where_pytorch_would_unfold_the_clip(kind, shape, kernel):
    x = torch.randn(shape)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled, torch.no_grad():
        if kind == "Conv3d":
            Conv3d(32, 32, (1, 3, 3), padding=(0, 1, 1))(x)
        else:
            TAdaConv2d(32, 32, 3, padding=1)(x, torch.ones(1, 32, 8, 1, 1))
    names = {event.key for event in profiled.key_averages()}
    assert {kernel, "aten::mkldnn_convolution"} <= names
    assert "aten::slow_conv3d_forward" not in names
    if kind == "Conv3d":  # a calibration's few numbers may be copied
        assert ("aten::copy_" in names) is (kernel == "aten::conv2d")


@pytest.mark.parametrize(("widths", "product"), [((24, 54), True), ((32, 64), False)])
def test_a_pointwise_convolution_of_odd_widths_is_a_product(widths, product):
    conv, x = Conv3d(*widths, 1, bias=False), torch.randn(2, widths[0], 5, 6, 7)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
        conv(x)
    names = {event.key for event in profiled.key_averages()}
    assert ("aten::bmm" in names) is product and ("aten::conv2d" in names) is not product
    assert "aten::copy_" not in names


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 1, 1), (1, 3, 3)])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
def test_a_graph_recorded_with_one_clip_takes_two(kernel):
    conv = Conv3d(4, 8, kernel).eval()
    graph = torch.jit.trace(conv, torch.randn(1, 4, 5, 6, 7))
    clips = torch.randn(2, 4, 6, 8, 7)
    torch.testing.assert_close(graph(clips), conv(clips))

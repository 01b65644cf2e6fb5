"""Bottleneck networks C2D, I3D, Slow, R(2+1)D and ip-CSN: shapes, features, refusals, and the head over windows."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from essmc_core import BACKBONES, BRICKS, HEADS, MODELS
from essmc_core.errors import ConfigError, InputError

THIN = {"stem_width": 8, "stage_widths": (16, 32, 32, 32)}
NETWORKS = ("C2D", "I3D", "SlowOnly", "R2Plus1DBottleneck")
# What comes out of clips of 8 frames of 64x64.
SHAPES = {"C2D": (4, 2, 2), "I3D": (4, 2, 2), "SlowOnly": (8, 2, 2), "R2Plus1DBottleneck": (2, 2, 2)}


def thin(name: str, **arguments: Any) -> nn.Module:
    network: nn.Module = BACKBONES.build({"type": name, **THIN, **arguments})
    return network


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_have_the_sizes_of_the_papers(name: str, clip: torch.Tensor) -> None:
    network = thin(name).eval()
    assert network(clip).shape == (1, network.out_channels, *SHAPES[name])
    assert torch.equal(network.forward_features(clip), network(clip))


def test_features_come_in_the_order_asked_for_and_no_further_stage_runs(clip: torch.Tensor) -> None:
    network = thin("SlowOnly").eval()
    ran: list[int] = []
    network.conv4.register_forward_hook(lambda *_: ran.append(4))
    third, first = network.forward_features(clip, out_indices=(2, -5))
    assert (third.shape[1], first.shape[1]) == (32, 8)
    assert not ran
    assert network.forward_features(clip, out_indices=()) == []
    with pytest.raises(IndexError, match="5"):
        network.forward_features(clip, out_indices=(5,))


def test_temporal_kernels_of_i3d_alternate() -> None:
    network = thin("I3D")
    lengths = [
        [block.conv_branch.a.kernel_size[0] for block in stage]
        for stage in (network.conv2, network.conv3, network.conv4, network.conv5)
    ]
    assert lengths == [[3, 3, 3], [3, 1, 3, 1], [3, 1, 3, 1, 3, 1], [1, 3, 1]]


def test_blocks_start_as_their_shortcuts(clip: torch.Tensor) -> None:
    network = thin("SlowOnly").eval()
    inside = network.conv2(network.conv1(clip))
    torch.testing.assert_close(network.conv2.res_2(inside), inside)


@pytest.mark.parametrize("name", ["TemporalBottleneckBranch", "TemporalFirstR2Plus1DBranch", "IPCSNBranch"])
def test_branches_have_no_simple_style(name: str) -> None:
    shape = {"dim_in": 8, "num_filters": 8, "kernel_size": (3, 3, 3), "downsampling": False}
    rest = {"downsampling_temporal": False, "expansion_ratio": 4}
    with pytest.raises(ConfigError, match="simple_block"):
        BRICKS.build({"type": name, **shape, **rest})


def test_ip_csn_adds_one_pointwise_convolution_and_its_norm_to_every_block() -> None:
    thin_csn = {"depth": 50, "num_filters": (8, 16, 32, 32, 32)}
    reduced = BACKBONES.build({"type": "ResNet3D_CSN", **thin_csn})
    preserved = BACKBONES.build({"type": "ResNet3D_IPCSN", **thin_csn})
    count, fewer = (sum(one.numel() for one in network.parameters()) for network in (preserved, reduced))
    inner = [4] * 3 + [8] * 4 + [8] * 6 + [8] * 3
    assert count - fewer == sum(width * width + 2 * width for width in inner)
    names = [name for name, _ in preserved.conv2.res_1.conv_branch.named_children()]
    assert names == ["a", "a_bn", "a_relu", "b1", "b1_bn", "b2", "b2_bn", "b2_relu", "c", "c_bn"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"depth": 51}, "50, 101, 152"),
        ({"stage_widths": (16, 32)}, "stage_widths"),
        ({"spatial_strides": (1, 3, 2, 2)}, "stride"),
        ({"temporal_strides": (2, 1, 1, 1)}, "together with space"),
        ({"temporal_kernels": ((2,), (1,), (1,), (1,))}, "odd"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        BACKBONES.build({"type": "SlowOnly", **arguments})


def test_clips_that_do_not_fit_are_refused(clip: torch.Tensor) -> None:
    network = thin("C2D").eval()
    for wrong, named in (
        (clip[0], "unsqueeze"),
        (clip.transpose(1, 2), "transpose"),
        (clip.to(torch.uint8), "float"),
        (clip.double(), "float32"),
        (clip[:, :, :1], "at least 2"),
        (clip[:, :, :0], "at least 1"),
    ):
        with pytest.raises(InputError, match=named):
            network(wrong)
    assert network(clip[:, :, :3]).shape[2] == 1
    assert network.double()(clip.double()).dtype == torch.float64


def test_autocast_takes_float_clips(clip: torch.Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert thin("SlowOnly").eval()(clip).dtype == torch.bfloat16


@pytest.mark.parametrize("average", ["scores", "probabilities"])
@settings(max_examples=20, deadline=None)
@given(extra=st.tuples(*[st.integers(0, 2)] * 3), window=st.tuples(*[st.integers(1, 3)] * 3))
def test_head_averages_what_each_window_alone_gives(
    average: str, extra: tuple[int, int, int], window: tuple[int, int, int]
) -> None:
    cfg = {"type": "WindowPoolHead", "dim": 4, "num_classes": 3, "pool_kernel_size": window, "average": average}
    head = HEADS.build(cfg).eval()
    nn.init.normal_(head.out.weight)
    sizes = [size + more for size, more in zip(window, extra, strict=True)]
    features = torch.randn(2, 4, *sizes)
    single = [
        head(features[:, :, t : t + window[0], h : h + window[1], w : w + window[2]])
        for t in range(extra[0] + 1)
        for h in range(extra[1] + 1)
        for w in range(extra[2] + 1)
    ]
    if average == "scores":
        torch.testing.assert_close(head(features), torch.stack(single).mean(0))
    else:
        mean = torch.stack([scores.softmax(1) for scores in single]).mean(0)
        torch.testing.assert_close(head(features).softmax(1), mean)


def test_head_without_window_pools_everything() -> None:
    head = HEADS.build({"type": "WindowPoolHead", "dim": 4, "num_classes": 3}).eval()
    features = torch.randn(2, 4, 3, 2, 5)
    torch.testing.assert_close(head(features), head.out(features.mean((2, 3, 4))))


def test_head_refuses_features_smaller_than_its_window() -> None:
    head = HEADS.build({"type": "WindowPoolHead", "dim": 4, "num_classes": 3, "pool_kernel_size": (8, 7, 7)})
    with pytest.raises(InputError, match=r"\(8, 7, 7\).*\(4, 7, 7\)"):
        head(torch.randn(1, 4, 4, 7, 7))
    with pytest.raises(InputError, match="dim"):
        head(torch.randn(1, 5, 8, 7, 7))
    with pytest.raises(InputError, match="neck"):
        head(torch.randn(1, 4))
    with pytest.raises(ConfigError, match="average"):
        HEADS.build({"type": "WindowPoolHead", "dim": 4, "num_classes": 3, "average": "mean"})


def test_average_of_probabilities_is_what_a_classifier_returns_and_learns_from(clip: torch.Tensor) -> None:
    head = {"type": "WindowPoolHead", "dim": 32, "num_classes": 5, "pool_kernel_size": (1, 1, 1), "dropout_rate": 0.0}
    cfg = {"type": "VideoClassifier", "backbone": {"type": "C2D", **THIN}, "head": {**head, "average": "probabilities"}}
    model = MODELS.build(cfg).eval()
    nn.init.normal_(model.head.out.weight)
    with torch.no_grad():
        each = model.head.out(model.backbone(clip).permute(0, 2, 3, 4, 1)).softmax(-1)
        mean = each.mean((1, 2, 3))
        torch.testing.assert_close(model(clip), mean)
        assert each[0, 0, 0, 0].sub(each[0, 0, 0, 1]).abs().max() > 1e-3
    loss = torch.nn.functional.cross_entropy(model.raw_scores(clip), torch.tensor([2]))
    torch.testing.assert_close(loss, -mean[0, 2].log())

"""Stems, branches and the non-local block on their own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from essmc_core import BRICKS, STEMS
from essmc_core.errors import ConfigError

BRANCH = {"dim_in": 6, "num_filters": 8, "kernel_size": (3, 3, 3), "expansion_ratio": 2}


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("Base2DStem", (2, 64, 4, 16, 16)),
        ("Base3DStem", (2, 64, 4, 16, 16)),
        ("DownSampleStem", (2, 64, 4, 8, 8)),
        ("R2Plus1DStem", (2, 64, 4, 16, 16)),
    ],
)
def test_stem_output_by_default(name: str, shape: tuple[int, ...]) -> None:
    assert STEMS.build(name)(torch.randn(2, 3, 4, 32, 32)).shape == shape


def test_only_the_2d_stem_keeps_time_at_a_temporal_stride() -> None:
    frames = {
        name: STEMS.build(name, downsampling_temporal=True, kernel_size=(3, 7, 7))(torch.randn(1, 3, 4, 32, 32)).shape[
            2
        ]
        for name in ("Base2DStem", "Base3DStem", "DownSampleStem", "R2Plus1DStem")
    }
    assert frames == {"Base2DStem": 4, "Base3DStem": 2, "DownSampleStem": 2, "R2Plus1DStem": 2}


@pytest.mark.parametrize("style", ["simple_block", "bottleneck"])
@pytest.mark.parametrize("name", ["R2D3DBranch", "R2Plus1DBranch", "CSNBranch"])
@pytest.mark.parametrize(
    ("downsampling", "shape"), [((True, True), (2, 4, 4)), ((True, False), (4, 4, 4)), ((False, True), (4, 8, 8))]
)
def test_branch_output(name: str, style: str, downsampling: tuple[bool, bool], shape: tuple[int, ...]) -> None:
    space, time = downsampling
    cfg: dict[str, Any] = {"type": name, **BRANCH, "downsampling": space, "downsampling_temporal": time}
    if (name, style) == ("CSNBranch", "simple_block"):
        with pytest.raises(ConfigError, match="no style"):
            BRICKS.build({**cfg, "branch_style": style})
        return
    branch = BRICKS.build({**cfg, "branch_style": style})
    features = branch(torch.randn(2, 6, 4, 8, 8))
    assert features.shape == (2, 8, *shape)
    assert (features < 0).any(), "the ReLU after the sum is the block's"


def test_an_unconstructed_branch_has_no_layers() -> None:
    cfg = {"type": "R2D3DBranch", **BRANCH, "downsampling": False, "downsampling_temporal": False}
    assert not list(BRICKS.build({**cfg, "construct_branch": False}).parameters())


def test_main_convolution_of_csn_is_depthwise() -> None:
    cfg = {"type": "CSNBranch", **BRANCH, "downsampling": False, "downsampling_temporal": False}
    branch = BRICKS.build({**cfg, "branch_style": "bottleneck"})
    assert branch.b.weight.shape == (4, 1, 3, 3, 3)


def test_factorised_convolution_has_about_the_parameters_of_the_full_one() -> None:
    counts = {
        name: sum(
            module.weight.numel()
            for module in STEMS.build(name, kernel_size=(3, 7, 7)).modules()
            if isinstance(module, nn.Conv3d)
        )
        for name in ("Base3DStem", "R2Plus1DStem")
    }
    assert 0 <= counts["Base3DStem"] - counts["R2Plus1DStem"] <= 3 * 7 * 7 + 3 * 64


def test_non_local_equals_attention_written_out() -> None:
    torch.manual_seed(0)
    block = BRICKS.build({"type": "NonLocal", "dim_in": 6, "num_filters": 6}).eval().double()
    x = torch.randn(2, 6, 2, 3, 4, dtype=torch.float64)
    query, key, value = (conv(x).flatten(2) for conv in (block.qconv, block.kconv, block.vconv))
    weights = torch.softmax(torch.einsum("ncp,ncq->npq", query, key) / 3**0.5, dim=2)
    attended = torch.einsum("npq,ncq->ncp", weights, value).reshape(2, 3, 2, 3, 4)
    torch.testing.assert_close(block(x), x + block.out_bn(block.out_conv(attended)))


def test_non_local_refuses_another_width_than_its_inputs() -> None:
    with pytest.raises(ConfigError, match="dim_in=4 and num_filters=8"):
        BRICKS.build({"type": "NonLocal", "dim_in": 4, "num_filters": 8})

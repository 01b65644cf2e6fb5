"""Training in bfloat16 on a CPU gives the gradients of float32, to bfloat16's accuracy, on clips of any length."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BRICKS
from essmc_video.layers.conv3d import Conv3d


def weight_gradient(conv: nn.Module, x: Tensor, autocast: bool = False) -> Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        out = conv(x)
    out.float().square().sum().backward()
    assert isinstance(conv.weight, nn.Parameter)
    assert conv.weight.grad is not None
    return conv.weight.grad.float()


@pytest.mark.parametrize("autocast", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("kernel", "frames"), [(3, 1), (3, 2), (3, 3), (5, 2), (5, 3), (5, 4), (5, 5)])
def test_weight_gradient_of_short_clips(kernel: int, frames: int, stride: int, autocast: bool) -> None:
    torch.manual_seed(0)
    exact = Conv3d(16, 16, (kernel, 3, 3), stride=stride, padding=(kernel // 2, 1, 1), bias=False)
    ours = copy.deepcopy(exact)
    x = torch.randn(2, 16, frames, 8, 8)
    if not autocast:
        ours, rounded = ours.bfloat16(), x.bfloat16()
    else:
        rounded = x
    expected = weight_gradient(exact, x)
    difference = weight_gradient(ours, rounded, autocast) - expected
    assert difference.norm() < 0.02 * expected.norm()


@pytest.mark.parametrize("name", ["R2D3DBranch", "R2Plus1DBranch", "CSNBranch", "TAdaConvBlockAvgPool"])
def test_branches_keep_the_number_type(name: str) -> None:
    cfg = {"dim_in": 8, "num_filters": 16, "kernel_size": (3, 3, 3), "downsampling": False, "expansion_ratio": 4}
    branch = BRICKS.build({"type": name, **cfg, "downsampling_temporal": False, "branch_style": "bottleneck"})
    out = branch.bfloat16()(torch.randn(2, 8, 2, 6, 6, dtype=torch.bfloat16))
    out.sum().backward()
    assert out.dtype == torch.bfloat16
    assert all(p.grad is not None and p.grad.isfinite().all() for p in branch.parameters())

"""S3D is torchvision's network, S3D-G adds gates to it."""

from __future__ import annotations

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from essmc_core import BACKBONES
from essmc_core.errors import InputError
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import torchvision_s3d
from essmc_video.layers.max_pool import SeparableMaxPool3d
from essmc_video.networks.s3d.backbone import S3D, S3DG
from essmc_video.networks.s3d.mixed import FeatureGate


def clips(frames: int = 16, size: int = 64) -> Tensor:
    return torch.randn(2, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
def test_s3d_gives_torchvisions_features() -> None:
    torch.manual_seed(0)
    theirs = torchvision.models.get_model("s3d").eval()
    for module in theirs.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight)
    ours = map_keys(theirs.state_dict(), torchvision_s3d.FROM_TORCHVISION)
    assert map_keys(ours, torchvision_s3d.TO_TORCHVISION).keys() == theirs.state_dict().keys()
    assert {"head.out.weight", "head.out.bias"} <= ours.keys()
    backbone: S3D = BACKBONES.build("S3D").eval()
    backbone.load_state_dict(
        {key.removeprefix("backbone."): value for key, value in ours.items() if key.startswith("backbone.")}
    )
    with torch.no_grad():
        expected, found = theirs.features(clips()), backbone(clips())
    assert expected.std() > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * expected.std().item())
    for ours_bn, theirs_bn in zip(_norms(backbone), _norms(theirs), strict=True):
        assert (ours_bn.eps, ours_bn.momentum) == (theirs_bn.eps, theirs_bn.momentum)


def _norms(model: nn.Module) -> list[nn.BatchNorm3d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm3d)]


@given(
    kernel=st.integers(1, 3), stride=st.integers(1, 3), padded=st.booleans(),
    sizes=st.tuples(*[st.integers(3, 7)] * 3), seed=st.integers(0, 99),
)  # fmt: skip
def test_pooling_over_space_and_then_time_is_pooling_over_both(kernel, stride, padded, sizes, seed) -> None:
    padding = kernel // 2 if padded else 0
    # Of few numbers, so that many maxima are equal.
    values = torch.randint(3, (2, 3, *sizes), generator=torch.Generator().manual_seed(seed)).float()
    results = []
    for pool in (nn.MaxPool3d(kernel, stride, padding), SeparableMaxPool3d(kernel, stride, padding)):
        x = values.clone().requires_grad_()
        pooled = pool(x)
        (pooled * torch.arange(pooled.numel()).view_as(pooled)).sum().backward()
        results.append((pooled, x.grad))
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_batch_norm_settings_of_the_two_kinds_of_units() -> None:
    assert {(norm.eps, norm.momentum) for norm in _norms(S3DG())} == {(1e-5, 0.1)}
    norms = {
        name: module
        for name, module in S3DG(bn_params={"eps": 1e-3}).named_modules()
        if name.endswith(("bn", "bn1", "bn2"))
    }
    assert {name: norm.eps for name, norm in norms.items()} == {
        name: 1e-5 if name.endswith(".bn") else 1e-3 for name in norms
    }


def test_each_branch_has_its_gate_and_a_gate_sees_the_clip() -> None:
    gated, plain = S3DG(), S3D()
    gates = [module for module in gated.modules() if isinstance(module, FeatureGate)]
    assert len(gates) == 9 * 4 and not any(isinstance(module, FeatureGate) for module in plain.modules())
    x = torch.randn(2, 64, 3, 4, 5)
    gate = gates[0]
    expected = x * torch.sigmoid(x.mean((2, 3, 4)) @ gate.fc.weight.T + gate.fc.bias)[:, :, None, None, None]
    torch.testing.assert_close(gate(x), expected)
    assert gated.state_dict().keys() - plain.state_dict().keys() == {
        key for key in gated.state_dict() if ".gating_b" in key
    }


def test_the_smallest_clip_has_features_and_smaller_ones_are_refused() -> None:
    backbone = S3D().eval()
    least = torch.randn(1, 3, 5, 17, 17)
    assert backbone(least).shape == (1, 1024, 1, 1, 1)
    assert torch.equal(backbone(least), backbone.forward_features(least))
    for shape in ((1, 3, 4, 64, 64), (1, 3, 8, 16, 64), (1, 3, 8, 64, 16)):
        with pytest.raises(InputError, match="at least 5 frames of at least 17x17"):
            backbone(torch.zeros(shape))
    with pytest.raises(InputError, match="float64"):
        backbone(torch.zeros(1, 3, 8, 32, 32, dtype=torch.float64))
    with pytest.raises(InputError, match="in_chans equal to the number of input channels"):
        backbone(torch.zeros(1, 4, 8, 32, 32))

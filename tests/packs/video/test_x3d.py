"""X3D: widths and depths, where squeeze-and-excitation and shortcut norms are, and the head over windows."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essmc_core import BACKBONES, HEADS
from essmc_core.errors import ConfigError, InputError
from essmc_video.arguments.widths import round_depth, round_width


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(1, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("factor", "blocks", "params"), [(2.2, [3, 5, 11, 7], 3_794_274), (5.0, [5, 10, 25, 15], 6_153_384)]
)
def test_published_depths_and_parameters(factor: float, blocks: list[int], params: int) -> None:
    network = BACKBONES.build({"type": "X3D", "depth_factor": factor})
    assert [len(stage) for stage in (network.conv2, network.conv3, network.conv4, network.conv5)] == blocks
    assert [info.channels for info in network.feature_info] == [24, 24, 48, 96, 192]
    head = HEADS.build({"type": "X3DHead", "dim": 192, "dim_inner": network.dim_inner, "num_classes": 400})
    assert sum(one.numel() for part in (network, head) for one in part.parameters()) == params


@given(width=st.integers(1, 2000), multiplier=st.floats(0.01, 8))
def test_rounded_widths_are_multiples_of_eight_and_at_most_a_tenth_too_small(width: int, multiplier: float) -> None:
    rounded = round_width(width, multiplier)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * width * multiplier)
    assert rounded <= max(8, width * multiplier + 8)


def test_no_multiplier_leaves_width_and_depth() -> None:
    assert round_width(13, None) == round_width(13, 0) == 13
    assert round_depth(3, None) == round_depth(3, 0) == 3


def test_squeeze_and_excitation_is_in_every_other_block_and_norms_only_where_widths_change() -> None:
    network = BACKBONES.build({"type": "X3D"})
    for stage in (network.conv2, network.conv3, network.conv4, network.conv5):
        squeezed = [hasattr(block.conv_branch, "b_se") for block in stage]
        assert squeezed == [index % 2 == 0 for index in range(len(stage))]
        assert all(block.short_cut is None for block in stage[1:])
    assert network.conv2.res_1.short_cut is not None
    assert network.conv2.res_1.short_cut_bn is None
    assert network.conv3.res_1.short_cut_bn is not None
    hidden = [stage.res_1.conv_branch.b_se.fc1.out_channels for stage in (network.conv2, network.conv3, network.conv5)]
    assert hidden == [8, 8, 32]


def test_no_squeeze_and_excitation_at_ratio_zero() -> None:
    network = BACKBONES.build({"type": "X3D", "se_ratio": 0.0, "depth_factor": 1.0})
    assert not [name for name, _ in network.named_modules() if "b_se" in name]


def test_maps_keep_all_frames(clip: torch.Tensor) -> None:
    network = BACKBONES.build({"type": "X3D", "depth_factor": 1.0}).eval()
    assert network(clip).shape == (1, network.out_channels, 4, 2, 2)


def test_blocks_start_as_their_shortcuts(clip: torch.Tensor) -> None:
    network = BACKBONES.build({"type": "X3D", "depth_factor": 1.0}).eval()
    inside = network.conv3(network.conv2(network.conv1(clip)))
    torch.testing.assert_close(network.conv3.res_2(inside), inside)


def test_head_averages_the_scores_of_windows_not_the_windows() -> None:
    cfg = {"type": "X3DHead", "dim": 6, "dim_inner": 8, "dim_hidden": 16, "num_classes": 3}
    head = HEADS.build({**cfg, "pool_kernel_size": (2, 1, 2)}).eval()
    whole = HEADS.build(cfg).eval()
    whole.load_state_dict(head.state_dict())
    features = torch.randn(2, 6, 2, 2, 2)
    rows = [whole(features[:, :, :, row : row + 1]) for row in (0, 1)]
    torch.testing.assert_close(head(features), torch.stack(rows).mean(0))
    assert not torch.allclose(head(features), whole(features), atol=1e-6)


def test_hidden_layer_has_a_norm_only_when_asked_for() -> None:
    cfg = {"type": "X3DHead", "dim": 6, "dim_inner": 8, "dim_hidden": 16, "num_classes": 3}
    assert not [key for key in HEADS.build(cfg).state_dict() if key.startswith("hidden_bn")]
    assert HEADS.build({**cfg, "hidden_batch_norm": True}).hidden_bn.num_features == 16


def test_bad_arguments_clips_and_features_are_refused(clip: torch.Tensor) -> None:
    with pytest.raises(ConfigError, match="spatial_strides"):
        BACKBONES.build({"type": "X3D", "spatial_strides": (2, 2)})
    network = BACKBONES.build({"type": "X3D", "depth_factor": 1.0}).eval()
    with pytest.raises(InputError, match="3"):
        network(clip[:, :2])
    with pytest.raises(InputError, match="float32"):
        network(clip.double())
    head = HEADS.build({"type": "X3DHead", "dim": 192, "num_classes": 3, "pool_kernel_size": (13, 5, 5)})
    with pytest.raises(InputError, match="13"):
        head(network(clip))

"""MViT: the schedule of widths, heads and pools, attention written out, positions, other sizes, and refusals."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from essmc_core import BACKBONES
from essmc_core.contract.features import BackboneInterface
from essmc_core.errors import ConfigError, InputError
from essmc_core.weights import load_pretrained
from essmc_video.networks.mvit.attention import PooledAttention
from essmc_video.networks.mvit.backbone import MViT
from essmc_video.networks.mvit.block import MultiscaleBlock
from essmc_video.networks.mvit.schedule import BlockPlan, plan_blocks
from essmc_video.networks.mvit.token_pool import TokenPool
from essmc_video.networks.mvit.window import Window
from tests.samples.narrow_video import MVIT as SMALL

MVIT_B: dict[str, Any] = {
    "embed_dim_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
    "atten_head_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
    "pool_q_stride_size": [[1, 1, 2, 2], [3, 1, 2, 2], [14, 1, 2, 2]],
    "pool_kv_stride_adaptive": [1, 8, 8],
    "pool_kvq_kernel": [3, 3, 3],
}
IMAGES = {"use_2d_patch": True, "temporal_size": 1}
NO_RULES: dict[str, Any] = {
    "embed_dim_mul": None,
    "atten_head_mul": None,
    "dim_mul_in_att": False,
    "pool_q_stride_size": None,
    "pool_kv_stride_size": None,
    "pool_kv_stride_adaptive": None,
    "pool_kvq_kernel": None,
}


def small(**arguments: Any) -> MViT:
    torch.manual_seed(0)
    backbone: MViT = BACKBONES.build({"type": "MViT", **SMALL, **arguments})
    return backbone


def randomized(module: nn.Module) -> Any:
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return module


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("arguments", "head", "count"),
    [
        ({**MVIT_B}, 400, 36_610_672),
        ({**MVIT_B, "temporal_size": 32}, 400, 36_610_672 + 8 * 96),
        ({**MVIT_B, **IMAGES, "pool_kv_stride_adaptive": [1, 4, 4], "pool_kvq_kernel": [1, 3, 3]}, 1000, 36_982_696),
    ],
    ids=["16x4", "32x3", "images"],
)
def test_published_numbers_of_parameters(arguments: dict[str, Any], head: int, count: int) -> None:
    with torch.device("meta"):
        backbone = MViT(**arguments)
    assert sum(parameter.numel() for parameter in backbone.parameters()) + 769 * head == count


def test_schedule_of_mvit_b_is_that_of_the_paper() -> None:
    plans = plan_blocks(16, 96, 1, **{**NO_RULES, **MVIT_B})
    assert [plan.dim for plan in plans] == [96, *[192] * 2, *[384] * 11, *[768] * 2]
    assert [plan.dim_out for plan in plans] == [*[192] * 2, *[384] * 11, *[768] * 3]
    assert [plan.num_heads for plan in plans] == [1, 2, 2, *[4] * 11, 8, 8]
    queries = [plan.query_window.stride if plan.query_window else None for plan in plans]
    assert queries == [(1, 2, 2) if index in (1, 3, 14) else None for index in range(16)]
    keys = [plan.key_window.stride if plan.key_window else None for plan in plans]
    assert keys == [(1, 8, 8), *[(1, 4, 4)] * 2, *[(1, 2, 2)] * 11, *[(1, 1, 1)] * 2]
    assert {window.kernel_size for plan in plans for window in (plan.query_window, plan.key_window) if window} == {
        (3, 3, 3)
    }


def test_widening_in_attention_happens_in_the_named_block_and_outside_in_the_one_before() -> None:
    rules = {**NO_RULES, "embed_dim_mul": [[1, 2.0]], "atten_head_mul": [[1, 2.0]]}
    outside = plan_blocks(3, 48, 1, **rules)
    inside = plan_blocks(3, 48, 1, **{**rules, "dim_mul_in_att": True})
    assert [(plan.dim, plan.dim_out) for plan in outside] == [(48, 96), (96, 96), (96, 96)]
    assert [(plan.dim, plan.dim_out) for plan in inside] == [(48, 48), (48, 96), (96, 96)]
    assert [plan.num_heads for plan in outside] == [plan.num_heads for plan in inside] == [1, 2, 2]


def test_widths_are_rounded_to_multiples_of_eight_or_of_the_heads_rounded_so() -> None:
    plans = plan_blocks(2, 20, 1, **{**NO_RULES, "embed_dim_mul": [[1, 1.7]], "atten_head_mul": [[1, 12.0]]})
    # 20 · 1.7 = 34, next to a multiple of 16 (12 heads, rounded), 32; from then on multiples of 16.
    assert [(plan.dim, plan.dim_out, plan.num_heads) for plan in plans] == [(20, 32, 1), (32, 32, 12)]


def test_no_rules_pool_nothing() -> None:
    plans = plan_blocks(4, 64, 4, **NO_RULES)
    assert plans == [BlockPlan(64, 64, 4, None, None)] * 4


def test_windows_of_one_place_that_skip_none_are_left_out() -> None:
    rules = {**NO_RULES, "pool_q_stride_size": [[0, 1, 1, 1]], "pool_kv_stride_adaptive": [1, 1, 1]}
    plans = plan_blocks(1, 64, 4, **rules)
    assert (plans[0].query_window, plans[0].key_window) == (None, None)
    (wide,) = plan_blocks(1, 64, 4, **{**rules, "pool_kvq_kernel": [1, 3, 3]})
    assert wide.query_window == wide.key_window == Window((1, 3, 3), (1, 1, 1))


@given(
    grid=st.tuples(*[st.integers(1, 20)] * 3),
    kernel=st.tuples(*[st.integers(1, 5)] * 3),
    stride=st.tuples(*[st.integers(1, 4)] * 3),
)
def test_windows_know_what_pooling_leaves(
    grid: tuple[int, int, int], kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> None:
    window = Window(kernel, stride)
    pooled = functional.max_pool3d(torch.zeros(1, 1, *grid), kernel, stride, window.padding)
    assert window.pooled(grid) == tuple(pooled.shape[2:])


@pytest.mark.parametrize("mode", ["conv", "avg", "max"])
@pytest.mark.parametrize("class_tokens", [0, 1])
def test_pools_leave_class_tokens_alone_and_keep_the_order_of_the_grid(mode: Any, class_tokens: int) -> None:
    grid, window = (2, 3, 4), Window((3, 3, 2), (1, 2, 2))
    pool = randomized(TokenPool(5, window, mode, class_tokens))
    tokens = noise(2, class_tokens + 24, 5)
    volume = tokens[:, class_tokens:].transpose(1, 2).reshape(2, 5, *grid)
    if mode == "conv":
        expected = functional.conv3d(volume, pool.pool.weight, None, window.stride, window.padding, groups=5)
    elif mode == "max":
        expected = functional.max_pool3d(volume, window.kernel_size, window.stride, window.padding)
    else:
        padded = functional.pad(volume, [1, 1, 1, 1, 1, 1])
        windows = padded.unfold(2, 3, 1).unfold(3, 3, 2).unfold(4, 2, 2)
        expected = windows.mean((5, 6, 7))
    expected = torch.cat([tokens[:, :class_tokens], expected.flatten(2).transpose(1, 2)], dim=1)
    if mode == "conv":
        expected = functional.layer_norm(expected, (5,), pool.norm.weight, pool.norm.bias, 1e-6)
    torch.testing.assert_close(pool(tokens, grid), expected)


def attention_written_out(layer: PooledAttention, tokens: Tensor, grid: tuple[int, int, int]) -> Tensor:
    """Computes equation 1 of the paper head by head."""
    heads, outputs = layer.num_heads, []

    def pool(module: nn.Module | None, part: Tensor) -> Tensor:
        return part if module is None else module(part, grid)

    if layer.qkv is None:
        weights = [(linear.weight, linear.bias) for linear in (layer.q, layer.k, layer.v)]
    else:
        biases = [None] * 3 if layer.qkv.bias is None else layer.qkv.bias.chunk(3)
        weights = list(zip(layer.qkv.weight.chunk(3), biases, strict=True))
    pools = (layer.pool_q, layer.pool_k, layer.pool_v)
    parts = []
    for (weight, bias), module in zip(weights, pools, strict=True):
        if layer.pool_first:
            pooled = torch.cat([pool(module, part) for part in tokens.chunk(heads, dim=-1)], dim=-1)
            parts.append(list(functional.linear(pooled, weight, bias).chunk(heads, dim=-1)))
        else:
            projected = functional.linear(tokens, weight, bias).chunk(heads, dim=-1)
            parts.append([pool(module, part) for part in projected])
    for query, key, value in zip(*parts, strict=True):
        weights_of_values = (query @ key.transpose(1, 2) / query.shape[-1] ** 0.5).softmax(-1)
        gathered = weights_of_values @ value
        outputs.append(gathered + query if layer.residual_pool else gathered)
    return layer.proj(torch.cat(outputs, dim=-1))


@pytest.mark.parametrize("class_tokens", [0, 1])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"residual_pool": True},
        {"separate_qkv": False},
        {"separate_qkv": False, "qkv_bias": False, "bias_on": False},
        {"pool_first": True},
        {"pool_first": True, "residual_pool": True, "separate_qkv": False, "qkv_bias": False},
        {"depthwise_conv": False},
        {"pool_first": True, "depthwise_conv": False},
        {"pooling_mode": "max", "residual_pool": True},
        {"pooling_mode": "avg", "bias_on": False},
    ],
    ids=str,
)
def test_attention_is_the_papers_equation(options: dict[str, Any], class_tokens: int) -> None:
    windows = Window((3, 3, 3), (1, 2, 2)), Window((3, 3, 3), (2, 2, 2))
    layer = randomized(PooledAttention(12, 24, 3, *windows, class_tokens=class_tokens, **options))
    tokens, grid = noise(2, class_tokens + 3 * 4 * 6, 12), (3, 4, 6)
    found = layer(tokens, grid)
    torch.testing.assert_close(found, attention_written_out(layer, tokens, grid), rtol=1e-4, atol=1e-5)
    assert found.shape == (2, class_tokens + 3 * 2 * 3, 24)


def test_options_decide_which_layers_have_biases_and_how_pools_mix_features() -> None:
    def layers(**options: Any) -> set[str]:
        return {name for name, _ in small(**options).blocks[0].named_parameters()}

    plain = layers()
    assert layers(qkv_bias=False) == plain - {"attn.q.bias", "attn.k.bias", "attn.v.bias"}
    assert layers(bias_on=False) == plain - {"attn.proj.bias", "mlp.fc1.bias", "mlp.fc2.bias", "proj.bias"}
    assert not [name for name in layers(pooling_mode="max") if "pool" in name]
    assert {"attn.qkv.weight", "attn.qkv.bias"} <= layers(separate_qkv=False)
    assert layers(separate_qkv=False, pool_first=True) == plain
    assert small(depthwise_conv=False).blocks[0].attn.pool_k.pool.weight.shape == (16, 16, 3, 3, 3)
    assert small().blocks[0].attn.pool_k.pool.weight.shape == (16, 1, 3, 3, 3)


def test_the_shortcut_takes_maxima_and_what_the_norm_returned_where_it_widens() -> None:
    plan = BlockPlan(8, 16, 2, Window((3, 3, 3), (1, 2, 2)), None)
    tokens, grid = noise(1, 1 + 2 * 4 * 4, 8), (2, 4, 4)

    def maxima(of: Tensor) -> Tensor:
        volume = of[:, 1:].transpose(1, 2).reshape(1, -1, *grid)
        pooled = functional.max_pool3d(volume, (1, 3, 3), (1, 2, 2), (0, 1, 1)).flatten(2).transpose(1, 2)
        return torch.cat([of[:, :1], pooled], dim=1)

    outside = randomized(MultiscaleBlock(plan))
    middle = maxima(tokens) + outside.attn(outside.norm1(tokens), grid)
    normed = outside.norm2(middle)
    torch.testing.assert_close(outside(tokens, grid), outside.proj(normed) + outside.mlp(normed))
    inside = randomized(MultiscaleBlock(plan, dim_mul_in_att=True))
    normed = inside.norm1(tokens)
    middle = maxima(inside.proj(normed)) + inside.attn(normed, grid)
    torch.testing.assert_close(inside(tokens, grid), middle + inside.mlp(inside.norm2(middle)))


def test_every_norm_has_the_epsilon_of_the_paper() -> None:
    norms = [module for module in small().modules() if isinstance(module, nn.LayerNorm)]
    assert len(norms) == 3 * 2 + 3 * 2 + 1 + 1
    assert {norm.eps for norm in norms} == {1e-6}


def test_new_networks_have_small_tables_and_linear_layers_and_no_biases() -> None:
    network = small(patch_embed_dim=64)
    for parameter in (*network.positions.parameters(), network.blocks[0].mlp.fc1.weight):
        assert 0.01 < parameter.std() < 0.03
    for module in network.modules():
        if isinstance(module, nn.Linear):
            assert module.bias.abs().max() == 0
    assert network.patch_embed.conv.bias.abs().max() > 0


@pytest.mark.parametrize("class_token", [True, False])
def test_features_are_as_announced(class_token: bool) -> None:
    network = small(cls_embed_on=class_token).eval()
    assert isinstance(network, BackboneInterface)
    assert (network.layout, network.num_frames, network.feature_rank) == ("NCTHW", 4, 0)
    clip = noise(2, 3, 4, 32, 32)
    features = network.forward_features(clip, out_indices=range(3))
    for feature, info in zip(features, network.feature_info, strict=True):
        assert feature.shape == (2, info.channels, 4 // info.temporal_reduction, *[32 // info.reduction] * 2)
    assert [info.name for info in network.feature_info] == ["blocks.0", "blocks.1", "norm"]
    torch.testing.assert_close(network.forward_features(clip), features[-1])
    torch.testing.assert_close(network.forward_features(clip, out_indices=(-3,))[0], features[0])
    assert network.forward_features(clip, out_indices=()) == []
    pooled = network(clip)
    assert pooled.shape == (2, network.out_channels)
    assert torch.allclose(pooled, features[-1].mean((2, 3, 4)), atol=1e-5) != class_token
    with pytest.raises(IndexError):
        network.forward_features(clip, out_indices=(3,))


def test_images_have_maps_without_time() -> None:
    network = small(**IMAGES, pool_kvq_kernel=[1, 3, 3]).eval()
    assert isinstance(network, BackboneInterface)
    assert (network.layout, network.num_frames) == ("NCHW", None)
    image = noise(2, 3, 32, 32)
    shapes = [tuple(feature.shape) for feature in network.forward_features(image, out_indices=range(3))]
    assert shapes == [(2, 32, 8, 8), (2, 64, 4, 4), (2, 64, 4, 4)]
    assert network(image).shape == (2, 64)


def test_images_are_clips_of_one_frame() -> None:
    still = small(**IMAGES, pool_kvq_kernel=[1, 3, 3]).eval()
    patch = {"kernel": (1, 7, 7), "stride": (1, 4, 4), "padding": (0, 3, 3)}
    moving = small(
        temporal_size=1,
        pool_kvq_kernel=[1, 3, 3],
        **{f"conv_patch_embed_{name}": sizes for name, sizes in patch.items()},
    ).eval()
    state = still.state_dict()
    state["patch_embed.conv.weight"] = state["patch_embed.conv.weight"].unsqueeze(2)
    moving.load_state_dict(state)
    image = noise(2, 3, 32, 32)
    torch.testing.assert_close(moving(image.unsqueeze(2)), still(image))


def test_separate_positions_are_added_time_slow_and_space_fast() -> None:
    separate, joint = small(), small(sep_pos_embed=False)
    grid = separate.grid
    assert grid == joint.grid == (2, 8, 8)
    tables = separate.positions
    sums = torch.stack([tables.spatial[0] + tables.temporal[0, step] for step in range(2)]).flatten(0, 1)
    state = {key: value for key, value in separate.state_dict().items() if not key.startswith("positions.")}
    state["positions.class_token"] = tables.class_token
    state["positions.joint"] = torch.cat([tables.class_position[0], sums])[None]
    joint.load_state_dict(state)
    clip = noise(1, 3, 4, 32, 32)
    torch.testing.assert_close(joint.eval()(clip), separate.eval()(clip))


@pytest.mark.parametrize("separate", [True, False])
@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize(("frames", "height", "width"), [(8, 32, 32), (4, 48, 64), (2, 16, 32), (5, 33, 30), (2, 8, 8)])
def test_other_sizes_run_and_equal_a_network_built_for_them_from_the_same_weights(
    tmp_path: Path, separate: bool, class_token: bool, frames: int, height: int, width: int
) -> None:
    options = {"sep_pos_embed": separate, "cls_embed_on": class_token}
    network = small(**options).eval()
    clip = noise(2, 3, frames, height, width)
    found = network(clip)
    path = tmp_path / "weights.pth"
    torch.save(network.state_dict(), path)
    other = small(**options, temporal_size=frames, spatial_size=(height, width)).eval()
    load_pretrained(other, path, position_grid=network.grid)
    torch.testing.assert_close(found, other(clip), rtol=1e-4, atol=1e-5)
    info = network.feature_info[-1]
    shape = network.forward_features(clip).shape
    assert shape == (2, info.channels, *(-(-size // by) for size, by in zip(clip.shape[2:], (2, 8, 8), strict=True)))


def test_interpolated_positions_are_trained() -> None:
    network = small().train()
    network(noise(1, 3, 8, 48, 48)).square().sum().backward()
    assert all(
        parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in network.positions.parameters()
    )


def test_dropout_and_drop_path_act_in_training_alone_and_rise_with_depth() -> None:
    network = small(dropout_rate_block=0.2, droppath_rate_block=0.5)
    assert [getattr(block.drop_path, "drop_prob", 0.0) for block in network.blocks] == [0.0, 0.25, 0.5]
    rates = [module.p for module in network.modules() if isinstance(module, nn.Dropout)]
    assert rates == [0.2] * (1 + 2 * 3)
    clip = noise(2, 3, 4, 32, 32)
    torch.testing.assert_close(network.eval()(clip), network(clip))
    assert not torch.allclose(network.train()(clip), network(clip))


def test_gradients_in_bfloat16_are_those_of_float32_on_clips_shorter_than_the_pools() -> None:
    exact = randomized(small(temporal_size=2))
    rounded = copy.deepcopy(exact)
    clip = noise(1, 3, 2, 32, 32)
    exact(clip).sum().backward()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded(clip).float().sum().backward()
    for (name, one), other in zip(exact.named_parameters(), rounded.parameters(), strict=True):
        assert other.grad is not None
        assert (other.grad - one.grad).norm() < 0.2 * one.grad.norm() + 0.05, name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 0}, "depth 0"),
        ({"pooling_mode": "median"}, "pooling_mode"),
        ({"use_2d_patch": True}, "temporal_size=4"),
        ({**IMAGES, "conv_patch_embed_kernel": (3, 7, 7)}, "conv_patch_embed_kernel has 2 numbers"),
        ({"conv_patch_embed_stride": (4, 4)}, "conv_patch_embed_stride has 3 numbers"),
        ({"temporal_size": 1}, "at least 2 frames"),
        ({"spatial_size": 3}, "4×4"),
        ({"spatial_size": (32, 32, 32)}, "spatial_size"),
        ({"embed_dim_mul": [[4, 2.0]]}, "embed_dim_mul has an entry for block 4"),
        ({"embed_dim_mul": [[1, 2.0, 3.0]]}, "embed_dim_mul has entries of the form"),
        ({"pool_q_stride_size": [[3, 1, 2, 2]]}, "blocks are 0 to 2"),
        ({"pool_q_stride_size": [[1, 2, 2]]}, "pool_q_stride_size has entries"),
        ({"pool_kv_stride_size": [[0, 1, 2, 2]]}, "both given"),
        ({"pool_kv_stride_adaptive": [4, 4]}, "pool_kv_stride_adaptive"),
        ({"pool_kvq_kernel": [3, 3]}, "kernel_size"),
        ({"num_heads": 3}, "3 heads"),
        ({"pool_q_stride_size": [[1, 1, 2, 2]], "pool_kvq_kernel": [2, 2, 2]}, "on the shortcut"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        MViT(**{**SMALL, **arguments})


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        ((3, 4, 32, 32), torch.float32, "add the batch"),
        ((1, 4, 3, 32, 32), torch.float32, "transpose"),
        ((1, 1, 4, 32, 32), torch.float32, "in_chans"),
        ((1, 3, 1, 32, 32), torch.float32, "T >= 2"),
        ((1, 3, 4, 3, 32), torch.float32, "H >= 4"),
        ((1, 3, 4, 32, 0), torch.float32, "W >= 4"),
        ((1, 3, 4, 32, 32), torch.uint8, "255"),
        ((1, 3, 4, 32, 32), torch.float64, "torch.float32"),
    ],
)
def test_clips_it_cannot_take_are_refused(shape: tuple[int, ...], dtype: torch.dtype, message: str) -> None:
    network = small()
    with pytest.raises(InputError, match=message):
        network(torch.zeros(shape, dtype=dtype))
    with pytest.raises(InputError, match=message):
        network.forward_features(torch.zeros(shape, dtype=dtype))


def test_images_it_cannot_take_are_refused() -> None:
    network = small(**IMAGES)
    for shape, message in {(1, 3, 4, 32, 32): "NCHW", (3, 32, 32): "batch", (1, 3, 3, 32): "H >= 4"}.items():
        with pytest.raises(InputError, match=message):
            network(torch.zeros(shape))


def test_sizes_at_which_queries_and_shortcut_part_are_refused() -> None:
    network = small(pool_q_stride_size=[[1, 1, 3, 3]])
    assert network(noise(1, 3, 4, 32, 32)).shape == (1, 64)
    with pytest.raises(InputError, match="pool_kvq_kernel"):
        network(noise(1, 3, 4, 36, 36))

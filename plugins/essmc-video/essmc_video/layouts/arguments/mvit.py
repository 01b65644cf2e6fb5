"""Arguments of MViT, which doubles widths and pools tokens at chosen blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.layouts.arguments.shared import Config, numbers, without_defaults

# What the first convolution strides, by which a grid of tokens is smaller than the clip.
_STEM = (2, 4, 4)
_KERNEL = (3, 7, 7)
_USUAL_HEAD = 96
_HALVED = [1, 2, 2]
_DEFAULTS: Config = {
    "spatial_size": 224, "temporal_size": 16, "in_chans": 3, "cls_embed_on": True, "sep_pos_embed": True, "depth": 16,
    "patch_embed_dim": 96, "conv_patch_embed_kernel": None, "use_2d_patch": False, "num_heads": 1, "mlp_ratio": 4.0,
    "qkv_bias": True, "residual_pool": False, "depthwise_conv": True, "bias_on": True, "separate_qkv": True,
    "embed_dim_mul": None, "atten_head_mul": None, "dim_mul_in_att": False, "pool_q_stride_size": None,
    "pool_kv_stride_adaptive": None, "pool_kvq_kernel": None,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Block:
    """What the tensors of a block tell: its widths, and the window of its pools."""

    dim: int
    inner: int
    dim_out: int
    heads: int
    query_pool: tuple[int, ...]
    key_pool: tuple[int, ...]


def mvit(shapes: Shapes) -> Iterator[Config]:
    """Yields the configurations that may have these names and shapes."""
    blocks = [_block(shapes, f"blocks.{index}") for index in numbers(shapes, "blocks.")]
    stem, first = shapes["patch_embed.conv.weight"], "blocks.0"
    is_image = len(stem) == 4
    in_attention = any(block.inner != block.dim for block in blocks)
    separate = f"{first}.attn.q.weight" in shapes
    pool = next((block.key_pool or block.query_pool for block in blocks if block.key_pool or block.query_pool), ())
    kernel = list(stem[2:])
    arguments: Config = {
        "in_chans": stem[1],
        "cls_embed_on": "positions.class_token" in shapes,
        "sep_pos_embed": "positions.spatial" in shapes,
        "depth": len(blocks),
        "patch_embed_dim": stem[0],
        "conv_patch_embed_kernel": None if kernel == list(_KERNEL[-len(kernel) :]) else kernel,
        "use_2d_patch": is_image,
        "num_heads": blocks[0].heads,
        "mlp_ratio": shapes[f"{first}.mlp.fc1.weight"][0] / blocks[0].inner,
        "qkv_bias": f"{first}.attn.{'q' if separate else 'qkv'}.bias" in shapes,
        "bias_on": f"{first}.attn.proj.bias" in shapes,
        "separate_qkv": separate,
        "dim_mul_in_att": in_attention,
        # The second generation brought both.
        "residual_pool": in_attention,
        "depthwise_conv": not pool or pool[1] == 1,
        "embed_dim_mul": _widening(blocks, in_attention) or None,
        "atten_head_mul": _heads(blocks) or None,
        "pool_q_stride_size": _query_strides(blocks) or None,
        "pool_kv_stride_adaptive": _key_stride(blocks, is_image),
        "pool_kvq_kernel": list(pool[2:]) or None,
    }
    for steps, side in _grids(shapes, arguments):
        grid = {"temporal_size": 1 if is_image else steps * _STEM[0], "spatial_size": side * _STEM[1]}
        yield {"type": "MViT", **without_defaults({**arguments, **grid}, _DEFAULTS)}


def _block(shapes: Shapes, front: str) -> _Block:
    dim_out, dim = shapes[f"{front}.mlp.fc2.weight"][0], shapes[f"{front}.norm1.weight"][0]
    inner = shapes[f"{front}.attn.proj.weight"][0]
    pools = [shapes.get(f"{front}.attn.pool_{which}.pool.weight", ()) for which in "qk"]
    head = next((pool[0] for pool in pools if pool), _USUAL_HEAD)
    return _Block(dim, inner, dim_out, max(1, inner // head), *pools)


def _widening(blocks: list[_Block], in_attention: bool) -> list[list[float]]:
    """Returns the factors of the width; a block that widens behind its attention widens for the next one."""
    offset = 0 if in_attention else 1
    return [
        [number + offset, block.dim_out / block.dim]
        for number, block in enumerate(blocks) if block.dim_out != block.dim
    ]  # fmt: skip


def _heads(blocks: list[_Block]) -> list[list[float]]:
    return [
        [number, block.heads / blocks[number - 1].heads]
        for number, block in enumerate(blocks) if number and block.heads != blocks[number - 1].heads
    ]  # fmt: skip


def _query_strides(blocks: list[_Block]) -> list[list[int]]:
    """Returns the strides of the queries' pools: the published networks halve where they have more heads."""
    rising = {int(number) for number, _ in _heads(blocks)}
    every = all(block.query_pool for block in blocks)
    return [
        [number, *(_HALVED if number in rising or not every else [1, 1, 1])]
        for number, block in enumerate(blocks) if block.query_pool
    ]  # fmt: skip


def _key_stride(blocks: list[_Block], is_image: bool) -> list[int] | None:
    if not all(block.key_pool for block in blocks):
        return None
    halvings = sum(strides[1:] == _HALVED for strides in _query_strides(blocks))
    side = 4 if is_image else 2**halvings
    return [1, side, side]


def _grids(shapes: Shapes, arguments: Config) -> list[tuple[int, int]]:
    """Returns the (steps of time, tokens along a side) that the tables of positions allow."""
    if arguments["sep_pos_embed"]:
        side = math.isqrt(shapes["positions.spatial"][1])
        return [(shapes["positions.temporal"][1], side)]
    tokens = shapes["positions.joint"][1] - int(arguments["cls_embed_on"])
    if arguments["use_2d_patch"]:
        return [(1, math.isqrt(tokens))]
    found = [(tokens // side**2, side) for side in range(math.isqrt(tokens), 3, -1) if tokens % side**2 == 0]
    return sorted(found, key=lambda grid: (grid[1] not in (56, 28), -grid[1]))[:3]

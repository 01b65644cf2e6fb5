"""How widths, heads and pools change from block to block."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from essmc_core.errors import ConfigError, InputError
from essmc_video.arguments.sizes import Triple, check_positive, triple
from essmc_video.arguments.widths import round_width
from essmc_video.networks.mvit.window import Window

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """What one block is to be.

    Attributes:
        dim: width of the tokens it gets.
        dim_out: width of those it returns.
        num_heads: heads of its attention.
        query_window: how its queries are pooled, None for not at all.
        key_window: likewise for keys and values.
    """

    dim: int
    dim_out: int
    num_heads: int
    query_window: Window | None
    key_window: Window | None

    @property
    def skip_window(self) -> Window | None:
        """How the shortcut is pooled, which has to leave as many tokens as there are queries."""
        if self.query_window is None or math.prod(self.query_window.stride) == 1:
            return None
        return Window.of_stride(self.query_window.stride)

    def pooled(self, grid: Triple) -> Triple:
        """Returns how many tokens along time, height and width come out of a grid.

        Raises:
            InputError: queries and shortcut would not become equally many.
        """
        query = self.query_window.pooled(grid) if self.query_window else grid
        skip = self.skip_window.pooled(grid) if self.skip_window else grid
        if query != skip:
            raise InputError(
                f"tokens of {_times(grid)} (time, height, width) become {_times(query)} as queries and {_times(skip)} "
                "on the shortcut",
                hint="give another size, or leave pool_kvq_kernel out, which makes both the same",
            )
        return query


def plan_blocks(
    depth: int,
    dim: int,
    num_heads: int,
    *,
    embed_dim_mul: Sequence[Sequence[float]] | None,
    atten_head_mul: Sequence[Sequence[float]] | None,
    dim_mul_in_att: bool,
    pool_q_stride_size: Sequence[Sequence[int]] | None,
    pool_kv_stride_size: Sequence[Sequence[int]] | None,
    pool_kv_stride_adaptive: Sequence[int] | None,
    pool_kvq_kernel: Sequence[int] | None,
) -> list[BlockPlan]:
    """Returns the plan of every block; the arguments are those of `MViT`.

    Raises:
        ConfigError: an entry is for a block that is not there, or has another length, or there are two rules for keys.
    """
    if depth < 1:
        raise ConfigError(f"a transformer of depth {depth} has no block", hint="give a depth of at least 1")
    check_positive(patch_embed_dim=dim, num_heads=num_heads, pool_kvq_kernel=pool_kvq_kernel or ())
    if pool_kvq_kernel is not None:
        triple("pool_kvq_kernel, the kernel_size of all pools,", pool_kvq_kernel)
    head_mul = _multipliers("atten_head_mul", atten_head_mul, depth)
    widths = _widths(depth, dim, num_heads, embed_dim_mul, head_mul, dim_mul_in_att)
    query_strides = _strides("pool_q_stride_size", pool_q_stride_size, depth)
    if pool_kv_stride_adaptive is None:
        key_strides = _strides("pool_kv_stride_size", pool_kv_stride_size, depth)
    elif pool_kv_stride_size is None:
        key_strides = _adapted(pool_kv_stride_adaptive, query_strides, depth)
    else:
        raise ConfigError("pool_kv_stride_size and pool_kv_stride_adaptive are both given", hint="keep one of them")
    return [
        BlockPlan(
            widths[index],
            widths[index + 1],
            heads,
            _window(query_strides.get(index), pool_kvq_kernel),
            _window(key_strides.get(index), pool_kvq_kernel),
        )
        for index, heads in enumerate(_heads(num_heads, head_mul, depth))
    ]


def _heads(num_heads: int, head_mul: dict[int, float], depth: int) -> list[int]:
    heads = []
    for index in range(depth):
        num_heads = round_width(num_heads, head_mul.get(index, 1.0), divisor=1, minimum=1)
        heads.append(num_heads)
    return heads


def _widths(
    depth: int,
    dim: int,
    num_heads: int,
    embed_dim_mul: Sequence[Sequence[float]] | None,
    head_mul: dict[int, float],
    dim_mul_in_att: bool,
) -> list[int]:
    """Returns the width in front of every block, and behind the last one.

    Widths are rounded to what the heads can share. Outside attention a block widens for the next one.
    """
    dim_mul = _multipliers("embed_dim_mul", embed_dim_mul, depth)
    widths = [dim]
    for index, heads in enumerate(_heads(num_heads, head_mul, depth)):
        at = index if dim_mul_in_att else index + 1
        divisor = round_width(heads, head_mul.get(at, 1.0))
        widths.append(round_width(widths[-1], dim_mul.get(at, 1.0), divisor=divisor))
    return widths


def _adapted(start: Sequence[int], query_strides: dict[int, Sequence[int]], depth: int) -> dict[int, Sequence[int]]:
    """Returns strides of keys that fall as the queries become fewer, so that the number of keys stays the same."""
    strides: dict[int, Sequence[int]] = {}
    stride: Sequence[int] = triple("pool_kv_stride_adaptive", start)
    check_positive(pool_kv_stride_adaptive=stride)
    for index in range(depth):
        if index in query_strides:
            stride = [max(own // query, 1) for own, query in zip(stride, query_strides[index], strict=True)]
        strides[index] = stride
    return strides


def _window(stride: Sequence[int] | None, kernel_size: Sequence[int] | None) -> Window | None:
    if stride is None:
        return None
    window = Window.of_stride(stride, kernel_size)
    return None if window.changes_nothing else window


def _multipliers(name: str, entries: Sequence[Sequence[float]] | None, depth: int) -> dict[int, float]:
    return {index: rest[0] for index, rest in _by_block(name, entries, depth + 1, 1, "[block, factor]").items()}


def _strides(name: str, entries: Sequence[Sequence[int]] | None, depth: int) -> dict[int, Sequence[int]]:
    strides = _by_block(name, entries, depth, 3, "[block, time, height, width]")
    for stride in strides.values():
        check_positive(**{name: stride})
    return {index: triple(name, rest) for index, rest in strides.items()}


def _by_block(
    name: str, entries: Sequence[Sequence[T]] | None, blocks: int, numbers: int, form: str
) -> dict[int, Sequence[T]]:
    """Reads entries of the form (block, numbers); a later entry for the same block counts.

    Raises:
        ConfigError: an entry has another form, or there is no such block.
    """
    found: dict[int, Sequence[T]] = {}
    for entry in entries or ():
        if isinstance(entry, (int, float)) or len(entry) != numbers + 1:
            raise ConfigError(f"{name} has entries of the form {form}, got {entry}")
        index = entry[0]
        if index not in range(blocks):
            raise ConfigError(f"{name} has an entry for block {index}, and blocks are 0 to {blocks - 1}")
        found[int(index)] = entry[1:]  # type: ignore[call-overload]
    return found


def _times(grid: Triple) -> str:
    return "×".join(map(str, grid))

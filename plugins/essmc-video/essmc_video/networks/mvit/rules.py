"""What the arguments of MViT must be, alone and together; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from essmc_core.building.rules import rule_check
from essmc_core.errors import ConfigError, InputError
from essmc_video.arguments.sizes import Triple, check_shared
from essmc_video.networks.mvit.patch_grid import PatchGrid
from essmc_video.networks.mvit.schedule import BlockPlan, plan_blocks


def check_modes(pooling_mode: str, use_2d_patch: bool, temporal_size: int) -> None:
    """Refuses an unknown pooling, and images of several frames.

    Raises:
        ConfigError: says which.
    """
    if pooling_mode not in ("conv", "avg", "max"):
        raise ConfigError(f"pooling_mode is 'conv', 'avg' or 'max', got {pooling_mode!r}")
    if use_2d_patch and temporal_size != 1:
        raise ConfigError(
            f"images have one frame, got temporal_size={temporal_size}",
            hint="set temporal_size to 1, or use_2d_patch to False for clips",
        )


def check_heads(dim: int, dim_out: int, num_heads: int, pool_first: bool) -> None:
    """Refuses heads that cannot share what attention maps from one width to another.

    Raises:
        ConfigError: names heads and width.
    """
    for width in (dim_out, dim) if pool_first else (dim_out,):
        check_shared(num_heads, width)


def checked_grid(
    spatial_size: int | Sequence[int], temporal_size: int, patches: PatchGrid, plans: Iterable[BlockPlan]
) -> Triple:
    """Returns the grid of tokens for the size a network is built for, which all of its blocks can pool.

    Raises:
        ConfigError: the size is too small, not a size, or cannot be pooled.
    """
    size = (spatial_size,) * 2 if isinstance(spatial_size, int) else tuple(spatial_size)
    if len(size) != 2:
        raise ConfigError(f"spatial_size {spatial_size} is neither one number nor height and width")
    sizes, least = (temporal_size, size[0], size[1]), patches.min_size
    if any(one < limit for one, limit in zip(sizes, least, strict=True)):
        raise ConfigError(
            f"expected at least {least[0]} frames of at least {least[1]}×{least[2]} pixels, got "
            f"spatial_size {spatial_size} with temporal_size {temporal_size}",
            hint="with another stride of the first convolution smaller ones will do",
        )
    grid = pooled = patches.of_clip(sizes)
    try:
        for plan in plans:
            pooled = plan.pooled(pooled)
    except InputError as error:
        raise ConfigError(
            f"spatial_size {spatial_size} with temporal_size {temporal_size}: {error.message}", hint=error.hint
        ) from error
    return grid


def check_plan(
    spatial_size: int | Sequence[int],
    temporal_size: int,
    depth: int,
    patch_embed_dim: int,
    conv_patch_embed_kernel: Sequence[int] | None,
    conv_patch_embed_stride: Sequence[int] | None,
    conv_patch_embed_padding: Sequence[int] | None,
    use_2d_patch: bool,
    num_heads: int,
    pool_first: bool,
    embed_dim_mul: Sequence[Sequence[float]] | None,
    atten_head_mul: Sequence[Sequence[float]] | None,
    dim_mul_in_att: bool,
    pool_q_stride_size: Sequence[Sequence[int]] | None,
    pool_kv_stride_size: Sequence[Sequence[int]] | None,
    pool_kv_stride_adaptive: Sequence[int] | None,
    pool_kvq_kernel: Sequence[int] | None,
) -> None:
    """Plans all blocks and refuses what the network could not be built with.

    Raises:
        ConfigError: sizes, widths, heads or entries per block do not fit together.
    """
    patches = PatchGrid.of(
        conv_patch_embed_kernel, conv_patch_embed_stride, conv_patch_embed_padding, images=use_2d_patch
    )
    plans = plan_blocks(
        depth,
        patch_embed_dim,
        num_heads,
        embed_dim_mul=embed_dim_mul,
        atten_head_mul=atten_head_mul,
        dim_mul_in_att=dim_mul_in_att,
        pool_q_stride_size=pool_q_stride_size,
        pool_kv_stride_size=pool_kv_stride_size,
        pool_kv_stride_adaptive=pool_kv_stride_adaptive,
        pool_kvq_kernel=pool_kvq_kernel,
    )
    for plan in plans:
        check_heads(plan.dim, plan.dim_out if dim_mul_in_att else plan.dim, plan.num_heads, pool_first)
    checked_grid(spatial_size, temporal_size, patches, plans)


check_mvit = rule_check(check_modes, check_plan)

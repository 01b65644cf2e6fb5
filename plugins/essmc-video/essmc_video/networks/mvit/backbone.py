"""MViT."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from essmc_core.contract.annotations import PositiveFloat, PositiveInt, Probability
from essmc_core.contract.features import FeatureInfo
from essmc_core.contract.input_tensors import check_backbone_input
from essmc_video.layers.conv_chain import Triple
from essmc_video.layers.drop_path import linear_rates
from essmc_video.layers.transformer_init import initialize
from essmc_video.networks.clip_sizes import clip_sizes
from essmc_video.networks.mvit.block import MultiscaleBlock
from essmc_video.networks.mvit.patch_embed import PatchEmbed
from essmc_video.networks.mvit.positions import ClassAndPositions
from essmc_video.networks.mvit.rules import check_modes, checked_grid
from essmc_video.networks.mvit.schedule import BlockPlan, plan_blocks
from essmc_video.networks.mvit.token_pool import EPS, PoolingMode


@dataclass(eq=False, repr=False)
class MViT(nn.Module):
    """Multiscale transformer: (N, in_chans, T, H, W), or images (N, in_chans, H, W), → (N, num_features).

    Fan et al., "Multiscale Vision Transformers", ICCV 2021. Without factors and strides it is a plain vision
    transformer. MViT-B doubles ``embed_dim_mul`` and ``atten_head_mul`` at blocks 1, 3 and 14, has
    ``pool_q_stride_size`` (1, 2, 2) there, ``pool_kv_stride_adaptive`` (1, 8, 8) and ``pool_kvq_kernel`` (3, 3, 3). The
    output is the normalised class token, or the mean of all normalised tokens where there is no class token.

    Other sizes than it was built for work too: positions are interpolated linearly in time, height and width.

    Args:
        spatial_size: height and width it is built for, one number or two.
        temporal_size: frames it is built for; 1 for images.
        in_chans: channels of the input.
        cls_embed_on: put a class token in front.
        sep_pos_embed: separate positions in space and in time, which are added.
        depth: number of blocks.
        patch_embed_dim: width of the first block's tokens.
        conv_patch_embed_kernel: (time, height, width) of the first convolution, (height, width) for images; by default
            (3, 7, 7).
        conv_patch_embed_stride: likewise; by default (2, 4, 4).
        conv_patch_embed_padding: likewise; by default (1, 3, 3).
        use_2d_patch: take images.
        num_heads: heads of the first block.
        mlp_ratio: width of a block's hidden layer over the width in front of it.
        qkv_bias: give the layers to queries, keys and values biases.
        dropout_rate_block: chance of dropping a feature behind the positions and behind linear layers, in [0, 1].
        droppath_rate_block: chance of leaving out a residual branch in the last block, in [0, 1], falling linearly to 0
            in the first.
        pooling_mode: how tokens are pooled in attention: a learned convolution, the mean or the maximum.
        pool_first: pool in front of the layers to queries, keys and values.
        residual_pool: add the pooled queries to what they gather.
        depthwise_conv: let learned pools treat each feature by itself.
        bias_on: give the other linear layers of the blocks biases.
        separate_qkv: a layer each for queries, keys and values, instead of one; always so with ``pool_first``.
        embed_dim_mul: pairs (block, factor): the width is multiplied for this block, by the one in front of it.
        atten_head_mul: pairs (block, factor): the number of heads is multiplied from this block on.
        dim_mul_in_att: multiply the width in the block's own attention.
        pool_q_stride_size: (block, time, height, width): strides of the queries' pools; other blocks have none.
        pool_kv_stride_size: likewise for keys and values.
        pool_kv_stride_adaptive: (time, height, width): stride of the first pool of keys and values, divided by every
            stride of the queries' that follows. Keys and values are then pooled in all blocks.
        pool_kvq_kernel: (time, height, width) of all pools; by default one more than the stride, where that is not 1.

    Attributes:
        layout: ``NCTHW``, or ``NCHW`` with ``use_2d_patch``.
        num_frames: ``temporal_size``; None for images.
        grid: tokens along time, height and width behind the first convolution.
        feature_info: the tokens behind each block, as maps; the last ones are normalised.

    Raises:
        ConfigError: sizes, widths, heads or entries per block do not fit together.
    """

    spatial_size: int | Sequence[int] = 224
    temporal_size: PositiveInt = 16
    in_chans: PositiveInt = 3
    cls_embed_on: bool = True
    sep_pos_embed: bool = True
    depth: PositiveInt = 16
    patch_embed_dim: PositiveInt = 96
    conv_patch_embed_kernel: Sequence[int] | None = None
    conv_patch_embed_stride: Sequence[int] | None = None
    conv_patch_embed_padding: Sequence[int] | None = None
    use_2d_patch: bool = False
    num_heads: PositiveInt = 1
    mlp_ratio: PositiveFloat = 4.0
    qkv_bias: bool = True
    dropout_rate_block: Probability = 0.0
    droppath_rate_block: Probability = 0.0
    pooling_mode: PoolingMode = "conv"
    pool_first: bool = False
    residual_pool: bool = False
    depthwise_conv: bool = True
    bias_on: bool = True
    separate_qkv: bool = True
    embed_dim_mul: Sequence[Sequence[float]] | None = None
    atten_head_mul: Sequence[Sequence[float]] | None = None
    dim_mul_in_att: bool = False
    pool_q_stride_size: Sequence[Sequence[int]] | None = None
    pool_kv_stride_size: Sequence[Sequence[int]] | None = None
    pool_kv_stride_adaptive: Sequence[int] | None = None
    pool_kvq_kernel: Sequence[int] | None = None

    feature_rank: ClassVar[int] = 0

    def __post_init__(self) -> None:
        super().__init__()
        check_modes(self.pooling_mode, self.use_2d_patch, self.temporal_size)
        self.layout = "NCHW" if self.use_2d_patch else "NCTHW"
        self.num_frames = None if self.use_2d_patch else self.temporal_size
        self.grad_checkpointing = False
        self.patch_embed = PatchEmbed(
            self.in_chans,
            self.patch_embed_dim,
            self.conv_patch_embed_kernel,
            self.conv_patch_embed_stride,
            self.conv_patch_embed_padding,
            images=self.use_2d_patch,
        )
        plans = self._plans()
        self.num_features = self.out_channels = plans[-1].dim_out
        self.blocks = nn.ModuleList(
            self._block(plan, rate)
            for plan, rate in zip(plans, linear_rates(self.droppath_rate_block, self.depth), strict=True)
        )
        self.norm = nn.LayerNorm(self.num_features, eps=EPS)
        self.grid = checked_grid(self.spatial_size, self.temporal_size, self.patch_embed.shape, plans)
        self.positions = ClassAndPositions(self.patch_embed_dim, self.grid, self.cls_embed_on, self.sep_pos_embed)
        self.dropout = nn.Dropout(self.dropout_rate_block)
        self.feature_info = tuple(self._describe(plans))
        initialize(self)
        initialize(self.positions)

    def _plans(self) -> list[BlockPlan]:
        return plan_blocks(
            self.depth,
            self.patch_embed_dim,
            self.num_heads,
            embed_dim_mul=self.embed_dim_mul,
            atten_head_mul=self.atten_head_mul,
            dim_mul_in_att=self.dim_mul_in_att,
            pool_q_stride_size=self.pool_q_stride_size,
            pool_kv_stride_size=self.pool_kv_stride_size,
            pool_kv_stride_adaptive=self.pool_kv_stride_adaptive,
            pool_kvq_kernel=self.pool_kvq_kernel,
        )

    def _block(self, plan: BlockPlan, drop_path_rate: float) -> MultiscaleBlock:
        return MultiscaleBlock(
            plan,
            mlp_ratio=self.mlp_ratio,
            class_tokens=int(self.cls_embed_on),
            dim_mul_in_att=self.dim_mul_in_att,
            pooling_mode=self.pooling_mode,
            pool_first=self.pool_first,
            residual_pool=self.residual_pool,
            depthwise_conv=self.depthwise_conv,
            separate_qkv=self.separate_qkv,
            qkv_bias=self.qkv_bias,
            bias_on=self.bias_on,
            dropout_rate=self.dropout_rate_block,
            drop_path_rate=drop_path_rate,
        )

    def _describe(self, plans: Sequence[BlockPlan]) -> Iterator[FeatureInfo]:
        time, space = self.patch_embed.stride[:2]
        for index, plan in enumerate(plans):
            if plan.query_window is not None:
                time, space = time * plan.query_window.stride[0], space * plan.query_window.stride[1]
            name = "norm" if index == self.depth - 1 else f"blocks.{index}"
            yield FeatureInfo(name, plan.dim_out, space, time)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        """Keeps, in training, only what enters each block, and computes the rest again in the backward pass."""
        self.grad_checkpointing = enable

    def forward(self, x: Tensor) -> Tensor:
        """Returns one vector per item.

        Args:
            x: normalised clips (N, in_chans, T, H, W), or images (N, in_chans, H, W) with ``use_2d_patch``.

        Returns:
            (N, num_features).

        Raises:
            InputError: another rank, other channels or number type, or smaller than one step of the first convolution.
        """
        tokens, _ = deque(self._behind_blocks(x), maxlen=1).pop()
        return tokens[:, 0] if self.cls_embed_on else tokens.mean(dim=1)

    def forward_features(self, x: Tensor, out_indices: Sequence[int] | None = None) -> Tensor | list[Tensor]:
        """Returns maps of the tokens, class tokens left out: the last, or those behind chosen blocks.

        Blocks behind the last chosen one are not run.

        Args:
            x: as in ``forward``.
            out_indices: positions in ``feature_info``, negative ones from the end.

        Returns:
            (N, channels, T', H', W'), without T' for images.

        Raises:
            InputError: as in ``forward``.
            IndexError: there is no feature of that index.
        """
        wanted = [range(self.depth)[index] for index in ((-1,) if out_indices is None else out_indices)]
        kept: dict[int, Tensor] = {}
        for index, (tokens, grid) in enumerate(self._behind_blocks(x)):
            if index in wanted:
                kept[index] = self._to_map(tokens, grid)
            if index >= max(wanted, default=0):
                break
        return kept[wanted[0]] if out_indices is None else [kept[index] for index in wanted]

    def _to_map(self, tokens: Tensor, grid: Triple) -> Tensor:
        sizes = grid[1:] if self.use_2d_patch else grid
        return torch.unflatten(tokens[:, int(self.cls_embed_on) :].transpose(1, 2), 2, sizes)

    def _behind_blocks(self, x: Tensor) -> Iterator[tuple[Tensor, Triple]]:
        """Yields the tokens behind each block, the last ones normalised, and their grid."""
        least = self.patch_embed.min_size
        sizes = least[1:] if self.use_2d_patch else least
        check_backbone_input(x, self, self.layout, self.in_chans, min_size=sizes)
        grid = self.patch_embed.grid_of(clip_sizes(x.unsqueeze(2) if self.use_2d_patch else x))
        tokens = self.dropout(self.positions(self.patch_embed(x), grid))
        for index, block in enumerate(self._multiscale_blocks()):
            pooled = block.pooled(grid)
            if self.grad_checkpointing and self.training and torch.is_grad_enabled():
                tokens = checkpoint(block, tokens, grid, use_reentrant=False)
            else:
                tokens = block(tokens, grid)
            grid = pooled
            yield (self.norm(tokens) if index == self.depth - 1 else tokens), grid

    def _multiscale_blocks(self) -> Iterator[MultiscaleBlock]:
        for block in self.blocks:
            assert isinstance(block, MultiscaleBlock)
            yield block

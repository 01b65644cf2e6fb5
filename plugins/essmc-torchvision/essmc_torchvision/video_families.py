"""How each of torchvision's video families runs from clips to its last map, and from there to one vector."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import video

from essmc_torchvision.trunk import Trunk


class VideoResNetTrunk(Trunk, video.VideoResNet):
    """Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", CVPR 2018."""

    CHAIN = ("stem", "layer1", "layer2", "layer3", "layer4")
    HEAD = "fc"
    MIN_SIZE = (1, 1, 1)
    layout = "NCTHW"

    def steps(self) -> list[tuple[str, nn.Module]]:
        """Returns the stem as one step, then the blocks."""
        found = [step for step in super().steps() if not step[0].startswith("stem.")]
        return [("stem", self.stem), *found]


class S3DTrunk(Trunk, video.S3D):
    """Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs", ECCV 2018."""

    LAST = "classifier.1"
    # torchvision's stated minimum: its last pooling takes 2 x 7 x 7 places at once.
    MIN_SIZE = (14, 224, 224)
    layout = "NCTHW"

    def _pool(self, state: Any) -> Tensor:
        # torchvision classifies each place and averages the scores, which is the same for a linear classifier.
        return self._head(self.avgpool(state)).mean((2, 3, 4))


class SwinTransformer3dTrunk(Trunk, video.SwinTransformer3d):
    """Liu et al., "Video Swin Transformer", CVPR 2022."""

    CHAIN = ("patch_embed", "pos_drop", "features")
    HEAD = "head"
    CHANNELS_LAST = True
    MIN_SIZE = (1, 1, 1)
    layout = "NCTHW"

    def _end(self, state: Any) -> Any:
        return self.norm(state)


class MViTTrunk(Trunk, video.MViT):
    """Fan et al., "Multiscale Vision Transformers", ICCV 2021; Li et al., "MViTv2", CVPR 2022.

    The vector is the class token.
    """

    CHAIN = ("blocks",)
    HEAD = "head"
    LAST = "head.1"
    MIN_SIZE = (1, 1, 1)
    layout = "NCTHW"

    @property
    def fixed_size(self) -> tuple[int, ...] | None:
        """The size its position embedding was made for."""
        patches = (self.pos_encoding.temporal_size, *self.pos_encoding.spatial_size)
        return tuple(count * stride for count, stride in zip(patches, self.conv_proj.stride, strict=True))

    def _start(self, x: Tensor) -> Any:
        tokens = self.pos_encoding(self.conv_proj(x).flatten(2).transpose(1, 2))
        return tokens, (self.pos_encoding.temporal_size, *self.pos_encoding.spatial_size)

    def _advance(self, module: nn.Module, state: Any) -> Any:
        return module(*state)

    def _end(self, state: Any) -> Any:
        tokens, grid = state
        return self.norm(tokens), grid

    def _as_map(self, state: Any) -> Tensor:
        tokens, grid = state
        return torch.unflatten(tokens[:, 1:].transpose(1, 2), 2, grid)

    def _pool(self, state: Any) -> Tensor:
        return self._head(state[0][:, 0])

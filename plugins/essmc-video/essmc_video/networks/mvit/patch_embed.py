"""MViT's first layer: overlapping cubes of a clip, or patches of an image, become tokens."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from essmc_video.arguments.sizes import Triple
from essmc_video.layers.conv3d import Conv3d
from essmc_video.networks.mvit.patch_grid import PatchGrid


class PatchEmbed(nn.Module):
    """One convolution: (N, in_chans, T, H, W), or (N, in_chans, H, W), → (N, L, dim).

    Args:
        in_chans: channels of the input.
        dim: width of the tokens.
        kernel_size: (time, height, width), without time for images; by default (3, 7, 7).
        stride: likewise; by default (2, 4, 4).
        padding: likewise; by default (1, 3, 3).
        images: take images, not clips.

    Attributes:
        stride: (time, height, width), 1 in time for images.
        min_size: least (time, height, width) it takes, one step of the convolution.

    Raises:
        ConfigError: kernel size, stride or padding has another number of entries.
    """

    def __init__(
        self,
        in_chans: int,
        dim: int,
        kernel_size: Sequence[int] | None = None,
        stride: Sequence[int] | None = None,
        padding: Sequence[int] | None = None,
        images: bool = False,
    ) -> None:
        super().__init__()
        self.shape = PatchGrid.of(kernel_size, stride, padding, images)
        self.stride, self.min_size = self.shape.stride, self.shape.min_size
        convolved = (self.shape.kernel, self.shape.stride, self.shape.padding)
        own = [sizes[1:] if images else sizes for sizes in convolved]
        convolution = nn.Conv2d if images else Conv3d
        self.conv = convolution(in_chans, dim, kernel_size=own[0], stride=own[1], padding=own[2])  # type: ignore[arg-type]

    def grid_of(self, sizes: Triple) -> Triple:
        """Returns the tokens along time, height and width of a clip, or of an image as one frame."""
        return self.shape.of_clip(sizes)

    def forward(self, x: Tensor) -> Tensor:
        """Returns tokens in the order time, height, width."""
        tokens: Tensor = self.conv(x).flatten(2).transpose(1, 2)
        return tokens

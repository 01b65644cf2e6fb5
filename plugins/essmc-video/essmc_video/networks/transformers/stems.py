"""Stems of video transformers: a clip cut into patches or tubelets, each of which becomes a token."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from essmc_core.errors import InputError
from essmc_video.layers.conv3d import Conv3d
from essmc_video.networks.clip_sizes import clip_sizes
from essmc_video.networks.transformers.rules import Grid, check_grid, pair, sizes_that_work, times

"""Tokens along time, height and width."""


class PatchEmbedStem(nn.Module):
    """One token per patch of a frame: (N, C, T, H, W) → (N, T · H/patch_size · W/patch_size, dim).

    Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021. Tokens lie in the order time, height, width.

    Args:
        image_size: height and width it is built for, one number or two.
        num_input_channels: channels of the video.
        num_frames: frames it is built for.
        patch_size: height and width of a patch.
        dim: width of the tokens.

    Attributes:
        patch_shape: frames, height and width of what becomes a token.
        grid: tokens along time, height and width, for the size it is built for.
        num_patches: number of tokens for that size.

    Raises:
        ConfigError: frames or size cannot be cut into whole patches.
    """

    def __init__(
        self,
        image_size: int | Sequence[int] = 224,
        num_input_channels: int = 3,
        num_frames: int = 16,
        patch_size: int = 16,
        dim: int = 768,
    ) -> None:
        super().__init__()
        self._build((1, patch_size, patch_size), image_size, num_input_channels, num_frames, dim)

    def _build(
        self, patch_shape: Grid, image_size: int | Sequence[int], num_input_channels: int, num_frames: int, dim: int
    ) -> None:
        self.patch_shape = patch_shape
        check_grid(patch_shape, image_size, num_frames)
        self.grid = self.grid_of(num_frames, *pair(image_size))
        self.num_patches = self.grid[0] * self.grid[1] * self.grid[2]
        self.conv1 = Conv3d(num_input_channels, dim, kernel_size=patch_shape, stride=patch_shape)

    def grid_of(self, num_frames: int, height: int, width: int) -> Grid:
        """Returns the tokens along time, height and width of a clip.

        Raises:
            InputError: the clip cannot be cut into whole patches; names sizes that work.
        """
        sizes, patch = (num_frames, height, width), self.patch_shape
        if any(size < 1 or size % part for size, part in zip(sizes, patch, strict=True)):
            raise InputError(
                f"a clip of {times(sizes)} (frames, height, width) cannot be cut into {times(patch)} patches",
                hint=sizes_that_work(patch),
            )
        return num_frames // patch[0], height // patch[1], width // patch[2]

    def forward(self, video: Tensor) -> Tensor:
        """Returns tokens (N, L, dim) of clips (N, C, T, H, W).

        Raises:
            InputError: the clip cannot be cut into whole patches.
        """
        self.grid_of(*clip_sizes(video))
        tokens: Tensor = self.conv1(video).flatten(2).transpose(1, 2)
        return tokens


class TubeletEmbeddingStem(PatchEmbedStem):
    """One token per tubelet: (N, C, T, H, W) → (N, T/tubelet_size · H/patch_size · W/patch_size, dim).

    Arnab et al., "ViViT: A Video Vision Transformer", ICCV 2021, section 3.2.

    Args:
        image_size: height and width it is built for, one number or two.
        num_input_channels: channels of the video.
        num_frames: frames it is built for.
        patch_size: height and width of a tubelet.
        dim: width of the tokens.
        tubelet_size: frames of a tubelet.

    Raises:
        ConfigError: frames or size cannot be cut into whole tubelets.
    """

    def __init__(
        self,
        image_size: int | Sequence[int] = 224,
        num_input_channels: int = 3,
        num_frames: int = 16,
        patch_size: int = 16,
        dim: int = 768,
        tubelet_size: int = 2,
    ) -> None:
        nn.Module.__init__(self)
        self._build((tubelet_size, patch_size, patch_size), image_size, num_input_channels, num_frames, dim)

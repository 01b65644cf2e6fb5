"""MViT's first layer: overlapping cubes of a clip, or patches of an image, become tokens."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from essmc_core.errors import ConfigError
from essmc_video.conv3d import Conv3d
from essmc_video.conv_chain import Triple

DEFAULTS = {"kernel": (3, 7, 7), "stride": (2, 4, 4), "padding": (1, 3, 3)}


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
        given = {"kernel": kernel_size, "stride": stride, "padding": padding}
        shape = [_sizes(name, sizes, images) for name, sizes in given.items()]
        self._kernel, self.stride, self._padding = shape
        self.min_size = _least(*shape)
        own = [sizes[1:] if images else sizes for sizes in shape]
        convolution = nn.Conv2d if images else Conv3d
        self.conv = convolution(in_chans, dim, kernel_size=own[0], stride=own[1], padding=own[2])  # type: ignore[arg-type]

    def grid_of(self, sizes: Triple) -> Triple:
        """Returns the tokens along time, height and width of a clip, or of an image as one frame."""
        time, height, width = (
            (size + 2 * padding - kernel) // stride + 1
            for size, padding, kernel, stride in zip(sizes, self._padding, self._kernel, self.stride, strict=True)
        )
        return time, height, width

    def forward(self, x: Tensor) -> Tensor:
        """Returns tokens in the order time, height, width."""
        tokens: Tensor = self.conv(x).flatten(2).transpose(1, 2)
        return tokens


def _sizes(name: str, sizes: Sequence[int] | None, images: bool) -> Triple:
    """Returns (time, height, width), where an image has one frame."""
    wanted = DEFAULTS[name][1:] if images else DEFAULTS[name]
    numbers = wanted if sizes is None else tuple(sizes)
    if len(numbers) != len(wanted):
        raise ConfigError(
            f"conv_patch_embed_{name} has {len(wanted)} numbers for {'images' if images else 'clips'}, got {numbers}",
            hint=f"the default is {wanted}",
        )
    time = (0 if name == "padding" else 1) if images else numbers[0]
    return time, numbers[-2], numbers[-1]


def _least(kernel: Triple, stride: Triple, padding: Triple) -> Triple:
    time, height, width = (
        max(step, size - 2 * zeros) for size, step, zeros in zip(kernel, stride, padding, strict=True)
    )
    return time, height, width

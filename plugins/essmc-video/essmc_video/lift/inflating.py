"""Inflates the convolutions of an image backbone from 2D to 3D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core.errors import ConfigError
from essmc_video.layers.frames import to_clips, to_images
from essmc_video.lift.clip_length import ClipLength
from essmc_video.lift.image_convolutions import kind_of, pad_same, standardised
from essmc_video.lift.layers_found import spatial_convolutions

Inflation = Literal["average", "centre"]


class InflatedConv2d(nn.Conv3d):
    """3D convolution in the place of a 2D one: it takes and returns frames, and looks at clips.

    Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", CVPR 2017,
    section 2.2. Beyond the ends of a clip its first and last frame are repeated, so that a clip of equal frames gives
    what the 2D convolution gives, at the ends too. Space is padded, and weights are standardised, as the 2D
    convolution does.

    Args:
        convolution: the 2D convolution.
        temporal_kernel: frames that the 3D convolution sees, odd.
        inflation: ``average`` repeats the 2D weights over time and divides by their number; ``centre`` puts them on
            the middle frame among zeros.
        clip: frames per clip.
    """

    def __init__(self, convolution: nn.Conv2d, temporal_kernel: int, inflation: Inflation, clip: ClipLength) -> None:
        weight = convolution.weight
        kind = kind_of(convolution)
        if kind is None:
            raise ConfigError(f"a {type(convolution).__name__} cannot be inflated")
        super().__init__(
            convolution.in_channels,
            convolution.out_channels,
            _triple(temporal_kernel, convolution.kernel_size),
            stride=_triple(1, convolution.stride),
            padding=_triple(0, [int(size) for size in convolution.padding]),
            dilation=_triple(1, convolution.dilation),
            groups=convolution.groups,
            bias=convolution.bias is not None,
            device=weight.device,
            dtype=weight.dtype,
        )
        self.clip = clip
        self.kind = kind
        self.inflation = inflation
        self.gain: nn.Parameter | None = getattr(convolution, "gain", None)
        self.bias = convolution.bias
        self.weight.requires_grad_(weight.requires_grad)
        self.train(convolution.training)
        with torch.no_grad():
            if inflation == "average":
                self.weight.copy_((weight / temporal_kernel).unsqueeze(2).expand_as(self.weight))
            else:
                self.weight.zero_()
                self.weight[:, :, temporal_kernel // 2] = weight

    def forward(self, input: Tensor) -> Tensor:
        """Maps frames (N * T, C, H, W) to (N * T, C', H', W')."""
        clips = to_clips(input, self.clip.frames)
        half = self.kernel_size[0] // 2
        before, after = (clips[:, :, end : end + 1].expand(-1, -1, half, -1, -1) for end in (0, clips.shape[2] - 1))
        padded = torch.cat([before, clips, after], dim=2)
        if self.kind.same:
            padded = pad_same(padded, self.kernel_size[1:], self.stride[1:], self.dilation[1:])
        weight = self.weight if self.kind.eps is None else self._standardised()
        out = functional.conv3d(padded, weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
        return to_images(out)

    def _standardised(self) -> Tensor:
        """Returns the weight; its mean is taken from the frames that the 2D weight was put on."""
        frames = self.kernel_size[0]
        shares = torch.full((frames,), 1 / frames, device=self.weight.device, dtype=self.weight.dtype)
        if self.inflation == "centre":
            shares = functional.pad(torch.ones_like(shares[:1]), (frames // 2, frames // 2))
        return standardised(self.weight, shares, self.gain, self.kind)


def inflate_convolutions(backbone: nn.Module, clip: ClipLength, temporal_kernel: int, inflation: Inflation) -> None:
    """Replaces every spatial convolution by a 3D one of the same key, in place.

    All else, pooling included, still works frame by frame, and the number of frames stays.

    Args:
        backbone: the image backbone.
        clip: frames per clip.
        temporal_kernel: frames that each 3D convolution sees, odd.
        inflation: how 2D weights become 3D ones.

    Raises:
        ConfigError: the backbone is not a convolutional network, or one of its convolutions is of a kind of its own.
    """
    convolutions = spatial_convolutions(backbone)
    if len(convolutions) < 2:
        raise ConfigError(
            f"{type(backbone).__name__} is not a convolutional network, so there is nothing to inflate",
            hint="mode: tsn runs any image backbone frame by frame, mode: tsm shifts transformers too",
        )
    for path, convolution in convolutions:
        if kind_of(convolution) is None or convolution.padding_mode != "zeros":
            raise ConfigError(
                f"{path} is a {type(convolution).__name__} with padding_mode={convolution.padding_mode!r}, "
                "and only plain, 'same'-padded and weight-standardised convolutions can be inflated",
                hint="choose a variant of the backbone with such convolutions, or another mode",
            )
        if isinstance(convolution.padding, str):
            raise ConfigError(f"{path} has padding={convolution.padding!r}, which cannot be inflated")
    for path, convolution in convolutions:
        parent, _, name = path.rpartition(".")
        inflated = InflatedConv2d(convolution, temporal_kernel, inflation, clip)
        setattr(backbone.get_submodule(parent), name, inflated)


def _triple(time: int, space: Sequence[int]) -> tuple[int, int, int]:
    height, width = space
    return (time, height, width)

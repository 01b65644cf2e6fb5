"""How similar each frame is to those around it, by learned features and by colours."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

_BINS = 8
"""Parts that each of red, green and blue is divided into."""


def similarities(vectors: Tensor, window: int) -> Tensor:
    """Returns the cosines between each frame and those of a window around it; 0 beyond the ends.

    Args:
        vectors: one per frame, (N, T, C).
        window: how many frames are compared, an odd number.

    Returns:
        (N, T, window); the middle of the window is the frame itself.
    """
    batch, frames = vectors.shape[:2]
    normed = functional.normalize(vectors, dim=2)
    every = functional.pad(normed @ normed.transpose(1, 2), (window // 2, window // 2))
    steps = [torch.arange(count, device=vectors.device) for count in (frames, window)]
    near = steps[0][:, None] + steps[1]
    return every.gather(2, near.expand(batch, -1, -1))


def colour_histograms(video: Tensor) -> Tensor:
    """Returns how many pixels of each frame have each of 512 colours.

    Args:
        video: (N, 3, T, H, W), values from 0 to 255.

    Returns:
        (N, T, 512), of the same number type.
    """
    # Values that came by way of [0, 1] may lie a little below the whole number that they were.
    levels = video.detach().round().clamp(0, 255).long() // (256 // _BINS)
    red, green, blue = levels.flatten(3).unbind(1)
    colours = (red * _BINS + green) * _BINS + blue
    counts = video.new_zeros((*colours.shape[:2], _BINS**3))
    return counts.scatter_add(2, colours, torch.ones_like(colours, dtype=video.dtype))


class FrameSimilarity(nn.Module):
    """Similarity of frames by the mean features of each stack.

    Args:
        in_channels: channels of all stacks together.
        similarity_dim: size of the vectors that are compared.
        window: frames that each is compared with, itself included.
        out_dim: size of the output.
    """

    def __init__(self, in_channels: int, similarity_dim: int, window: int, out_dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(in_channels, similarity_dim)
        self.fc = nn.Linear(window, out_dim)
        self.window = window

    def forward(self, stacks: Sequence[Tensor]) -> Tensor:
        """Features (N, C, T, H, W) of each stack → (N, T, out_dim)."""
        means = torch.cat([features.mean((3, 4)) for features in stacks], dim=1).transpose(1, 2)
        return functional.relu(self.fc(similarities(self.projection(means), self.window)))


class ColourSimilarity(nn.Module):
    """Similarity of frames by how often each colour occurs.

    Args:
        window: frames that each is compared with, itself included.
        out_dim: size of the output.
    """

    def __init__(self, window: int, out_dim: int) -> None:
        super().__init__()
        self.fc = nn.Linear(window, out_dim)
        self.window = window

    def forward(self, video: Tensor) -> Tensor:
        """(N, 3, T, H, W), values from 0 to 255 → (N, T, out_dim)."""
        return functional.relu(self.fc(similarities(colour_histograms(video), self.window)))

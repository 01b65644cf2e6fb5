"""Gives an image backbone the temporal shift of TSM."""

from __future__ import annotations

from collections import Counter
from typing import Any

from torch import Tensor, nn

from essmc_core.errors import ConfigError
from essmc_video.layers.temporal_shift import temporal_shift
from essmc_video.lift.clip_length import ClipLength
from essmc_video.lift.layers_found import BlockEntry, block_entries

# Networks with a stage of so many blocks shift only every other block: Lin et al., ICCV 2019, as in the authors' code.
LONG_STAGE = 23


class ShiftInput:
    """Pre-forward hook that shifts what a layer sees, so that the layer keeps its place and its keys.

    Args:
        clip: frames per clip.
        shift_div: channels over those that move either way.
        channels_last: whether channels are the last dimension rather than dimension 1.
    """

    def __init__(self, clip: ClipLength, shift_div: int, channels_last: bool) -> None:
        self.clip = clip
        self.shift_div = shift_div
        self.channels_last = channels_last

    def __call__(self, module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns the layer's arguments, the first one shifted."""
        frames: Tensor = args[0]
        if self.channels_last:
            frames = frames.movedim(-1, 1)
        shifted = temporal_shift(frames, self.clip.frames, self.shift_div)
        return (shifted.movedim(1, -1) if self.channels_last else shifted, *args[1:])


def add_shifts(backbone: nn.Module, clip: ClipLength, shift_div: int, shift_every: int | None) -> None:
    """Shifts what blocks look at, in place: the input of their residual branch, where they have one.

    Args:
        backbone: the image backbone.
        clip: frames per clip.
        shift_div: channels over those that move either way.
        shift_every: shift the first of so many blocks of each stage; by default every block, and every other one
            where a stage has 23 blocks or more.

    Raises:
        ConfigError: no blocks are found, or they have too few channels.
    """
    entries = block_entries(backbone)
    if not entries:
        raise ConfigError(
            f"{type(backbone).__name__} has neither blocks nor spatial convolutions, so there is nowhere to shift",
            hint="mode: tsn runs any image backbone frame by frame",
        )
    for entry in _chosen(entries, shift_every):
        if entry.channels < shift_div:
            raise ConfigError(
                f"a block of {entry.channels} channels has none to shift at shift_div={shift_div}",
                hint=f"lower shift_div to {entry.channels} or less",
            )
        entry.layer.register_forward_pre_hook(ShiftInput(clip, shift_div, entry.channels_last))


def _chosen(entries: list[BlockEntry], shift_every: int | None) -> list[BlockEntry]:
    sizes = Counter(entry.stage for entry in entries)
    every = shift_every or (2 if max(sizes.values()) >= LONG_STAGE else 1)
    seen: Counter[str] = Counter()
    chosen = []
    for entry in entries:
        if seen[entry.stage] % every == 0:
            chosen.append(entry)
        seen[entry.stage] += 1
    return chosen

"""The grid of tokens that MViT's first convolution makes of a clip or picture; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from essmc_core.errors import ConfigError
from essmc_video.arguments.sizes import Triple, check_positive

DEFAULTS = {"kernel": (3, 7, 7), "stride": (2, 4, 4), "padding": (1, 3, 3)}


@dataclass(frozen=True, slots=True)
class PatchGrid:
    """Shape of the convolution, each (time, height, width), with one frame for images.

    Attributes:
        kernel: of one step.
        stride: between steps.
        padding: zeros on either side.
    """

    kernel: Triple
    stride: Triple
    padding: Triple

    @classmethod
    def of(
        cls,
        kernel_size: Sequence[int] | None,
        stride: Sequence[int] | None,
        padding: Sequence[int] | None,
        images: bool,
    ) -> PatchGrid:
        """Returns the grid for sizes as configured, None for the default.

        Raises:
            ConfigError: one has another number of entries, or is below 1 (padding: below 0).
        """
        given = {"kernel": kernel_size, "stride": stride, "padding": padding}
        return cls(**{name: _sizes(name, sizes, images) for name, sizes in given.items()})

    @property
    def min_size(self) -> Triple:
        """Least (time, height, width) that one step sees."""
        shape = zip(self.kernel, self.stride, self.padding, strict=True)
        time, height, width = (max(step, size - 2 * zeros) for size, step, zeros in shape)
        return time, height, width

    def of_clip(self, sizes: Triple) -> Triple:
        """Returns the tokens along time, height and width of a clip, or of an image as one frame."""
        shape = zip(sizes, self.padding, self.kernel, self.stride, strict=True)
        time, height, width = ((size + 2 * padding - kernel) // stride + 1 for size, padding, kernel, stride in shape)
        return time, height, width


def _sizes(name: str, sizes: Sequence[int] | None, images: bool) -> Triple:
    wanted = DEFAULTS[name][1:] if images else DEFAULTS[name]
    numbers = wanted if sizes is None else tuple(sizes)
    if len(numbers) != len(wanted):
        raise ConfigError(
            f"conv_patch_embed_{name} has {len(wanted)} numbers for {'images' if images else 'clips'}, got {numbers}",
            hint=f"the default is {wanted}",
        )
    check_positive(**{f"conv_patch_embed_{name}": [number + (name == "padding") for number in numbers]})
    time = (0 if name == "padding" else 1) if images else numbers[0]
    return time, numbers[-2], numbers[-1]

"""Checks of frame samplers: which frames of a video make up a clip."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import EssmcError
from essmc_devkit.components.check import brief, check
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

_VIDEOS = ((300, 30.0, 8), (300, 25.0, 1), (5, 30.0, 16), (1, 24.0, 4), (1000, 29.97, 32))
"""Frames, frames per second, and how many are asked for: the least and repeated ones among them."""
_MORE: Mapping[str, Any] = {"clip_duration": 2.0, "duration": 2.0, "interval": 2, "stride": 2}


class SamplerSubject(Subject):
    """A frame sampler, called with frames in the video, frames per second and frames to choose.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
        arguments: what it takes beyond them; found by their names where they are not given.
    """

    def __init__(self, config: str | Mapping[str, Any], arguments: Sequence[Any] | None = None) -> None:
        super().__init__("frame_samplers", config)
        self._arguments = arguments

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns a choice of frames."""
        arguments = self.arguments
        return lambda: made(*_VIDEOS[0], *arguments)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """What it takes beyond the first three."""
        if self._arguments is not None:
            return tuple(self._arguments)
        import inspect

        parameters = list(inspect.signature(type(self.built).__call__).parameters.values())[4:]
        return tuple(_MORE.get(one.name, 1) for one in parameters if one.default is one.empty)

    def choose(self, video: tuple[int, float, int], seed: int = 0) -> Any:
        """Returns the frames that it chooses of a video, under a seed."""
        torch.manual_seed(seed)
        return self.built(*video, *self.arguments)


@check("sampler.frames")
def frames(subject: SamplerSubject) -> Iterator[Problem]:
    """It returns as many frames as are asked for, as whole numbers of the video, which never go back."""
    for video in _VIDEOS:
        length, rate, count = video
        what = f"{count} of {length} frames at {rate:g} a second"
        try:
            found = subject.choose(video)
        # A video may be refused by name.
        except (EssmcError, ValueError):
            continue
        except Exception as error:
            yield Problem(f"{what}: it raises {brief(error, 100)}", "refuse what cannot be chosen by a ValueError")
            return
        words = _wrong(found, length, count)
        if words:
            yield Problem(f"{what}: {words}", "return an int64 tensor (num_frames,) in [0, vid_len)")
            return


@check("sampler.seed")
def seeded(subject: SamplerSubject) -> Iterator[Problem]:
    """Under the same seed of torch it chooses the same."""
    for seed in range(4):
        first, again = (subject.choose(_VIDEOS[0], seed) for _ in range(2))
        if not torch.equal(torch.as_tensor(first), torch.as_tensor(again)):
            yield Problem(
                "under the same seed of torch it chooses other frames", "draw from torch's random numbers alone"
            )
            return


ALL = (frames, seeded)


def _wrong(found: Any, length: int, count: int) -> str:
    if not isinstance(found, Tensor) or found.dtype is not torch.int64:
        kind = found.dtype if isinstance(found, Tensor) else type(found).__name__
        return f"it returns {kind}, no int64 tensor"
    if tuple(found.shape) != (count,):
        return f"it returns the shape {tuple(found.shape)}"
    if int(found.min()) < 0 or int(found.max()) >= length:
        return f"it chooses frames {int(found.min())} to {int(found.max())}"
    if bool((found.diff() < 0).any()):
        return "it goes back in time"
    return ""

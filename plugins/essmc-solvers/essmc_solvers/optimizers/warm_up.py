"""The warm-up of learning rates, laid over what schedules say."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from essmc_core.errors import ConfigError

_USUAL_START = 1e-4


@dataclass(frozen=True)
class WarmUp:
    """A straight line from a first rate to that of the schedule.

    Attributes:
        func: ``linear``, or None for no warm-up.
        epochs: its length.
        start: the first rate of the group with the largest; by default 1e-4, or a tenth of a rate that is not above.

    Raises:
        ConfigError: an unknown function, no epochs to warm up in, or a rate below 0.
    """

    func: Literal["linear"] | None
    epochs: float
    start: float | None

    def __post_init__(self) -> None:
        if self.func not in (None, "linear"):
            raise ConfigError(f"warmup_func is 'linear' or nothing, got {self.func!r}")
        if self.func and not 0 < self.epochs < math.inf:
            raise ConfigError(f"warmup_epochs must be above 0, got {self.epochs}")
        if self.start is not None and not 0 <= self.start < math.inf:
            raise ConfigError(f"warmup_start_lr must be 0 or more, got {self.start}")

    def covers(self, epoch: float) -> bool:
        """Returns whether the warm-up goes on after so many epochs."""
        return self.func is not None and epoch < self.epochs

    def rate(self, scheduled: float, largest: float, epoch: float) -> float:
        """Returns the rate of a group of parameters within the warm-up.

        Args:
            scheduled: what its schedule says.
            largest: the largest of what all schedules say.
            epoch: epochs done, a fraction.
        """
        first = self.start
        if first is None:
            first = _USUAL_START if largest > _USUAL_START else largest / 10
        start = min(first * (scheduled / largest if largest else 1.0), scheduled)
        return start + (scheduled - start) * (epoch / self.epochs)

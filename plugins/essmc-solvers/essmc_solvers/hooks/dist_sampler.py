"""The epoch, for samplers that draw their order from it."""

from __future__ import annotations

from essmc_solvers.hooks.base import Hook
from essmc_solvers.run.protocol import Run


class DistSamplerHook(Hook):
    """Calls ``set_epoch`` of the training data's samplers.

    Args:
        priority: hooks with lower ones run first.
    """

    def __init__(self, priority: int = 400) -> None:
        super().__init__(priority)

    def before_epoch(self, run: Run) -> None:
        """Sets the epoch of the samplers."""
        if "train" in run.loaders:
            for sampler in run.loaders["train"].samplers():
                if hasattr(sampler, "set_epoch"):
                    sampler.set_epoch(run.epoch)

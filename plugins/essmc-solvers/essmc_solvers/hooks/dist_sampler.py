"""The epoch, for samplers that draw their order from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from essmc_solvers.hooks.base import Hook

if TYPE_CHECKING:
    from essmc_solvers.solvers.base import BaseSolver


class DistSamplerHook(Hook):
    """Calls ``set_epoch`` of the training data's samplers.

    Args:
        priority: hooks with lower ones run first.
    """

    def __init__(self, priority: int = 400) -> None:
        super().__init__(priority)

    def before_epoch(self, solver: BaseSolver) -> None:
        """Tells the samplers the epoch."""
        if "train" in solver.loaders:
            for sampler in solver.loaders["train"].samplers():
                if hasattr(sampler, "set_epoch"):
                    sampler.set_epoch(solver.epoch)

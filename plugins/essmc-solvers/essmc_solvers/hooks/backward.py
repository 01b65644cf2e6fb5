"""Gradients and optimizer steps."""

from __future__ import annotations

from essmc_core.errors import ConfigError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.run.protocol import Run
from essmc_solvers.step.optimizer_step import needs_closure


class BackwardHook(Hook):
    """Computes gradients after each iteration and lets the optimizers step where a step ends.

    The solver's ``accumulate_steps``, ``clip_grad_norm`` and ``clip_grad_value`` say how.

    Args:
        priority: hooks with lower ones run first.
    """

    for_training = True

    def __init__(self, priority: int = 0) -> None:
        super().__init__(priority)

    def before_solve(self, run: Run) -> None:
        """Refuses gradient accumulation with optimizers that evaluate the model themselves."""
        if run.accumulate_steps > 1 and any(map(needs_closure, run.optimizers.values())):
            raise ConfigError("LBFGS cannot accumulate gradients; set accumulate_steps to 1")

    def before_all_iter(self, run: Run) -> None:
        """Starts with no gradients."""
        if run.mode == "train":
            run.step.clear()

    def after_iter(self, run: Run) -> None:
        """Adds gradients; at the end of a step, clips them and steps."""
        if run.mode != "train":
            return
        step = run.step
        step.backward()
        if not step.is_end:
            return
        if not step.is_spoilt and step.average():
            run.call("after_backward")
            step.clip()
            run.call("before_step")
            step.apply(run.forward_train)
        step.clear()

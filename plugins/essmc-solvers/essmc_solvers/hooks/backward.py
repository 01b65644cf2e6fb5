"""Gradients and optimizer steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from essmc_core.errors import ConfigError
from essmc_solvers.hooks.base import Hook

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver


class BackwardHook(Hook):
    """Computes gradients after each iteration and lets the optimizers step where a step ends.

    The solver's ``accumulate_steps``, ``clip_grad_norm`` and ``clip_grad_value`` say how.

    Args:
        priority: hooks with lower ones run first.
    """

    for_training = True

    def __init__(self, priority: int = 0) -> None:
        super().__init__(priority)
        self._spoilt = False

    def before_solve(self, solver: TrainValSolver) -> None:  # type: ignore[override]
        """Refuses gradient accumulation with optimizers that evaluate the model themselves."""
        if solver.accumulate_steps > 1 and any(map(_needs_closure, solver.optimizers.values())):
            raise ConfigError("LBFGS cannot accumulate gradients; set accumulate_steps to 1")

    def before_all_iter(self, solver: TrainValSolver) -> None:  # type: ignore[override]
        """Starts with no gradients."""
        if solver.mode == "train":
            self._spoilt = False
            _clear(solver)

    def after_iter(self, solver: TrainValSolver) -> None:  # type: ignore[override]
        """Adds gradients; at the end of a step, clips them and steps."""
        if solver.mode != "train":
            return
        if not solver.iter_skipped:
            solver.step_mean.backward(solver.backward, solver.trained_parameters)
            solver.iter_skipped = solver.gradients_are_bad()
        # With a loss or gradients that are no numbers, the gradients of the whole step are dropped.
        self._spoilt |= solver.iter_skipped
        if solver.iter_skipped:
            _clear(solver)
        if not solver.is_step_end:
            return
        if not self._spoilt:
            self._step(solver)
        self._spoilt = False
        _clear(solver)

    def _step(self, solver: TrainValSolver) -> None:
        parameters = solver.trained_parameters
        solver.average_gradients()
        if solver.step_mean.is_empty:  # weight decay and momentum are no reason to step
            return
        if solver.accelerator.scaler is not None:
            solver.accelerator.unscale_gradients()
        solver.call("after_backward")
        _clip(solver, parameters)
        solver.call("before_step")
        for optimizer in solver.optimizers.values():
            if _needs_closure(optimizer):
                optimizer.step(lambda: _evaluate_again(solver))
            else:
                optimizer.step()
        solver.total_steps += 1


def _clip(solver: TrainValSolver, parameters: list[torch.nn.Parameter]) -> None:
    # Accelerate's functions would take the scale of mixed precision away a second time.
    if solver.clip_grad_norm is not None:
        clip = solver.accelerator.clip_grad_norm_ if solver.is_fsdp else torch.nn.utils.clip_grad_norm_
        solver.grad_norm = clip(parameters, solver.clip_grad_norm)
    if solver.clip_grad_value is not None:
        torch.nn.utils.clip_grad_value_(parameters, solver.clip_grad_value)


def _needs_closure(optimizer: Any) -> bool:
    return isinstance(getattr(optimizer, "optimizer", optimizer), torch.optim.LBFGS)


def _evaluate_again(solver: TrainValSolver) -> torch.Tensor:
    _clear(solver)
    loss: torch.Tensor = solver.forward_train()["loss"]
    solver.backward(loss)
    return loss.detach()


def _clear(solver: TrainValSolver) -> None:
    solver.step_mean.drop()
    for optimizer in solver.optimizers.values():
        optimizer.zero_grad()

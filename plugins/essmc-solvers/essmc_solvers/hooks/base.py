"""The events of a run, which hooks take part in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from essmc_solvers.solvers.base import BaseSolver

EVENTS = (
    "before_solve", "after_solve", "before_epoch", "after_epoch", "before_all_iter", "after_all_iter", "before_iter",
    "after_iter", "after_backward", "before_step",
)  # fmt: skip


class Hook:
    """Base of hooks; each event does nothing unless it is overridden.

    A hook need not derive from this class: a solver calls the events that an object has.

    Args:
        priority: hooks with lower ones run first.

    Attributes:
        for_training: whether it works on optimizers or checkpoints, which an evaluation alone does not have.
    """

    for_training: ClassVar[bool] = False

    def __init__(self, priority: int) -> None:
        self.priority = priority

    def before_solve(self, solver: BaseSolver) -> None:
        """Runs once, when model, optimizers and data are ready."""

    def after_solve(self, solver: BaseSolver) -> None:
        """Runs once, when all is done."""

    def before_epoch(self, solver: BaseSolver) -> None:
        """Runs before an epoch of training and the evaluation that follows it."""

    def after_epoch(self, solver: BaseSolver) -> None:
        """Runs after an epoch; ``solver.epoch_outputs`` holds the means of ``train`` and ``eval``."""

    def before_all_iter(self, solver: BaseSolver) -> None:
        """Runs before the iterations over ``solver.mode``'s data."""

    def after_all_iter(self, solver: BaseSolver) -> None:
        """Runs after them; ``solver.epoch_outputs[solver.mode]`` holds their means."""

    def before_iter(self, solver: BaseSolver) -> None:
        """Runs before the model sees a batch."""

    def after_iter(self, solver: BaseSolver) -> None:
        """Runs after the model saw it; ``solver.iter`` counts it already, ``solver.iter_outputs`` is what it gave."""

    def after_backward(self, solver: BaseSolver) -> None:
        """Runs where the gradients of an optimizer step are complete, before they are clipped.

        They are those of the mean over all items of the step in all processes, without the scale of mixed precision.
        With ``accumulate_steps`` above 1 it runs once a step. A step that is skipped has none.
        """

    def before_step(self, solver: BaseSolver) -> None:
        """Runs before the optimizers step, with the gradients as they will be used: clipped, if they are to be.

        ``solver.grad_norm`` is their norm before that, where ``clip_grad_norm`` is given.
        """

    def close(self) -> None:
        """Runs at the end, also when the run failed."""

    def state_dict(self) -> dict[str, Any]:
        """Returns what a resumed run needs to know; plain data and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` returned."""

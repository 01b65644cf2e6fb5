"""What a hook is: the events of a run that it takes part in, and what it adds to checkpoints."""

from __future__ import annotations

from typing import Any, ClassVar

from essmc_solvers.run.protocol import Run


class Hook:
    """Base of hooks; each event does nothing unless it is overridden.

    A hook need not derive from this class: a solver calls the events that an object has, and asks for state, settings
    and the rest where there are methods of these names.

    Args:
        priority: hooks with lower ones run first.

    Attributes:
        for_training: whether it works on optimizers or checkpoints, which an evaluation alone does not have.
        sets_rates: whether learning rates depend on its `compared_settings`.
    """

    for_training: ClassVar[bool] = False
    sets_rates: ClassVar[bool] = False

    def __init__(self, priority: int) -> None:
        self.priority = priority

    def before_solve(self, run: Run) -> None:
        """Runs once, when model, optimizers and data are ready."""

    def after_solve(self, run: Run) -> None:
        """Runs once, when all is done."""

    def before_epoch(self, run: Run) -> None:
        """Runs before an epoch of training and the evaluation that follows it."""

    def after_epoch(self, run: Run) -> None:
        """Runs after an epoch; ``run.epoch_outputs`` holds the means of ``train`` and ``eval``."""

    def before_all_iter(self, run: Run) -> None:
        """Runs before the iterations over ``run.mode``'s data."""

    def after_all_iter(self, run: Run) -> None:
        """Runs after them; ``run.epoch_outputs[run.mode]`` holds their means."""

    def before_iter(self, run: Run) -> None:
        """Runs before the model sees a batch."""

    def after_iter(self, run: Run) -> None:
        """Runs after the model saw it; ``run.iter`` counts it already, ``run.iter_outputs`` is what it gave."""

    def after_backward(self, run: Run) -> None:
        """Runs where the gradients of an optimizer step are complete, before they are clipped.

        They are those of the mean over all items of the step in all processes, without the scale of mixed precision.
        With ``accumulate_steps`` above 1 it runs once a step. A step that is skipped has none.
        """

    def before_step(self, run: Run) -> None:
        """Runs before the optimizers step, with the gradients as they will be used: clipped, if they are to be.

        ``run.grad_norm`` is their norm before that, where ``clip_grad_norm`` is given.
        """

    def close(self) -> None:
        """Runs at the end, also when the run failed."""

    def watched(self, run: Run) -> list[tuple[str, str, str]]:
        """Returns the metrics that the hook goes by: in whose name, of whose data, and the name of the metric."""
        return []

    def compared_settings(self) -> dict[str, Any]:
        """Returns the arguments that decide what a run comes to, which a resumed run has to share; plain data."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Returns what a resumed run needs to know; plain data and tensors."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up what `state_dict` returned."""

    def start_without_state(self, run: Run, checkpoint: str) -> None:
        """Runs in the place of `load_state_dict` where a run without such a hook wrote the checkpoint.

        Args:
            run: with everything else restored.
            checkpoint: name of the file.
        """

    def checkpoint_entries(self) -> dict[str, Any]:
        """Returns what checkpoints hold at their top level for whoever reads them without this hook."""
        return {}

    def rederive(self, run: Run) -> None:
        """Runs after a checkpoint is restored where settings that learning rates depend on were changed since."""

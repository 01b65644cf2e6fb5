"""The optimizer step under way: the one object that knows which gradients are added up and what becomes of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from essmc_core.errors import ConfigError
from essmc_solvers.engine import is_fsdp, steps_plainly
from essmc_solvers.step.nan_guard import NanGuard
from essmc_solvers.step.running_means import RunningMeans
from essmc_solvers.step.step_mean import StepMean

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class StepOptions:
    """Of what an optimizer step is made, and what bounds its gradients.

    Attributes:
        accumulate_steps: batches whose gradients make one step.
        clip_grad_norm: largest norm of all gradients together.
        clip_grad_value: largest absolute value of a gradient.

    Raises:
        ConfigError: a number that makes no step.
    """

    accumulate_steps: int = 1
    clip_grad_norm: float | None = None
    clip_grad_value: float | None = None

    def __post_init__(self) -> None:
        if self.accumulate_steps < 1:
            raise ConfigError(f"accumulate_steps must be 1 or more, got {self.accumulate_steps}")
        for name in ("clip_grad_norm", "clip_grad_value"):
            bound = getattr(self, name)
            if bound is not None and not bound > 0:
                raise ConfigError(f"{name} must be above 0, got {bound}", hint="null (None) clips nothing.")


class OptimizerStep:
    """An optimizer step, from the first of its batches to the changed weights.

    A solver opens each iteration with `begin_iteration` and gives the model's outputs to `take`; `BackwardHook`, or a
    hook in its place, goes on with `backward` and, where the step ends, `average`, `clip`, `apply` and `clear`.

    Args:
        accelerator: of the run.
        model: what is trained, perhaps wrapped for several processes.
        optimizers: by submodule.
        options: of what a step is made.
        guard: looks at losses and gradients.
        means: of the pass; what is skipped is left out of them.

    Attributes:
        options: as given.
        loss: of this iteration, as it is weighed in the step.
        is_end: whether the step ends with this iteration.
        is_skipped: whether this iteration is left out because its loss or gradients are not finite.
        is_spoilt: whether an iteration of this step was skipped, so that the step is not made.
        grad_norm: norm of the gradients of the last step before they were clipped, None where they are not.
        total: steps made so far.
    """

    def __init__(
        self,
        accelerator: Accelerator,
        model: nn.Module,
        optimizers: Mapping[str, Any],
        options: StepOptions,
        guard: NanGuard,
        means: RunningMeans,
    ) -> None:
        self.options = options
        self.loss: Tensor = torch.zeros(())
        self.is_end = True
        self.is_skipped = self.is_spoilt = False
        self.grad_norm: Tensor | None = None
        self.total = 0
        self._accelerator = accelerator
        self._model = model
        self._optimizers = optimizers
        self._guard = guard
        self._means = means
        self._is_plain = steps_plainly(accelerator)
        raw = (getattr(optimizer, "optimizer", optimizer) for optimizer in optimizers.values())
        self._second_order = any(getattr(optimizer, "is_second_order", False) for optimizer in raw)
        self._mean = StepMean(accelerator, options.accumulate_steps, 1.0)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters of all optimizers."""
        groups = (group for optimizer in self._optimizers.values() for group in optimizer.param_groups)
        return [parameter for group in groups for parameter in group["params"]]

    def begin_pass(self, usual_size: float, is_resumed: bool) -> None:
        """Begins a pass over the training data.

        Args:
            usual_size: items that one process has of a full batch.
            is_resumed: whether the pass was begun by an earlier run.
        """
        self.is_end = True
        self._mean = StepMean(self._accelerator, self.options.accumulate_steps, usual_size)
        self._guard.start_pass(None if is_resumed else self.total)

    def begin_iteration(self, number: int, is_last: bool) -> None:
        """Begins an iteration, and with it a step where the one before has ended.

        Args:
            number: of the iteration in its pass, counted from 1.
            is_last: whether the pass ends with it.
        """
        if self.is_end:
            self._mean.start()
        self.is_end = number % self.options.accumulate_steps == 0 or is_last

    def synchronizing(self) -> contextlib.AbstractContextManager[Any]:
        """Returns the context of forward and backward pass: processes share gradients where the step ends alone."""
        if not self.is_end or self._mean.adds_apart:
            context: contextlib.AbstractContextManager[Any] = self._accelerator.no_sync(self._model)
            return context
        return contextlib.nullcontext()

    def before_forward(self) -> None:
        """Keeps what the forward pass changes and a skipped iteration has to put back."""
        self._guard.keep_buffers()

    def take(self, outputs: Mapping[str, Any], weight: int, batch: Any, place: tuple[int, int]) -> None:
        """Takes in what the model gave for a batch.

        Args:
            outputs: loss and whatever else is reported.
            weight: items that count in this process.
            batch: what the model was given.
            place: epoch and iteration, counted from 1.

        Raises:
            TrainingDiverged: the loss is not finite, and the run is to stop.
        """
        self.loss = self._mean.take(outputs, weight, self.is_end)
        self.is_skipped = self._guard.is_bad_loss(self.loss, outputs["loss"], batch, place)
        if not self.is_skipped:
            self._means.add(outputs, weight, self.is_end / self._accelerator.num_processes)

    def backward(self) -> None:
        """Adds this iteration's gradients to those of the step, unless the iteration is skipped.

        Raises:
            TrainingDiverged: they are not finite, and the run is to stop.
        """
        if not self.is_skipped:
            self._mean.backward(self._add_gradients, self.parameters)
            # Where losses are scaled (fp16), the scaler looks at the gradients.
            self.is_skipped = self._is_plain and self._guard.are_bad_gradients(self._mean.gradients(self.parameters))
            if self.is_skipped:
                self._means.drop_last()
        # With a loss or gradients that are no numbers, the gradients of the whole step are dropped.
        self.is_spoilt |= self.is_skipped
        if self.is_skipped:
            self._drop_gradients()

    def average(self) -> bool:
        """Turns the gradients into those of the mean over all items of the step; every process must take part.

        Returns:
            Whether there is a step to make: of items that do not count, neither momentum nor weight decay makes one.
        """
        self._mean.finish(self.parameters)
        if self._mean.is_empty:
            return False
        if self._accelerator.scaler is not None:
            self._accelerator.unscale_gradients()
        return True

    def clip(self) -> None:
        """Bounds the gradients as `StepOptions` says."""
        # Accelerate's functions would take the scale of mixed precision away a second time.
        if self.options.clip_grad_norm is not None:
            shards = is_fsdp(self._accelerator)
            clip = self._accelerator.clip_grad_norm_ if shards else torch.nn.utils.clip_grad_norm_
            self.grad_norm = clip(self.parameters, self.options.clip_grad_norm)
        if self.options.clip_grad_value is not None:
            torch.nn.utils.clip_grad_value_(self.parameters, self.options.clip_grad_value)

    def apply(self, forward: Callable[[], Mapping[str, Any]]) -> None:
        """Lets the optimizers change the weights.

        Args:
            forward: runs the model on this iteration's batch again, for optimizers that ask for it.
        """

        def evaluate_again() -> Tensor:
            self._drop_gradients()
            loss: Tensor = forward()["loss"]
            self._add_gradients(loss)
            return loss.detach()

        for optimizer in self._optimizers.values():
            if needs_closure(optimizer):
                optimizer.step(evaluate_again)
            else:
                optimizer.step()
        self.total += 1

    def clear(self) -> None:
        """Ends the step: nothing is added up, and nothing spoils the next one."""
        self.is_spoilt = False
        self._drop_gradients()

    def check_pass(self, epoch: int, means: Mapping[str, float]) -> None:
        """Refuses a pass of which nothing is left.

        Args:
            epoch: its number.
            means: of the pass.

        Raises:
            TrainingDiverged: all of it was skipped.
        """
        self._guard.check_pass(self.total, epoch, means)

    def _add_gradients(self, loss: Tensor, retain_graph: bool = False) -> None:
        retained = retain_graph or self._second_order
        if self._is_plain:
            loss.backward(retain_graph=retained, create_graph=self._second_order)  # type: ignore[no-untyped-call,unused-ignore]
        else:
            self._accelerator.backward(loss, retain_graph=retained, create_graph=self._second_order)

    def _drop_gradients(self) -> None:
        self._mean.drop()
        for optimizer in self._optimizers.values():
            optimizer.zero_grad()


def needs_closure(optimizer: Any) -> bool:
    """Returns whether an optimizer evaluates the model itself, as LBFGS does."""
    return isinstance(getattr(optimizer, "optimizer", optimizer), torch.optim.LBFGS)

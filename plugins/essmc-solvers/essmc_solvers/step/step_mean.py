"""From the means of batches to the mean over all items of an optimizer step, in all processes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from essmc_core.contract.normalizers import Normalizer
from essmc_core.errors import ConfigError
from essmc_solvers.engine import is_fsdp, sum_gradients, sum_over_processes
from essmc_solvers.step.gradients import gradients_of, scale_gradients

if TYPE_CHECKING:
    from accelerate import Accelerator

LOSS = "loss"


def loss_terms(outputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the means whose sum is the loss, by name."""
    terms = outputs.get("loss_terms") or {LOSS: outputs[LOSS]}
    return {name: term.reshape(()) for name, term in terms.items()}


class StepMean:
    """Weighs the losses of a step's batches so that their gradients are those of one large batch.

    A batch's loss is divided by what of the batch counts, which its outputs tell (`essmc_core.TrainModule`), and the
    loss of a step by what of all its batches counts. That is known when the last one was seen, so gradients are added
    up with a guess and corrected at the end. The terms of a loss that has several are corrected each by a factor of its
    own, so their gradients are added up apart.

    Args:
        accelerator: of the run.
        accumulate_steps: batches of a step.
        usual_size: items that one process has of a full batch; the guess.
    """

    def __init__(self, accelerator: Accelerator, accumulate_steps: int, usual_size: float) -> None:
        self._accelerator = accelerator
        self._world = accelerator.num_processes
        self._guess = accumulate_steps * usual_size
        self._apart = False
        self._single = True
        self.start()

    def start(self) -> None:
        """Begins a step."""
        self._totals: dict[str, Tensor | None] = {}
        self._kept: dict[str, list[Tensor | None]] = {}
        self._parts: dict[str, Tensor] = {}
        self._batches = 0
        self.is_empty = True

    @property
    def adds_apart(self) -> bool:
        """Whether processes keep their gradients to themselves until a step is complete."""
        return self._apart and self._batches > 0

    def take(self, outputs: Mapping[str, Any], weight: int, is_step_end: bool) -> Tensor:
        """Takes in a batch's loss.

        Args:
            outputs: what the model gave.
            weight: items that count here.
            is_step_end: whether the step ends with this batch.

        Returns:
            The loss as it is weighed in the step, a scalar; NaN where the loss is.
        """
        terms = loss_terms(outputs)
        stated = outputs.get("normalizers") or {}
        self._single = is_step_end and not self._batches
        self._batches += 1
        self._apart = len(terms) > 1
        if self._apart and not self._single and is_fsdp(self._accelerator):
            raise ConfigError(
                "a loss of several terms cannot be accumulated with sharded parameters (FSDP)",
                hint="Set accumulate_steps to 1.",
            )
        numbers = {name: _number(stated.get(name, weight) if weight else 0) for name in terms}
        sums = {name for name in terms if stated.get(name, weight) is None}
        self._parts = {}
        if self._world == 1:
            # 0 / 0 of a batch in which nothing counts is no part of a mean.
            numbers = {name: number for name, number in numbers.items() if float(number)}
        if self._single:
            totals = self._over_processes(numbers, sums)
            for name, number in numbers.items():
                share = _divided(number * self._world, totals[name])
                self._parts[name] = terms[name] if self._world == 1 else terms[name] * share.to(terms[name])
            self.is_empty = not any(float(total) for total in totals.values())
        else:
            for name, number in numbers.items():
                guess = 1.0 if name in sums else self._guess
                self._parts[name] = terms[name] * (number / guess).to(terms[name])
            for name in numbers:
                total = self._totals.get(name, 0.0)
                self._totals[name] = None if name in sums or total is None else total + numbers[name]
        return sum(self._parts.values(), torch.zeros((), device=outputs[LOSS].device))

    def backward(self, backward: Callable[..., None], parameters: Sequence[nn.Parameter]) -> None:
        """Adds the gradients of what was taken in.

        Args:
            backward: takes a loss, and ``retain_graph``.
            parameters: those that are trained.
        """
        parts, self._parts = self._parts, {}
        if self._single or not self._apart:
            if parts:
                backward(sum(parts.values()))
            return
        # A term that is constant has no gradients, as one with a weight of 0.
        parts = {name: part for name, part in parts.items() if part.requires_grad}
        for left, (name, part) in zip(range(len(parts) - 1, -1, -1), parts.items(), strict=True):
            kept = self._kept.get(name) or [None] * len(parameters)
            for parameter, gradient in zip(parameters, kept, strict=True):
                parameter.grad = gradient
            backward(part, retain_graph=left > 0)
            self._kept[name] = [parameter.grad for parameter in parameters]
            for parameter in parameters:
                parameter.grad = None

    def drop(self) -> None:
        """Forgets the gradients that were added up."""
        self._kept = {}

    def gradients(self, parameters: Sequence[nn.Parameter]) -> list[Tensor]:
        """Returns all gradients that were added up so far."""
        apart = [gradient for kept in self._kept.values() for gradient in kept if gradient is not None]
        return [*gradients_of(parameters), *apart]

    @torch.no_grad()
    def finish(self, parameters: Sequence[nn.Parameter]) -> None:
        """Turns what was added up into the gradients of the mean over all that counts; every process must take part.

        Args:
            parameters: those that are trained.
        """
        if self._single:
            return
        sums = {name for name, total in self._totals.items() if total is None}
        numbers = {name: torch.ones(()) if total is None else total for name, total in self._totals.items()}
        totals = self._over_processes(numbers, sums)
        self.is_empty = not any(float(total) for total in totals.values())
        factors = {
            name: float(_divided(torch.tensor(1.0 if name in sums else self._guess), total.cpu()))
            for name, total in totals.items()
        }
        if not self._apart:
            for factor in factors.values():
                if factor * self._world != 1:
                    scale_gradients(parameters, factor * self._world)
            return
        for place, parameter in enumerate(parameters):
            found = ((kept[place], factors[name]) for name, kept in self._kept.items())
            gradients = [gradient * factor for gradient, factor in found if gradient is not None]
            parameter.grad = functools.reduce(torch.add, gradients) if gradients else None
        self._kept = {}
        sum_gradients(self._accelerator, parameters)

    def _over_processes(self, numbers: Mapping[str, Tensor], sums: set[str]) -> dict[str, Tensor]:
        """Returns what counts in all processes together, by name; 1 for sums."""
        found = dict(numbers)
        if self._world > 1 and numbers:
            device = self._accelerator.device
            together = sum_over_processes(self._accelerator, torch.stack([one.to(device) for one in numbers.values()]))
            found = dict(zip(numbers, together, strict=True))
        return {name: torch.ones_like(total) if name in sums else total for name, total in found.items()}


def _number(normalizer: Normalizer) -> Tensor:
    number = torch.as_tensor(1.0 if normalizer is None else normalizer).detach()
    return number.to(torch.float32 if number.device.type == "mps" else torch.float64)


def _divided(number: Tensor, total: Tensor) -> Tensor:
    """Returns a quotient, 0 where nothing counts."""
    return torch.where(total != 0, number / total.where(total != 0, 1), 0)

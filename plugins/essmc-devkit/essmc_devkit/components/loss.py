"""Checks of losses: known values, ignored labels, gradients, parts of a batch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.normalizers import normalizer_of, states_normalizer
from essmc_core.registry.reading import live_signature
from essmc_devkit.components import numpy_reference
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.outputs import difference, not_finite
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

_SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.5, -0.5], [-1.0, 0.25, 1.0], [0.5, 0.5, -2.0]])
_LABELS = torch.tensor([0, 1, 1, 2])


class LossSubject(Subject):
    """A loss.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
        inputs: what it is called with; scores (N, K), with class indices (N,) or else targets (N, K), by default.
        known: pairs of inputs and the value that they have.
    """

    def __init__(
        self,
        config: str | Mapping[str, Any],
        inputs: Sequence[Any] | None = None,
        known: Sequence[tuple[Sequence[Any], float]] = (),
    ) -> None:
        super().__init__("losses", config)
        self.given_inputs = None if inputs is None else tuple(inputs)
        self.known = tuple(known)

    @cached_property
    def inputs(self) -> tuple[Any, ...]:
        """What it is called with.

        Raises:
            NotChecked: it takes neither class indices nor targets, and no other inputs were given.
        """
        if self.given_inputs is not None:
            return self.given_inputs
        failure = ""
        for labels in (_LABELS, nn.functional.one_hot(_LABELS).float()):
            try:
                self.built(_SCORES.clone(), labels.clone())
            except NotChecked:
                raise
            except Exception as error:
                failure = failure or brief(error, 100)
            else:
                return (_SCORES.clone(), labels.clone())
        raise NotChecked(f"it takes no scores (N, K) with labels (N,): {failure}; state `inputs` in a test class")

    def value(self, *inputs: Any, **arguments: Any) -> Tensor:
        """Returns the loss of inputs, built with further arguments."""
        loss = self.build(**arguments) if arguments else self.built
        found: Tensor = loss(*(one.clone() if isinstance(one, Tensor) else one for one in inputs))
        return found

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns a measurement."""
        inputs = copy.deepcopy(self.inputs)
        return lambda: made(*inputs)

    def takes(self, name: str) -> bool:
        """Returns whether its constructor has an argument."""
        return live_signature(self.component).parameter(name) is not None


@check("loss.scalar")
def scalar(subject: LossSubject) -> Iterator[Problem]:
    """It is one finite number, with a gradient for the scores."""
    scores = subject.inputs[0].detach().clone().requires_grad_()
    found = subject.value(scores, *subject.inputs[1:])
    reduction = getattr(subject.built, "reduction", "mean")
    if not isinstance(found, Tensor) or (reduction != "none" and found.ndim):
        shown = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        yield Problem(f"it returns {shown}, no scalar tensor", "return the mean over the items")
        return
    if words := not_finite(found):
        yield Problem(words)
    if not found.requires_grad:
        yield Problem("it has no gradient", "compute it from the scores with torch, without .item() or .detach()")
        return
    torch.autograd.backward(found.sum())
    if scores.grad is None or not_finite(scores.grad):
        yield Problem("the gradient of its scores is missing or has NaN")


@check("loss.known-values")
def known_values(subject: LossSubject) -> Iterator[Problem]:
    """It has the values that were computed without it."""
    cases = list(subject.known)
    reference = numpy_reference.loss_for(subject.component.name)
    if reference is not None and subject.given_inputs is None and not subject.given.keys() - {"type"}:
        scores, labels = subject.inputs
        cases.append(((scores, labels), reference(scores.numpy(), labels.numpy())))
    if not cases:
        raise NotChecked("no value is known: state `known` in a test class")
    for inputs, expected in cases:
        found = float(subject.value(*inputs))
        if abs(found - expected) > 1e-5 + 1e-4 * abs(expected):
            yield Problem(f"it is {found:.6g} where {expected:.6g} was computed by hand")


@check("loss.in-place")
def in_place(subject: LossSubject) -> Iterator[Problem]:
    """What it is given stays as it was: metrics are measured on the same scores and labels."""
    given = copy.deepcopy(subject.inputs)
    subject.built(*given)
    if words := difference(given, subject.inputs, rtol=0, atol=0):
        yield Problem(f"it changes what it is called with: {words}", "work on copies: masked_fill, not x[mask] = …")


@check("loss.order")
def order(subject: LossSubject) -> Iterator[Problem]:
    """It does not depend on the order of the items."""
    turned = [one.flip(0) for one in subject.inputs]
    first, other = subject.value(*subject.inputs), subject.value(*turned)
    if first.ndim == 0 and (words := difference(other, first)):
        yield Problem(f"with the items in another order it {words}")


@check("loss.ignored-labels")
def ignored_labels(subject: LossSubject) -> Iterator[Problem]:
    """Items whose label is `ignore_index` do not count; a batch of nothing else has a loss of 0."""
    if not subject.takes("ignore_index"):
        raise NotChecked("it takes no ignore_index")
    scores, labels = subject.inputs[0], subject.inputs[1].clone()
    if labels.is_floating_point():
        raise NotChecked("its labels are no class indices")
    labels[0] = -100
    found = subject.value(scores, labels, ignore_index=-100)
    expected = subject.value(scores[1:], labels[1:], ignore_index=-100)
    if found.ndim == 0 and (words := difference(found, expected)):
        yield Problem(f"with an ignored item it {words}, compared with the batch without", "divide by items that count")
    free = scores.clone().requires_grad_()
    none = subject.value(free, torch.full_like(labels, -100), ignore_index=-100)
    torch.autograd.backward(none.sum())
    gradient = free.grad if free.grad is not None else torch.zeros(())
    if not_finite(none) or not_finite(gradient) or float(none.detach().sum()) or float(gradient.abs().sum()):
        yield Problem(
            f"where every label is ignored it is {float(none.detach().sum())}",
            "return 0 with gradients of 0, as essmc_core.contract.normalizers.cross_entropy",
        )


@check("loss.reduction")
def reduction(subject: LossSubject) -> Iterator[Problem]:
    """`reduction` is what it says: the sum of each item's loss, and their mean."""
    if not subject.takes("reduction"):
        raise NotChecked("it takes no reduction")
    each, total = (subject.value(*subject.inputs, reduction=one) for one in ("none", "sum"))
    mean = subject.value(*subject.inputs, reduction="mean")
    if not each.ndim:
        yield Problem("reduction='none' returns one number", "return one for each item")
    elif words := difference(total, each.sum()):
        yield Problem(f"reduction='sum' {words}, compared with the sum of reduction='none'")
    elif words := difference(mean, each.mean()):
        yield Problem(f"reduction='mean' {words}, compared with the mean of reduction='none'")


@check("loss.parts")
def parts(subject: LossSubject) -> Iterator[Problem]:
    """By its normalizer, the losses of two parts of a batch combine to that of the whole."""
    loss = subject.built
    if not states_normalizer(loss) and not isinstance(loss, nn.Module):
        raise NotChecked("it states no normalizer")
    whole = subject.value(*subject.inputs)
    halves = [tuple(one[rows] for one in subject.inputs[:2]) for rows in (slice(0, 1), slice(1, None))]
    values = [subject.value(*half, *subject.inputs[2:]) for half in halves]
    divisors = [normalizer_of(loss, *half) for half in halves]
    if any(one is None for one in divisors):
        combined = torch.stack(values).sum()
    else:
        weights = [float(one) for one in divisors if one is not None]
        combined = torch.stack([v * w for v, w in zip(values, weights, strict=True)]).sum() / sum(weights)
    if whole.ndim == 0 and (words := difference(combined, whole)):
        yield Problem(
            f"the losses of two parts of a batch do not combine to that of the whole: {words}",
            "state what it divides by with a method normalizer(scores, labels)",
            "failed" if states_normalizer(loss) else "warning",
        )


ALL = (scalar, known_values, in_place, order, ignored_labels, reduction, parts)

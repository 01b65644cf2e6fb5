"""Checks of metrics: known values, ignored labels, plain results."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from essmc_core.registry.reading import live_signature
from essmc_devkit.components import numpy_reference
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.outputs import difference, leaves
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

_SCORES = torch.tensor([[2.0, -1.0, 0.5], [0.0, 1.5, -0.5], [-1.0, 1.25, 1.0], [0.5, 0.25, -2.0]])
_LABELS = torch.tensor([0, 1, 1, 2])


class MetricSubject(Subject):
    """A metric.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
        inputs: what it is called with; scores (N, K), class indices (N,), and a key for each item if it takes three,
            by default.
        known: pairs of inputs and what they give: a number, or numbers by name.
    """

    def __init__(
        self,
        config: str | Mapping[str, Any],
        inputs: Sequence[Any] | None = None,
        known: Sequence[tuple[Sequence[Any], float | Mapping[str, float]]] = (),
    ) -> None:
        super().__init__("metrics", config)
        self._inputs = None if inputs is None else tuple(inputs)
        self.known = tuple(known)

    @cached_property
    def inputs(self) -> tuple[Any, ...]:
        """What it is called with."""
        if self._inputs is not None:
            return self._inputs
        usual = (_SCORES.clone(), _LABELS.clone())
        try:
            # Of a copy, as it may keep or change what it is given.
            self.build()(*copy.deepcopy(usual))
        except TypeError:
            return (*usual, list("abcd"))
        # What else it raises is said by the checks.
        except Exception:
            return usual
        return usual

    def values(self, *inputs: Any, **arguments: Any) -> dict[str, float]:
        """Returns what it says about inputs, by name; the name of a number alone is empty.

        Raises:
            NotChecked: it does not take scores and class indices, and no other inputs were given.
        """
        metric = self.build(**arguments) if arguments else self.built
        try:
            found = metric(*copy.deepcopy(inputs))
        except Exception as error:
            if self._inputs is not None:
                raise
            raise NotChecked(f"it takes no scores (N, K) with labels (N,): {brief(error, 100)}") from None
        return {key: float(one) for key, one in leaves(found)}

    def usage(self, made: Any) -> Callable[[], object]:
        """Returns a measurement."""
        inputs = copy.deepcopy(self.inputs)
        return lambda: made(*inputs)


@check("metric.values")
def values(subject: MetricSubject) -> Iterator[Problem]:
    """It returns numbers, or scalars, by name, which carry no gradient and leave its inputs alone."""
    if not subject.values(*subject.inputs):
        yield Problem("it returns nothing", "return a scalar, or a dict of scalars by name")
    inputs = copy.deepcopy(subject.inputs)
    subject.built(*inputs)
    if words := difference(inputs, subject.inputs, rtol=0, atol=0):
        yield Problem(f"it changes what it is called with: {words}", "work on copies")
    scores = subject.inputs[0]
    if isinstance(scores, Tensor) and scores.is_floating_point():
        found = subject.built(scores.clone().requires_grad_(), *subject.inputs[1:])
        kept = [key for key, one in leaves(found) if isinstance(one, Tensor) and one.requires_grad]
        if kept:
            yield Problem(f"{kept[0] or 'its value'} carries a gradient", "compute it under torch.no_grad()")


@check("metric.known-values")
def known_values(subject: MetricSubject) -> Iterator[Problem]:
    """It has the values that were computed without it."""
    cases: list[tuple[Sequence[Any], float | Mapping[str, float]]] = list(subject.known)
    reference = numpy_reference.metric_for(subject.component.name)
    if reference is not None and not subject.given.keys() - {"type"}:
        cases.append(((_SCORES.clone(), _LABELS.clone()), reference(_SCORES.numpy(), _LABELS.numpy())))
    if not cases:
        raise NotChecked("no value is known: state `known` in a test class")
    for inputs, expected in cases:
        found = subject.values(*inputs)
        wanted = dict(expected) if isinstance(expected, Mapping) else {next(iter(found)): expected}
        for key, value in wanted.items():
            if abs(found.get(key, float("nan")) - value) <= 1e-5 + 1e-4 * abs(value):
                continue
            yield Problem(f"{key or 'it'} is {found.get(key)} where {value:.6g} was computed by hand")


@check("metric.order")
def order(subject: MetricSubject) -> Iterator[Problem]:
    """It does not depend on the order of the items, nor on what it was called with before."""
    first = subject.values(*subject.inputs)
    if words := difference(subject.values(*subject.inputs), first):
        yield Problem(f"called a second time, {words}", "keep nothing between calls")
        return
    # A mean over all calls is the same for the same items.
    subject.values(*(one[:1] for one in subject.inputs))
    if words := difference(subject.values(*subject.inputs), first):
        yield Problem(f"called on other items in between, {words}", "keep nothing between calls")
        return
    turned = [one.flip(0) if isinstance(one, Tensor) else one[::-1] for one in subject.inputs]
    if words := difference(subject.values(*turned), first):
        yield Problem(f"with the items in another order, {words}")


@check("metric.ignored-labels")
def ignored_labels(subject: MetricSubject) -> Iterator[Problem]:
    """Items whose label is `ignore_index` do not count."""
    if live_signature(subject.component).parameter("ignore_index") is None:
        raise NotChecked("it takes no ignore_index")
    scores, labels, *rest = subject.inputs
    labels = labels.clone()
    labels[0] = -100
    found = subject.values(scores, labels, *rest, ignore_index=-100)
    expected = subject.values(scores[1:], labels[1:], *(one[1:] for one in rest), ignore_index=-100)
    if words := difference(found, expected):
        yield Problem(f"with an ignored item {words}, compared with the batch without", "divide by items that count")


ALL = (values, known_values, order, ignored_labels)

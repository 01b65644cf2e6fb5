"""Checks of heads: from features to one number for each class."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from essmc_devkit.components.check import NotChecked, check
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.outputs import difference, not_finite, tensors
from essmc_devkit.problem import Problem


@check("head.scores")
def scores(subject: ModuleSubject) -> Iterator[Problem]:
    """It returns (N, classes), for each task where there are several."""
    outputs = list(tensors(subject.output).values())
    stated = subject.config.get("num_classes")
    expected = [stated] if isinstance(stated, int) else list(stated or [None] * len(outputs))
    found = [tuple(one.shape) for one in outputs]
    wanted = [(2, count) for count in expected]
    if any(len(one) != 2 or one[0] != 2 for one in found) or (None not in expected and found != wanted):
        yield Problem(f"of 2 features it returns {found}, not {wanted}", "return raw scores (N, num_classes)")
    if words := not_finite(subject.output):
        yield Problem(words)


@check("head.modes")
def modes(subject: ModuleSubject) -> Iterator[Problem]:
    """In eval mode two passes give the same; in train mode it gives as many scores, and all parameters gradients."""
    expected = subject.output
    if words := difference(subject.run(subject.module, 2), expected):
        yield Problem(f"in a second pass in eval mode, {words}", "use dropout as a module, which eval mode turns off")
    module = copy.deepcopy(subject.module).train()
    found: Any = module(*subject.inputs(2))
    shapes = [[tuple(one.shape) for one in tensors(value).values()] for value in (found, expected)]
    if shapes[0] != shapes[1]:
        yield Problem(f"in train mode it returns {shapes[0]}, in eval mode {shapes[1]}")
    total = sum((one.square().sum() for one in tensors(found).values()), start=_zero(found))
    if not total.requires_grad:
        if list(module.parameters()):
            yield Problem("its scores have no gradient", "leave out .detach() and torch.no_grad()")
        return
    torch.autograd.backward(total)
    without = [name for name, value in module.named_parameters() if value.requires_grad and value.grad is None]
    if without:
        yield Problem(f"its scores do not depend on {without[0]}", "use all parameters, or leave them out")


@check("head.classes")
def classes(subject: ModuleSubject) -> Iterator[Problem]:
    """`num_classes` is what it was built with, which models and labels are compared with."""
    stated = subject.config.get("num_classes")
    if stated is None:
        raise NotChecked("it takes no num_classes")
    found = getattr(subject.module, "num_classes", None)
    if found is None:
        yield Problem("it has no attribute num_classes", "keep it, so that models can check labels", "warning")
    elif (list(found) if isinstance(found, (list, tuple)) else found) != (
        list(stated) if isinstance(stated, (list, tuple)) else stated
    ):
        yield Problem(f"num_classes is {found}, and it was built with {stated}")


ALL = (scores, modes, classes)


def _zero(found: Any) -> Tensor:
    return next(iter(tensors(found).values())).new_zeros(())

"""The check that a module computes something, without which every other check of it is skipped."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch

from essmc_core.errors import EssmcError
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.least_input import NoInput
from essmc_devkit.components.loss import LossSubject
from essmc_devkit.components.metric import MetricSubject
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.outputs import difference, not_finite
from essmc_devkit.problem import Problem

_ONE_TENSOR = ("backbones",)
"""Kinds whose components take images or clips; others may refuse those on purpose."""


@check("component.runs")
def runs(subject: ModuleSubject) -> Iterator[Problem]:
    """In eval mode it takes one input, and two, and returns finite numbers."""
    module = subject.module
    try:
        shape = subject.input_shape
    except NoInput as error:
        if not error.crashed and subject.kind not in _ONE_TENSOR:
            raise
        yield Problem(str(error), "take float32 images (N, C, H, W), clips (N, C, T, H, W), or features (N, dim)")
        return
    for batch in (1, 2):
        try:
            found = subject.run(module, batch)
        except NotChecked:
            raise
        except Exception as error:
            yield Problem(f"an input of shape {(batch, *shape)} raises {brief(error)}", "see its traceback in a test")
            return
        if words := not_finite(found):
            yield Problem(f"for an input of shape {(batch, *shape)} {words}")
            return


@check("component.in-place")
def in_place(subject: ModuleSubject) -> Iterator[Problem]:
    """Its inputs stay as they were: others go on using them."""
    given = subject.inputs(2)
    kept = [one.clone() for one in given]
    with torch.no_grad():
        subject.module(*given)
    if words := difference(list(given), kept, rtol=0, atol=0):
        yield Problem(f"it changes its input: {words}", "no inplace=True, `-=` or normal_() on what comes in")


@check("component.eval-state")
def eval_state(subject: ModuleSubject) -> Iterator[Problem]:
    """In eval mode a pass leaves its parameters and buffers as they were."""
    before = {name: value.clone() for name, value in subject.module.state_dict().items()}
    subject.run(subject.module, 2)
    if words := difference(subject.module.state_dict(), before, rtol=0, atol=0):
        yield Problem(f"a pass in eval mode changes its state dict: {words}", "count and average in train mode alone")


@check("component.runs")
def measures(subject: LossSubject | MetricSubject) -> Iterator[Problem]:
    """It takes scores (N, K) and labels (N,), or refuses them by name."""
    try:
        # Of a copy, as it may change what it is given.
        subject.built(*copy.deepcopy(subject.inputs))
    except EssmcError as error:
        raise NotChecked(f"it takes something else: {brief(error)}") from None
    except Exception as error:
        yield Problem(
            f"of scores (N, K) and labels (N,) it raises {brief(error)}", "refuse by an InputError", "warning"
        )

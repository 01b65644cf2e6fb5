"""Checks of the contract between models and solvers: `essmc_core.TrainModule`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from essmc_core import TrainModule
from essmc_core.contract.module import check_gradient, check_train_output
from essmc_core.errors import ContractError
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.model_subject import ModelSubject
from essmc_devkit.components.outputs import difference, not_finite, tensors
from essmc_devkit.problem import Problem

_SEE = "see essmc_core.TrainModule"
_TOO_FEW = "Expected more than 1 value per channel"


@check("model.base")
def base(subject: ModelSubject) -> Iterator[Problem]:
    """It is a `TrainModule`."""
    if not isinstance(subject.module, TrainModule):
        yield Problem(f"{type(subject.module).__name__} is no TrainModule", "derive it from essmc_core.TrainModule")


@check("model.test-mode")
def test_mode(subject: ModelSubject) -> Iterator[Problem]:
    """In test mode an input alone gives a tensor or a dict of tensors, one row for each input."""
    subject.module  # noqa: B018 - what cannot be built is another check
    for batch in (1, 2):
        try:
            found = subject.run(subject.module, batch)
        except NotChecked:
            raise
        except Exception as error:
            yield Problem(f"in test mode a batch of {batch} raises {brief(error)}", _SEE)
            continue
        yield from _activated(found, batch, "in test mode")
    before = copy.deepcopy(subject.module.state_dict())
    subject.run(subject.module, 2)
    if words := difference(subject.module.state_dict(), before, rtol=0, atol=0):
        yield Problem(f"a pass in test mode changes its state: {words}", "count and average in train mode alone")


@check("model.test-mode-labels")
def test_mode_labels(subject: ModelSubject) -> Iterator[Problem]:
    """In test mode an input with ground truth gives a dict with `logits` and metrics."""
    alone = subject.output
    for batch in (1, 2):
        with torch.no_grad():
            found = subject.module(*subject.inputs(batch), subject.labels(batch))
        if not isinstance(found, Mapping):
            yield Problem(f"in test mode with labels it returns a {type(found).__name__}", f"return a dict; {_SEE}")
            return
        if isinstance(alone, Tensor):
            if "logits" not in found:
                yield Problem(f"in test mode with labels the dict has no `logits`, but {', '.join(found)}", _SEE)
                return
            expected = subject.run(subject.module, batch)
            if words := difference(found["logits"], expected):
                yield Problem(f"`logits` with labels, compared with what it returns alone: {words}", _SEE)
        if words := not_finite({key: value for key, value in found.items() if not _may_be_nan(key)}):
            yield Problem(f"in test mode with labels {words}")


@check("model.train-mode")
def train_mode(subject: ModelSubject) -> Iterator[Problem]:
    """In train mode an input with ground truth gives `loss` and `batch_size`, and the loss reaches all parameters."""
    subject.affordable()
    for batch in (1, 2):
        model = copy.deepcopy(subject.module).train()
        try:
            outputs = check_train_output(model(*subject.inputs(batch), subject.labels(batch)))
            check_gradient(outputs)
        except ContractError as error:
            yield Problem(error.message, error.hint)
            return
        except ValueError as error:
            if batch > 1 or _TOO_FEW not in str(error):
                raise
            yield Problem("a batch norm has one value for each channel of one input", "", "warning")
            continue
        if outputs["batch_size"] != batch:
            yield Problem(f"batch_size is {outputs['batch_size']} for {batch} inputs", _SEE)
        if words := not_finite({"loss": outputs["loss"]}):
            yield Problem(words)
        torch.autograd.backward(outputs["loss"])
        without = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
        if without:
            more = f" and {len(without) - 1} more" if len(without) > 1 else ""
            yield Problem(
                f"the loss does not reach {without[0]}{more}",
                "use all parameters, or freeze those that are not used: requires_grad_(False)",
            )
            return


@check("model.train-mode-alone")
def train_mode_alone(subject: ModelSubject) -> Iterator[Problem]:
    """In train mode an input alone gives the activated output."""
    subject.affordable()
    found = copy.deepcopy(subject.module).train()(*subject.inputs(2))
    yield from _activated(found, 2, "in train mode without labels")


@check("model.normalizers")
def normalizers(subject: ModelSubject) -> Iterator[Problem]:
    """With the normalizers that it states, losses of parts of a batch combine to that of the whole."""
    subject.affordable()
    model: Any = copy.deepcopy(subject.module)
    model.tells_normalizers = True
    (inputs,), labels = subject.inputs(3), subject.labels(3)
    with torch.no_grad():
        whole, *parts = (model(inputs[rows], labels[rows]) for rows in (slice(0, 3), slice(0, 1), slice(1, 3)))
    if not all(isinstance(one, Mapping) and isinstance(one.get("loss"), Tensor) for one in (whole, *parts)):
        raise NotChecked("it returns no loss in test mode")
    if "loss_terms" in whole:
        raise NotChecked("its loss has several terms")
    stated = [
        one.get("normalizers", {}).get("loss", one.get("batch_size", size))
        for one, size in zip(parts, (1, 2), strict=True)
    ]
    if any(one is None for one in stated):
        combined = sum(one["loss"] for one in parts)
    else:
        weights = [float(one) for one in stated]
        combined = sum(one["loss"] * weight for one, weight in zip(parts, weights, strict=True)) / sum(weights)
    if words := difference(combined, whole["loss"], rtol=1e-3):
        yield Problem(
            f"the losses of two parts of a batch do not combine to that of the whole: {words}",
            "return `normalizers`: what the loss was divided by",
        )


ALL = (base, test_mode, test_mode_labels, train_mode, train_mode_alone, normalizers)


def _activated(found: Any, batch: int, when: str) -> Iterator[Problem]:
    outputs = tensors(found)
    if not isinstance(found, (Tensor, Mapping)) or not outputs or len(outputs) != len(found_items(found)):
        yield Problem(f"{when} it returns a {type(found).__name__}, no tensor or dict of tensors", _SEE)
        return
    for key, one in outputs.items():
        if not one.ndim or one.shape[0] != batch:
            yield Problem(f"{when} {key or 'the output'} has shape {tuple(one.shape)} for {batch} inputs", _SEE)
    if words := not_finite(found):
        yield Problem(f"{when} {words}")


def found_items(found: Any) -> Any:
    """Returns the values of a dict, or the output as the only one."""
    return found.values() if isinstance(found, Mapping) else [found]


def _may_be_nan(key: str) -> bool:
    # Metrics of batches in which no item counts.
    return key.startswith("acc")

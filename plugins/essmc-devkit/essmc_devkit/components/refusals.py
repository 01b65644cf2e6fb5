"""Checks that inputs which a network cannot take are refused by an error that says what it takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import EssmcError
from essmc_devkit.components.backbone_subject import BackboneSubject
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.outputs import not_finite
from essmc_devkit.problem import Problem

_FIX = "begin forward and forward_features with essmc_core.contract.input_tensors.check_backbone_input"


@check("refusals.channels")
def channels(subject: BackboneSubject) -> Iterator[Problem]:
    """Another number of channels is refused."""
    shape = (subject.input_shape[0] + 1, *subject.input_shape[1:])
    yield from _must_refuse(subject, "one channel more", torch.zeros(2, *shape))


@check("refusals.rank")
def rank(subject: BackboneSubject) -> Iterator[Problem]:
    """An input without its batch, and one with a dimension too many, are refused."""
    yield from _must_refuse(subject, "no batch dimension", torch.zeros(subject.input_shape))
    yield from _must_refuse(subject, "a dimension too many", torch.zeros(2, *subject.input_shape, 1))


@check("refusals.number-type")
def number_type(subject: BackboneSubject) -> Iterator[Problem]:
    """Bytes, and numbers of another type than the weights', are refused."""
    yield from _must_refuse(subject, "uint8", torch.zeros(2, *subject.input_shape, dtype=torch.uint8))
    yield from _must_refuse(subject, "float64", torch.zeros(2, *subject.input_shape, dtype=torch.float64))


@check("refusals.too-small")
def too_small(subject: BackboneSubject) -> Iterator[Problem]:
    """Inputs of one pixel are refused, or work."""
    small = torch.zeros(2, *subject.input_shape[:-2], 1, 1)
    yield from _may_refuse(subject, "one pixel", small)
    if subject.is_video:
        channel, _, height, width = subject.input_shape
        yield from _may_refuse(subject, "one frame", torch.zeros(2, channel, 1, height, width))


@check("refusals.odd-size")
def odd_size(subject: BackboneSubject) -> Iterator[Problem]:
    """Inputs whose sides are odd, and differ, are refused, or work."""
    height, width = subject.input_shape[-2:]
    odd = torch.zeros(2, *subject.input_shape[:-2], height + 1, width + 3)
    yield from _may_refuse(subject, "odd sides", odd)


@check("refusals.width")
def width(subject: ModuleSubject) -> Iterator[Problem]:
    """A head refuses features of another width, and those that are not pooled."""
    shape = subject.input_shape
    if len(shape) != 1:
        raise NotChecked("it takes maps")
    fix = "compare x.ndim and x.shape[1] with `dim`, and raise essmc_core.errors.InputError"
    for what, wrong in (("one feature more", (shape[0] + 1,)), ("maps", (*shape, 2, 2))):
        yield from _judge(subject, what, subject.module, torch.zeros(2, *wrong), True, fix)


BACKBONES = (channels, rank, number_type, too_small, odd_size)


def _must_refuse(subject: BackboneSubject, what: str, wrong: Tensor) -> Iterator[Problem]:
    for run in _ways(subject):
        yield from _judge(subject, what, run, wrong, True, _FIX)


def _may_refuse(subject: BackboneSubject, what: str, unusual: Tensor) -> Iterator[Problem]:
    for run in _ways(subject):
        yield from _judge(subject, what, run, unusual, False, _FIX + ", min_size or fixed_size stated")


def _ways(subject: BackboneSubject) -> list[Callable[[Tensor], Any]]:
    if subject.output is None:
        raise NotChecked("it returns nothing")
    features = getattr(subject.module, "forward_features", None)
    return [subject.module, *([features] if callable(features) else [])]


def _judge(
    subject: ModuleSubject, what: str, run: Callable[[Tensor], Any], wrong: Tensor, refuse: bool, fix: str
) -> Iterator[Problem]:
    where = "forward_features" if inspect.ismethod(run) else "forward"
    try:
        with torch.no_grad():
            found = run(wrong)
    except Exception as error:
        if not _names(error, subject, wrong):
            yield Problem(f"{where} of an input with {what} raises {brief(error, 100)}, which names no argument", fix)
        return
    if refuse:
        yield Problem(f"{where} takes an input with {what}, {tuple(wrong.shape)}", fix)
    elif words := not_finite(found):
        yield Problem(f"{where} of an input with {what}: {words}", fix)


def _names(error: Exception, subject: ModuleSubject, wrong: Tensor) -> bool:
    """Returns whether an error says whose input is wrong, or what about it."""
    if isinstance(error, EssmcError):
        return True
    if not isinstance(error, (ValueError, TypeError)):
        return False
    module: Any = subject.module
    arguments = [*inspect.signature(module.forward).parameters, "in_chans", "num_frames", "img_size", "dim"]
    words = str(error).replace("(", " ").replace("`", " ").replace("=", " ").replace("'", " ").split()
    own = {type(module).__name__, subject.component.name, *(name for name in arguments if len(name) > 1)}
    return bool(own & {word.strip(".,:;)") for word in words}) or str(tuple(wrong.shape)) in str(error)

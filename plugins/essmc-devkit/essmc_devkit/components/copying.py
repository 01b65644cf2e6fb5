"""Checks that what is built can be copied, pickled, sent to another process, and saved."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.outputs import difference
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

_PORTABLE = "store plain values and modules, no lambdas, open files or functions defined inside functions"


@check("copying.deepcopy")
def deepcopied(subject: ModuleSubject) -> Iterator[Problem]:
    """A deep copy computes the same, and shares no tensor with the original."""
    expected, copied = subject.output, copy.deepcopy(subject.module)
    words = difference(subject.run(copied, 2), expected)
    if words:
        yield Problem(f"of a deep copy, {words}", "keep all that forward reads in parameters, buffers or attributes")
    own = {tensor.data_ptr() for tensor in subject.module.state_dict().values() if tensor.numel()}
    shared = [name for name, tensor in copied.state_dict().items() if tensor.numel() and tensor.data_ptr() in own]
    if shared:
        yield Problem(f"a deep copy shares {shared[0]} with the original", "leave __deepcopy__ as torch defines it")


@check("copying.pickle")
def pickled(subject: ModuleSubject) -> Iterator[Problem]:
    """A pickled module computes the same."""
    expected = subject.output
    try:
        restored = pickle.loads(pickle.dumps(subject.module))
    except Exception as error:
        yield Problem(f"cannot be pickled: {brief(error)}", _PORTABLE)
        return
    words = difference(subject.run(restored, 2), expected)
    if words:
        yield Problem(f"after pickling, {words}", "let __getstate__ and __reduce__ keep all that forward reads")


@check("copying.spawn")
def spawned(subject: ModuleSubject) -> Iterator[Problem]:
    """A process that was started anew computes the same."""
    subject.affordable()
    expected = subject.output
    try:
        sent = pickle.dumps((subject.module, subject.inputs(2)))
    except Exception:
        raise NotChecked("it cannot be pickled") from None
    try:
        found = run_elsewhere(_forward, sent)
    except Exception as error:
        yield Problem(f"in a spawned process: {brief(error)}", "import what it needs in the module that defines it")
        return
    words = difference(found, expected)
    if words:
        yield Problem(f"in a spawned process, {words}", "keep no state in globals: a new process does not have it")


@check("copying.objects")
def objects(subject: Subject) -> Iterator[Problem]:
    """What is no module can be pickled too, as loaders with several workers do."""
    built = subject.built
    try:
        copy.deepcopy(built)
        pickle.loads(pickle.dumps(built))
    except Exception as error:
        yield Problem(f"cannot be copied and pickled: {brief(error)}", _PORTABLE)


@check("state-dict.keys")
def state_keys(subject: ModuleSubject) -> Iterator[Problem]:
    """A new construction has the keys and shapes of one that has run."""
    new = _shapes(subject.build(seed=1).state_dict())
    assert subject.output is not None
    used = _shapes(subject.module.state_dict())
    changed = sorted({*new.items()} ^ {*used.items()}, key=str)
    if changed:
        yield Problem(
            f"a new construction and one that has run differ in their state dicts, at {changed[0][0]}",
            "make all parameters and buffers in the constructor, under names that do not change",
        )


@check("state-dict.round-trip")
def state_round_trip(subject: ModuleSubject) -> Iterator[Problem]:
    """A state dict that was saved makes another construction compute the same."""
    expected, saved = subject.output, io.BytesIO()
    torch.save(subject.module.state_dict(), saved)
    saved.seek(0)
    other = subject.build(seed=1)
    try:
        other.load_state_dict(torch.load(saved, weights_only=True))
    except Exception as error:
        yield Problem(f"its own state dict is refused: {brief(error)}", "save tensors alone, under names that stay")
        return
    words = difference(subject.run(other.eval(), 2), expected)
    if words:
        yield Problem(
            f"with the same state dict, {words}",
            "register random tensors that forward reads as parameters or persistent buffers",
        )


MODULES = (deepcopied, pickled, spawned, state_keys, state_round_trip)


def run_elsewhere(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what an importable function returns in another process, which was spawned and is kept for later calls."""
    started = _other_process.cache_info().misses
    process = _other_process(tuple(sys.path))
    is_new = _other_process.cache_info().misses > started
    try:
        return _result(process, function, *arguments)
    except BrokenProcessPool:
        if is_new:
            raise
        # A process kept from an earlier check may have died of that one.
        return _result(_other_process(tuple(sys.path)), function, *arguments)


def _result(process: ProcessPoolExecutor, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        found: Future[Any] = process.submit(function, *arguments)
        return found.result(timeout=300)
    except BrokenProcessPool:
        # The next call needs a process that lives.
        _other_process.cache_clear()
        raise


@lru_cache(maxsize=1)
def _other_process(path: tuple[str, ...]) -> ProcessPoolExecutor:
    """Starts a process that imports from where this one does, which one kept from before may not do."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def _forward(sent: bytes) -> Any:
    module, inputs = pickle.loads(sent)
    torch.set_num_threads(1)
    with torch.no_grad():
        return module(*inputs)


def _shapes(state: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in state.items()}

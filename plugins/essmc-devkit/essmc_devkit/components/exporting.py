"""Checks that what is built can be traced, exported with any batch, and written as ONNX."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from tempfile import TemporaryDirectory
from typing import Any

import torch

from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.outputs import difference, tensors
from essmc_devkit.problem import Problem

MOST_EXPORTED = 30_000_000
_NO_BRANCHES = "let no value or size of a tensor choose what is computed; essmc_core.contract.recording tells when"


@check("exporting.trace")
def traced(subject: ModuleSubject) -> Iterator[Problem]:
    """A trace computes the same for inputs other than those it was made with."""
    subject.affordable()
    module = copy.deepcopy(subject.module)
    strict = not isinstance(subject.output, dict)
    try:
        with _quiet(), torch.no_grad():
            recorded: Any = _trace(module, subject.inputs(2), strict=strict, check_trace=False)
            found, expected = subject.run(recorded, 2, seed=1), subject.run(subject.module, 2, seed=1)
    except Exception as error:
        yield Problem(f"torch.jit.trace: {brief(error)}", _NO_BRANCHES)
        return
    words = difference(found, expected, rtol=1e-3, atol=1e-4)
    if words:
        yield Problem(f"traced, {words}", _NO_BRANCHES)


@check("exporting.export")
def exported(subject: ModuleSubject) -> Iterator[Problem]:
    """An exported program takes any batch, and computes the same."""
    subject.affordable()
    try:
        program = _program(subject).module()
        found = [subject.run(program, batch) for batch in (1, 4)]
    except Exception as error:
        yield Problem(f"torch.export with any batch: {brief(error)}", _NO_BRANCHES)
        return
    for batch, one in zip((1, 4), found, strict=True):
        words = difference(one, subject.run(subject.module, batch), rtol=1e-3, atol=1e-4)
        if words:
            yield Problem(f"exported, with {batch} inputs, {words}", _NO_BRANCHES)


@check("exporting.onnx")
def written_as_onnx(subject: ModuleSubject) -> Iterator[Problem]:
    """An ONNX file, run by onnxruntime, computes the same."""
    missing = [name for name in ("onnx", "onnxruntime", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise NotChecked(f"{', '.join(missing)} not installed")
    subject.affordable()
    count = sum(parameter.numel() for parameter in subject.module.parameters())
    if count > MOST_EXPORTED:
        raise NotChecked(f"it has {count:,} parameters: give a test class smaller arguments")
    runtime = importlib.import_module("onnxruntime")
    try:
        with _quiet(), TemporaryDirectory() as folder:
            program = torch.onnx.export(_program(subject), subject.inputs(3), dynamo=True, verbose=False)
            assert program is not None
            program.save(f"{folder}/model.onnx")
            session = runtime.InferenceSession(f"{folder}/model.onnx", providers=["CPUExecutionProvider"])
        fed = {session.get_inputs()[0].name: subject.inputs(2)[0].numpy()}
        found = [torch.as_tensor(one) for one in session.run(None, fed)]
    except Exception as error:
        yield Problem(f"ONNX: {brief(error)}", "use operations that ONNX has", "warning")
        return
    words = difference(found, list(tensors(subject.output).values()), rtol=1e-2, atol=1e-3)
    if words:
        yield Problem(f"from an ONNX file, {words}", _NO_BRANCHES, "warning")


_trace: Any = torch.jit.trace

ALL = (traced, exported, written_as_onnx)


def _program(subject: ModuleSubject) -> Any:
    batch = torch.export.Dim("batch", min=1, max=64)
    with _quiet(), torch.no_grad():
        # Three, since torch may take one or two for a size that never changes.
        inputs = subject.inputs(3)
        shapes = tuple({0: batch} for _ in inputs)
        return torch.export.export(copy.deepcopy(subject.module), inputs, dynamic_shapes=shapes)


@contextmanager
def _quiet() -> Iterator[None]:
    """Hides what torch reports while it records."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)

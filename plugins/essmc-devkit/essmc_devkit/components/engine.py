"""Checks of engines: they compute what the model computes, for the batches that they say, and leave it as it is."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.outputs import difference, tensors
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

_BATCH = 2
TOLERANCE = 1e-4
"""As `essmc_core.optimize` compares outputs in float32."""


class SmallNetwork(nn.Module):
    """Convolutions, a batch norm and a linear layer: (N, 3, 16, 16) → probabilities (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.linear = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        """Returns probabilities (N, 5)."""
        features = self.norm(self.convolution(x)).relu().mean((2, 3))
        scores: Tensor = self.linear(features)
        return scores.softmax(1)


class EngineSubject(Subject):
    """An engine, and a small network in test mode that it runs.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
    """

    def __init__(self, config: str | Mapping[str, Any]) -> None:
        super().__init__("engines", config)
        torch.manual_seed(0)
        self.model = SmallNetwork().eval()
        with torch.no_grad():
            self.model.norm.running_mean.uniform_(-1, 1)  # type: ignore[union-attr]
        self._prepared: Any = None

    @property
    def engine(self) -> Engine:
        """The engine.

        Raises:
            NotChecked: it is none, or cannot run here.
        """
        built = self.built
        if not isinstance(built, Engine):
            raise NotChecked("it is no Engine")
        if objection := built.objection(torch.device("cpu"), "fp32"):
            raise NotChecked(f"it cannot run here: {objection}")
        return built

    @property
    def run(self) -> Any:
        """What the engine prepared for float32 and batches of two, once for all checks."""
        if self._prepared is None:
            self._prepared = self.engine.prepare(self.model, self.inputs(0), "fp32")
        return self._prepared

    def inputs(self, seed: int, batch: int = _BATCH) -> Tensor:
        """Returns a batch (N, 3, 16, 16)."""
        return torch.randn((batch, 3, 16, 16), generator=torch.Generator().manual_seed(seed))


@check("engine.base")
def base(subject: EngineSubject) -> Iterator[Problem]:
    """It is an `Engine` that knows float32, states precisions and devices, and says what is missing in a text."""
    built = subject.built
    if not isinstance(built, Engine):
        yield Problem(f"a {type(built).__name__} is no Engine", "derive it from essmc_core.contract.engine.Engine")
        return
    odd = [one for one in built.precisions if one not in get_args(Precision)]
    if odd:
        yield Problem(f"its precisions name {odd[0]!r}", f"there are {', '.join(get_args(Precision))}")
    if isinstance(built.devices, str) or isinstance(built.precisions, str) or not built.devices:
        yield Problem("its precisions and devices are no tuples", 'write `devices = ("cpu",)`')
    said: object = built.missing()
    if not isinstance(said, str):
        yield Problem(f"missing() returns {said!r}", "return a text, empty if nothing is missing")


@check("engine.outputs")
def outputs(subject: EngineSubject) -> Iterator[Problem]:
    """In float32 it returns what the model returns, also for inputs that it was not prepared with, once and again."""
    for seed in (0, 1, 0):
        inputs = subject.inputs(seed)
        with torch.no_grad():
            expected, found = subject.model(inputs), subject.run(inputs.clone())
        if words := difference(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
            yield Problem(
                f"for inputs {'that it was not prepared with' if seed else 'that it was prepared with'} it {words}",
                "compute the model's test mode: raise in `prepare` what cannot be run",
            )
            return


@check("engine.kept-outputs")
def kept_outputs(subject: EngineSubject) -> Iterator[Problem]:
    """What it returned stays as it is when it runs again, and so do its inputs."""
    inputs = subject.inputs(0)
    first = subject.run(inputs)
    before = {key: one.clone() for key, one in tensors(first).items()}
    if words := difference(inputs, subject.inputs(0), rtol=0, atol=0):
        yield Problem(f"it changes its input: {words}", "copy what is computed in place")
    subject.run(subject.inputs(1))
    if words := difference(tensors(first), before, rtol=0, atol=0):
        yield Problem(
            f"what it returned first {words} once it runs again", "return copies of buffers that are used again"
        )


@check("engine.batches")
def batches(subject: EngineSubject) -> Iterator[Problem]:
    """Where `any_batch` is true, what it prepared takes batches of other sizes."""
    if not subject.engine.any_batch:
        raise NotChecked("it states that it takes batches of the example's size alone")
    for batch in (1, _BATCH + 3):
        inputs = subject.inputs(2, batch)
        try:
            found = subject.run(inputs)
        except Exception as error:
            yield Problem(f"a batch of {batch} raises {brief(error, 100)}", "state any_batch = False")
            return
        with torch.no_grad():
            expected = subject.model(inputs)
        if words := difference(found, expected, rtol=TOLERANCE, atol=TOLERANCE):
            yield Problem(f"for a batch of {batch} it {words}", "state any_batch = False")
            return


@check("engine.model")
def model(subject: EngineSubject) -> Iterator[Problem]:
    """The model that it is given stays as it is, and what it prepared does not follow its later changes of modes."""
    before = copy.deepcopy(subject.model)
    assert subject.run is not None
    now = subject.model
    if words := difference(now.state_dict(), before.state_dict(), rtol=0, atol=0):
        yield Problem(f"the model's state dict {words}", "change a copy: copy.deepcopy(model)")
    modes = [(name, one.training) for name, one in now.named_modules()]
    if modes != [(name, one.training) for name, one in before.named_modules()]:
        yield Problem("the model has other modules, or other modes, than before", "change a copy: copy.deepcopy(model)")
    elif any(
        one.requires_grad != two.requires_grad for one, two in zip(now.parameters(), before.parameters(), strict=True)
    ):
        yield Problem("the model's parameters lose or gain requires_grad", "change a copy: copy.deepcopy(model)")
    elif words := difference(now(subject.inputs(0)), before(subject.inputs(0)), rtol=0, atol=0):
        yield Problem(f"the model's own output {words}", "change a copy: copy.deepcopy(model)")


@check("engine.precisions")
def precisions(subject: EngineSubject) -> Iterator[Problem]:
    """In each precision that it runs here it takes and returns float32."""
    for precision in subject.engine.precisions:
        if precision == "fp32" or subject.engine.objection(torch.device("cpu"), precision):
            continue
        with torch.no_grad():
            found = subject.engine.prepare(subject.model, subject.inputs(0), precision)(subject.inputs(0))
        odd = [one.dtype for one in tensors(found).values() if one.dtype is not torch.float32]
        if odd:
            yield Problem(f"in {precision} it returns {odd[0]}", "convert outputs to float32")


ALL = (base, model, outputs, kept_outputs, batches, precisions)

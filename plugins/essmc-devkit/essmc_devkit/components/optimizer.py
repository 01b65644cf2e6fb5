"""Checks of optimizers: they lower a loss, go by the rates of their groups, and continue from a checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.registry.reading import live_signature
from essmc_devkit.components.check import brief, check
from essmc_devkit.components.first_argument import FirstArgumentSubject
from essmc_devkit.components.library_code import unless_of_a_library
from essmc_devkit.components.outputs import difference
from essmc_devkit.problem import Problem

_STEPS = 40
_RATE = 1e-2


class OptimizerSubject(FirstArgumentSubject):
    """An optimizer.

    Args:
        config: its name, or a mapping with ``type`` and arguments; the parameters are added as its first argument.
    """

    given_first = "parameters"

    def __init__(self, config: str | Mapping[str, Any]) -> None:
        super().__init__("optimizers", config)

    def config_without_parameters(self) -> dict[str, Any]:
        """Returns type and arguments, with a learning rate where it takes one and none is given."""
        takes_rate = live_signature(self.component).parameter("lr") is not None
        return {**({"lr": _RATE} if takes_rate else {}), **self.given}

    @property
    def config(self) -> dict[str, Any]:
        """Type and arguments, a matrix and a matrix of parameters among them."""
        return {**self.config_without_parameters(), self.argument: list(Problems().parameters())}

    def optimize(self, model: nn.Module) -> Any:
        """Returns an optimizer of a model."""
        return self.optimizer(list(model.parameters()))

    def optimizer(self, parameters: Sequence[Any]) -> Any:
        """Returns an optimizer of parameters, or of groups of them."""
        arguments: dict[str, Any] = {self.argument: list(parameters)}
        return self.build(**arguments)


class Problems(nn.Module):
    """Least squares with a solution: a matrix that has to become another one."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(6, 6, generator=generator))
        self.second = nn.Parameter(torch.randn(6, 6, generator=generator))
        self.goal = torch.randn(6, 6, generator=generator)

    def forward(self) -> Tensor:
        """Returns the loss."""
        return (self.first - self.goal).square().mean() + (self.second + self.goal).square().mean()


def run(optimizer: Any, model: nn.Module, steps: int) -> float:
    """Makes steps, and returns the loss after them."""

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss: Tensor = model()
        torch.autograd.backward(loss)
        return loss

    # Those that evaluate the loss again by themselves need the closure, and others take it.
    for _ in range(steps):
        closure()
        optimizer.step(closure)
    with torch.no_grad():
        return float(model())


@check("optimizer.lowers-the-loss")
@unless_of_a_library
def lowers_the_loss(subject: OptimizerSubject) -> Iterator[Problem]:
    """Some steps change every parameter, keep it finite, and lower a loss of least squares."""
    model = Problems()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    first = float(model().detach())
    last = run(subject.optimize(model), model, _STEPS)
    still = [name for name, value in model.named_parameters() if torch.equal(value.detach(), before[name])]
    if still:
        yield Problem(f"{_STEPS} steps leave {len(still)} of {len(before)} parameters as they were", "update each")
    elif not last < first:
        yield Problem(f"{_STEPS} steps take the loss of least squares from {first:.3g} to {last:.3g}", "go downhill")


@check("optimizer.rates")
@unless_of_a_library
def rates(subject: OptimizerSubject) -> Iterator[Problem]:
    """It goes by the rate that each group of parameters has when a step is made, which schedules set."""
    model = Problems()
    groups = [{"params": [model.first]}, {"params": [model.second]}]
    optimizer = subject.optimizer(groups)
    found = getattr(optimizer, "param_groups", None)
    if not found or len(found) != 2 or any("lr" not in group for group in found):
        yield Problem("its param_groups are not the groups that it was given, with an lr each", "call torch's __init__")
        return
    run(optimizer, model, 1)
    _set_rate(optimizer.param_groups[0], 0.0)
    before = model.first.detach().clone(), model.second.detach().clone()
    run(optimizer, model, 2)
    if not torch.equal(model.first.detach(), before[0]):
        yield Problem("a group of parameters whose lr was set to 0 goes on changing", "read group['lr'] in each step")
    if torch.equal(model.second.detach(), before[1]):
        yield Problem("a group of parameters stops where the lr of another was set to 0", "read each group's own lr")


@check("optimizer.state")
@unless_of_a_library
def state(subject: OptimizerSubject) -> Iterator[Problem]:
    """Its state dict is all that another one needs to go on as it would."""
    model = Problems()
    optimizer = subject.optimize(model)
    run(optimizer, model, 3)
    again = copy.deepcopy(model)
    other = subject.optimize(again)
    try:
        other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    except Exception as error:
        yield Problem(f"its own state dict is refused: {brief(error)}", "keep all state in self.state and param_groups")
        return
    for one, its in ((optimizer, model), (other, again)):
        torch.manual_seed(0)
        run(one, its, 3)
    if words := difference(dict(again.named_parameters()), dict(model.named_parameters())):
        yield Problem(f"with its state taken up, {words}", "keep all that steps read in self.state and param_groups")


ALL = (lowers_the_loss, rates, state)


def _set_rate(group: dict[str, Any], rate: float) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate

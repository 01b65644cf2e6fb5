"""Moving average of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.contract.annotations import ShareBelowOne
from essmc_core.errors import ConfigError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.run.protocol import Run


class EmaHook(Hook):
    """Keeps an exponential moving average of weights and buffers; evaluation sees it, checkpoints hold both.

    Buffers that are no floating-point numbers, such as counters, are those of the model. See Polyak and Juditsky,
    "Acceleration of Stochastic Approximation by Averaging", 1992.

    Args:
        decay: share of the old average that each optimizer step keeps.
        warmup: start with a smaller decay, (1 + steps) / (10 + steps), so that the first weights are forgotten soon.
        priority: hooks with lower ones run first.

    Raises:
        ConfigError: ``decay`` is not in [0, 1).
    """

    for_training = True

    def __init__(self, decay: ShareBelowOne = 0.999, warmup: bool = True, priority: int = 50) -> None:
        super().__init__(priority)
        if not 0 <= decay < 1:
            raise ConfigError(f"the decay of EmaHook is in [0, 1), got {decay}")
        self.decay = decay
        self.warmup = warmup
        self._module: nn.Module | None = None
        self._average: dict[str, Tensor] = {}
        self._steps = 0
        self._evaluates = False

    @torch.no_grad()
    def before_solve(self, run: Run) -> None:
        """Starts from the weights as they are."""
        if run.is_fsdp:
            raise ConfigError("EmaHook does not work with sharded parameters (FSDP)")
        self._module = run.module
        self._restart(run)

    @torch.no_grad()
    def _restart(self, run: Run) -> None:
        self._steps = run.total_steps
        self._average = {name: tensor.detach().clone() for name, tensor in _averaged(run.module).items()}

    @torch.no_grad()
    def after_iter(self, run: Run) -> None:
        """Takes the weights in after each optimizer step."""
        if run.mode != "train" or run.total_steps == self._steps:
            return
        self._steps = run.total_steps
        decay = min(self.decay, (1 + self._steps) / (10 + self._steps)) if self.warmup else self.decay
        current = _averaged(run.module)
        torch._foreach_lerp_(list(self._average.values()), [current[name] for name in self._average], 1 - decay)

    def before_all_iter(self, run: Run) -> None:
        """Puts the average into the model for evaluation."""
        if run.mode == "eval":
            self._swap()
            self._evaluates = True

    def after_all_iter(self, run: Run) -> None:
        """Puts the trained weights back."""
        if run.mode == "eval":
            self.end_evaluation()

    def end_evaluation(self) -> None:
        """Puts the trained weights back, if the average is in the model."""
        if self._evaluates:
            self._swap()
        self._evaluates = False

    def averaged_state(self) -> dict[str, Tensor]:
        """Returns the model's state dict with averaged values."""
        assert self._module is not None
        # A tensor that several parts share has several names there, and one average.
        shared = {id(tensor): self._average[name] for name, tensor in _averaged(self._module).items()}
        states = self._module.state_dict(keep_vars=True)
        averaged = {name: shared.get(id(tensor), tensor) for name, tensor in states.items()}
        return {name: value.detach() if isinstance(value, Tensor) else value for name, value in averaged.items()}

    def compared_settings(self) -> dict[str, Any]:
        """Returns what decides the average."""
        return {"decay": self.decay, "warmup": self.warmup}

    def checkpoint_entries(self) -> dict[str, Any]:
        """Returns the averaged weights under the name that evaluation reads them by."""
        return {"state_dict_ema": self.averaged_state()}

    def start_without_state(self, run: Run, checkpoint: str) -> None:
        """Starts from the weights of the checkpoint."""
        run.log(f"warning: {checkpoint} has no averaged weights: EmaHook starts from the weights as they are now")
        self._restart(run)

    def state_dict(self) -> dict[str, Any]:
        """Returns the average and how many steps it took in."""
        return {"average": self._average, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up an average."""
        self._steps = int(state["steps"])
        for name, tensor in state["average"].items():
            self._average[name].copy_(tensor)

    @torch.no_grad()
    def _swap(self) -> None:
        assert self._module is not None
        for name, tensor in _averaged(self._module).items():
            kept = tensor.detach().clone()
            tensor.copy_(self._average[name])
            self._average[name].copy_(kept)


def _averaged(module: nn.Module) -> dict[str, Tensor]:
    # Frozen parameters are their own average.
    trained = {name: parameter for name, parameter in module.named_parameters() if parameter.requires_grad}
    tensors = {**trained, **dict(module.named_buffers())}
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}

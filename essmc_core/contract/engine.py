"""What an engine is: something that runs a model's test mode its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from essmc_core.errors import EssmcError

Precision: TypeAlias = Literal["fp32", "bf16", "fp16", "int8"]
"""What most of the work is computed in; inputs and outputs are float32 whatever it is."""

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

Run: TypeAlias = "Callable[[Tensor], Tensor | Mapping[str, Tensor]]"
"""From a batch of inputs to what the model's test mode returns."""


class EngineError(EssmcError, RuntimeError):
    """An engine that was asked for cannot run the model, or computes something else."""


class Engine(ABC):
    """Runs the test mode of models its own way: the same outputs, sooner.

    Engines are components of the kind ``engines``; constructor arguments are their options.

    Attributes:
        precisions: those that it knows.
        devices: kinds of device that it runs on.
        any_batch: whether what it prepares takes batches of any size; others are given batches of the example's size.
    """

    precisions: tuple[Precision, ...] = ("fp32",)
    devices: tuple[str, ...] = ("cpu",)
    any_batch: bool = True

    def missing(self) -> str:
        """Returns what this machine lacks to use it, with what to do about it; empty if nothing.

        It is asked before anything heavy is imported.
        """
        return ""

    def objection(self, device: torch.device, precision: str) -> str:
        """Returns why it cannot run on a device in a precision; empty if it can.

        Args:
            device: of the model.
            precision: one of `PRECISIONS`.
        """
        if device.type not in self.devices:
            return f"it runs on {' and '.join(self.devices)} alone"
        if precision not in self.precisions:
            return f"it computes in {' and '.join(self.precisions)} alone"
        return self.missing()

    @abstractmethod
    def prepare(self, model: nn.Module, example: Tensor, precision: Precision) -> Run:
        """Returns what computes the model's outputs.

        Args:
            model: in test mode, on its device. It stays as it is: what changes is a copy.
            example: a batch of inputs, (N, …), float32, on the model's device.
            precision: one of ``precisions``.

        Raises:
            Exception: any, if this engine cannot run this model.
        """

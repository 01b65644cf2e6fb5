"""The model contract: what every registered model returns in train and test mode."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Real
from typing import Any

import torch
from torch import nn

from essmc_core.contract.forward_notes import note_forward
from essmc_core.errors import ContractError

_CONTRACT = (
    'In train mode a model that is given the ground truth returns {"loss": scalar tensor, "batch_size": int, ...}; '
    "see essmc_core.TrainModule."
)


class TrainModule(nn.Module, ABC):
    """Base of everything registered under ``MODELS``, so that solvers and hooks can drive a model they do not know.

    A subclass overrides `forward_train` and `forward_test`; `forward` runs the one that ``self.training`` selects.
    Backbones, necks, heads, losses and metrics are plain modules and need not follow this contract.

    Test mode (``model.eval()``):
        * Given the input alone (``video`` of shape (N, C, T, H, W), ``image`` of shape (N, C, H, W)), return
          ``logits``, a tensor of shape (N, num_classes), or a dict of tensors when there are several outputs. This
          call can be traced with `torch.jit.trace` and exported with `torch.export`.
        * Given ``gt_label`` of shape (N,) as well, return a dict with ``logits`` and any metrics, such as ``acc@1``,
          and ``loss``, if the best epoch or a learning rate is to be chosen by it. Each scalar in it may be printed as
          the epoch's log line.

    Train mode (``model.train()``):
        * Given the ground truth, return a dict with at least ``loss`` (a scalar tensor to differentiate) and
          ``batch_size`` (an int, the weight of this batch in running means). Metrics may be included.
        * Given the input alone, still run, and return the activated output.

    Results of parts of a batch, such as accumulated steps and the shares of several processes, are combined into those
    of the whole batch. To that end the loss and metrics are taken as means over ``batch_size`` items, unless the dict
    states otherwise, in either mode:
        * ``normalizers``: what values in the dict were divided by, by key, as scalar tensors or numbers; 0 where no
          item counts; None for a loss that is a sum. E.g. ``{"loss": weight[gt_label].sum(), "acc@1": counted}``.
        * ``loss_terms``: where the loss is the sum of several means, each of them by name; their ``normalizers`` go by
          the same names.

    In this contract ``logits`` names the *activated* output (probabilities after a softmax over dim 1, unless the
    model was given another activation): the key and its meaning are those of EssentialMC2.

    Attributes:
        card: what built this model (configuration, packs and versions, weights), or None. Set by the builder; kept
            by pickling and copying, and no part of the state dict.
        tells_normalizers: whether a solver wants ``normalizers`` and ``loss_terms``, which a model may leave out
            otherwise.
    """

    card: Mapping[str, object] | None = None
    tells_normalizers: bool = False

    @abstractmethod
    def forward_train(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Runs in train mode.

        Returns:
            A dict with ``loss`` and ``batch_size`` if the ground truth was given, otherwise the activated output.
        """

    @abstractmethod
    def forward_test(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Runs in test mode.

        Returns:
            The activated output, or a dict with ``logits`` and metrics if the ground truth was given.
        """

    def __call__(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Calls the model like any module; an exception gains a note that names the component it was raised in."""
        # A graph that is being recorded must not contain the error handling.
        if torch.compiler.is_compiling():
            return super().__call__(*inputs, **named_inputs)
        try:
            return super().__call__(*inputs, **named_inputs)
        except Exception as error:
            note_forward(error, self)
            raise

    def forward(self, *inputs: Any, **named_inputs: Any) -> Any:
        """Runs `forward_train` or `forward_test`, depending on ``self.training``."""
        if self.training:
            return self.forward_train(*inputs, **named_inputs)
        return self.forward_test(*inputs, **named_inputs)


def check_train_output(outputs: object) -> Mapping[str, Any]:
    """Checks what a model returned in train mode with the ground truth given.

    Args:
        outputs: the model's return value.

    Returns:
        The same object.

    Raises:
        ContractError: ``outputs`` is not a mapping, or ``loss`` or ``batch_size`` is missing or of the wrong kind.
    """
    if not isinstance(outputs, Mapping):
        raise ContractError(f"The model returned {_describe(outputs)} instead of a dict.", hint=_CONTRACT)
    absent = [key for key in ("loss", "batch_size") if key not in outputs]
    if absent:
        present = ", ".join(map(repr, outputs)) or "no keys"
        raise ContractError(
            f"The model's output lacks {' and '.join(map(repr, absent))}: it has {present}.", hint=_CONTRACT
        )
    _check_loss(outputs["loss"])
    _check_batch_size(outputs["batch_size"])
    for key in ("normalizers", "loss_terms"):
        if not isinstance(outputs.get(key, {}), Mapping):
            raise ContractError(f"{key!r} is {_describe(outputs[key])}, not a dict by name.", hint=_CONTRACT)
    for name, term in outputs.get("loss_terms", {}).items():
        _check_loss(term, name)
    for name, number in outputs.get("normalizers", {}).items():
        if name not in outputs and name not in outputs.get("loss_terms", {}):
            raise ContractError(f"'normalizers' names {name!r}, which the model does not return.", hint=_CONTRACT)
        _check_normalizer(number, name)
    return outputs


def check_gradient(outputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Checks that the loss a model returned in train mode can be differentiated.

    Args:
        outputs: what `check_train_output` accepted.

    Returns:
        The same object.

    Raises:
        ContractError: the loss does not depend on a parameter.
    """
    if not outputs["loss"].requires_grad:
        raise ContractError(
            "'loss' carries no gradient: no parameter to train went into it, or it was detached.",
            hint="Return the loss as it was computed, without .detach(), .item() or torch.no_grad().",
        )
    return outputs


def _check_loss(loss: object, name: str = "loss") -> None:
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1 or not loss.is_floating_point():
        raise ContractError(f"{name!r} is {_describe(loss)}, not a scalar floating-point tensor.", hint=_CONTRACT)


def _check_normalizer(number: object, name: str) -> None:
    # A tensor's value is not read: that would synchronise with an accelerator.
    is_scalar = isinstance(number, torch.Tensor) and number.numel() == 1
    is_number = isinstance(number, Real) and not isinstance(number, bool) and 0 <= float(number) < math.inf
    if number is not None and not is_scalar and not is_number:
        shown = repr(number) if isinstance(number, Real) else _describe(number)
        raise ContractError(
            f"the normalizer of {name!r} is {shown}, neither a number of 0 or more nor None.", hint=_CONTRACT
        )


def _check_batch_size(batch_size: object) -> None:
    count = batch_size
    if isinstance(count, torch.Tensor) and count.numel() == 1 and not count.is_floating_point():
        count = count.item()
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        shown = repr(batch_size) if isinstance(batch_size, int) else _describe(batch_size)
        raise ContractError(f"'batch_size' is {shown}, not a positive int.", hint=_CONTRACT)


def _describe(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
    return f"a value of type {type(value).__name__}"

"""Calling a model with a batch, and saying so where batch and model do not go together."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from essmc_core import TrainModule
from essmc_core.errors import ContractError
from essmc_solvers.errors import DataError


def check_model(model: object) -> None:
    """Checks that solvers can drive a model.

    Raises:
        ContractError: it is no module, or none that could be given a ground truth.
    """
    if isinstance(model, TrainModule) or hasattr(model, "forward_train"):
        return
    if isinstance(model, nn.Module):
        kinds = [parameter.kind for parameter in inspect.signature(model.forward).parameters.values()]
        takes_any = inspect.Parameter.VAR_POSITIONAL in kinds or inspect.Parameter.VAR_KEYWORD in kinds
        if takes_any or len(kinds) > 1:
            return
    raise ContractError(
        f"The model is a {type(model).__name__}, which takes no ground truth and tells no loss.",
        hint="Solvers drive an essmc_core.TrainModule, e.g. {type: VideoClassifier, backbone: …, head: …}.",
    )


def call_model(model: Callable[..., Any], module: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Returns what a model gives for a batch.

    Args:
        model: what to call, perhaps a wrapper that divides the work.
        module: the model itself.
        inputs: the batch less ``meta``.

    Raises:
        DataError: the model takes something else than the batch has.
    """
    try:
        return model(**inputs)
    except TypeError as error:
        _check_names(module, inputs, error)
        raise


def check_truth(module: nn.Module, inputs: Mapping[str, Any], outputs: object) -> None:
    """Checks, where a model gave no loss, that the batch has more than the model's input.

    Raises:
        DataError: there is nothing to learn.
    """
    if isinstance(outputs, Mapping) or len(inputs) != 1:
        return
    taken = _arguments(module)
    wanted = [name for name in taken if name not in inputs]
    raise DataError(
        f"the batch has {_listed(inputs)} alone, and nothing to learn from it",
        hint=f"The model takes {_listed(taken)}." + (f" Do all items have a {wanted[0]!r}?" if wanted else ""),
    )


def _check_names(module: nn.Module, inputs: Mapping[str, Any], error: TypeError) -> None:
    try:
        _signature(module).bind(**inputs)
    except TypeError:
        message = f"the model takes {_listed(_arguments(module))}, and the batch has {_listed(inputs)}"
        hint = "The dataset's pipeline makes what a batch has; `Select` leaves values out."
        raise DataError(message, hint=hint) from error


def _signature(module: nn.Module) -> inspect.Signature:
    method = "forward_train" if module.training else "forward_test"
    return inspect.signature(getattr(module, method, module.forward))


def _arguments(module: nn.Module) -> list[str]:
    return list(_signature(module).parameters)


def _listed(names: Any) -> str:
    return ", ".join(map(repr, names)) or "nothing"

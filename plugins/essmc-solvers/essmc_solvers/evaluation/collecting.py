"""What evaluation collects of a batch: entries of inputs and outputs by dotted name, one for each item."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from essmc_core.errors import ConfigError, ContractError


def named_outputs(outputs: Any, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns a model's test output as a mapping.

    Raises:
        ContractError: it is neither scores nor a mapping with ``logits``.
    """
    if isinstance(outputs, Tensor):
        return {"logits": outputs}
    found = f"a {type(outputs).__name__}"
    if isinstance(outputs, Mapping):
        if "gt_label" not in inputs or any(str(name).startswith("logits") for name in outputs):
            return outputs
        found = f"a dict without 'logits': it has {', '.join(map(repr, outputs)) or 'no keys'}"
    raise ContractError(
        f"In test mode the model returned {found}.",
        hint='In test mode a model returns `logits`, a tensor (N, num_classes), or a dict with "logits" and metrics; '
        "see essmc_core.TrainModule.",
    )


def batch_size(outputs: Mapping[str, Any], inputs: Mapping[str, Any]) -> int:
    """Returns the number of items of a batch.

    Raises:
        ContractError: it follows neither from the outputs nor from the inputs.
    """
    if "batch_size" in outputs:
        return int(outputs["batch_size"])
    for value in (*inputs.values(), *outputs.values()):
        if isinstance(value, Tensor) and value.ndim:
            return int(value.shape[0])
    raise ContractError("The batch size cannot be told: neither inputs nor outputs are tensors.")


def look_up(merged: Mapping[str, Any], dotted: str) -> Any:
    """Returns what a dotted name stands for among inputs and outputs, of each item where there is a list.

    Raises:
        ConfigError: there is nothing of that name.
    """
    value: Any = merged
    for part in [dotted] if dotted in merged else dotted.split("."):
        try:
            value = [item[part] for item in value] if isinstance(value, (list, tuple)) else value[part]
        except (KeyError, TypeError, IndexError):
            known = ", ".join(map(str, merged))
            raise ConfigError(f"there is no {dotted!r} to collect in evaluation", hint=f"There is {known}.") from None
    return value


def rows(value: Any, count: int) -> list[Any]:
    """Returns what a batch says of its first items, one entry each."""
    if isinstance(value, Tensor):
        return list(value.detach().cpu()[:count]) if value.ndim else [value.detach().cpu()] * count
    return list(value[:count]) if isinstance(value, (list, tuple)) else [value] * count


def joined(rows: list[Any]) -> Any:
    """Returns the entries of all items, as one tensor where they are tensors."""
    return torch.stack(rows) if rows and isinstance(rows[0], Tensor) else rows

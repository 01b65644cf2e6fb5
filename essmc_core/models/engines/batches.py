"""Gives an engine batches of the size that it was prepared for, whatever size comes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from essmc_core.contract.engine import Engine, Precision, Run


def prepared(engine: Engine, model: nn.Module, example: Tensor, precision: Precision) -> Run:
    """Returns what an engine makes of a model, for batches of any size.

    Args:
        engine: the engine.
        model: in test mode.
        example: a batch of inputs, (N, …).
        precision: what to compute in.

    Raises:
        Exception: the engine cannot run the model.
    """
    run = engine.prepare(model, example, precision)
    return run if engine.any_batch else for_any_batch(run, len(example))


def for_any_batch(run: Run, size: int) -> Run:
    """Returns a function that takes batches of any size.

    Args:
        run: takes batches of one size.
        size: that size.
    """

    def split(inputs: Tensor) -> Tensor | Mapping[str, Tensor]:
        # An empty batch has outputs too: those of a full one, without its items.
        parts = torch.split(inputs, size) if len(inputs) else (inputs,)
        found = [_cut(run(_filled(part, size)), len(part)) for part in parts]
        if isinstance(found[0], Mapping):
            return {key: torch.cat([outputs[key] for outputs in found]) for key in found[0]}  # type: ignore[index]
        return torch.cat(found)  # type: ignore[arg-type]

    return split


def _filled(part: Tensor, size: int) -> Tensor:
    if len(part) == size:
        return part
    return torch.cat([part, part.new_zeros((size - len(part), *part.shape[1:]))])


def _cut(outputs: Tensor | Mapping[str, Tensor], count: int) -> Tensor | Mapping[str, Tensor]:
    if isinstance(outputs, Mapping):
        return {key: value[:count] for key, value in outputs.items()}
    return outputs[:count]

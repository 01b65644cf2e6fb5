"""Weights of a checkpoint, loaded as a whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from essmc_core.errors import WeightsMismatch
from essmc_core.weights.finite import nonfinite
from essmc_core.weights.key_groups import grouped
from essmc_core.weights.load import load_exactly
from essmc_solvers.checkpoint.contents import load
from essmc_solvers.checkpoint.folder import newest_intact
from essmc_solvers.errors import CheckpointCorrupt, CheckpointMismatch

AVERAGED = "state_dict_ema"
"""Entry of checkpoints with the averaged weights, where a run has them."""


def load_weights(module: nn.Module, weights: Mapping[str, Any], path: Path) -> None:
    """Loads all weights of a module.

    Raises:
        CheckpointMismatch: they are those of another model, or not finite; ``error.report`` lists the details.
    """
    require_finite(weights, path)
    try:
        load_exactly(module, weights, str(path))
    except (WeightsMismatch, RuntimeError) as error:
        why = error.message if isinstance(error, WeightsMismatch) else str(error)
        mismatch = CheckpointMismatch(
            f"{path} belongs to another model. {why}", hint="Build the model as it was when the checkpoint was written."
        )
        mismatch.report = getattr(error, "report", None)
        raise mismatch from error


def require_finite(weights: Mapping[str, Any], path: Path) -> None:
    """Refuses weights of a run that diverged.

    Raises:
        CheckpointMismatch: some are not finite.
    """
    if bad := nonfinite(weights):
        raise CheckpointMismatch(
            f"{path} holds weights that are not finite (NaN or infinite): {grouped(bad)}",
            hint="Training diverged before it was written: take an earlier checkpoint.",
        )


def some(names: Sequence[str], shown: int = 3) -> str:
    """Returns the first of some names, and how many more there are."""
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def load_for_evaluation(module: nn.Module, path: Path, ema: bool | None = None) -> tuple[str, ...]:
    """Loads a run's weights into a module, and returns the names of its classes, empty where they are not known.

    Args:
        module: whose weights they are.
        path: a checkpoint of a run.
        ema: take the averaged weights, or the plain ones; None takes averaged ones if there are any.

    Raises:
        CheckpointMismatch: it has no averaged weights, or belongs to another model.
        CheckpointCorrupt: it is not as it was written.
    """
    try:
        content = load(path)
    except CheckpointCorrupt as error:
        intact = newest_intact(path)
        if intact is not None:
            error.hint = f"{intact} is intact."
        raise
    if ema and AVERAGED not in content:
        raise CheckpointMismatch(f"{path} holds no averaged weights", hint="--no-ema takes the plain ones.")
    averaged = AVERAGED in content and ema is not False
    load_weights(module, content[AVERAGED if averaged else "state_dict"], path)
    return tuple(content.get("labels") or ())

"""What a work dir and its checkpoints say of the model beside the weights: configuration, input, names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.foundation.atomic import write_text
from essmc_core.zoo.trained import SIDECAR, sidecar
from essmc_solvers.data.class_names import class_names as names_of
from essmc_solvers.data.labels import class_counts, learns_gt_label
from essmc_solvers.errors import CheckpointNotWritten
from essmc_solvers.run.protocol import Run

if TYPE_CHECKING:
    from torch import nn


def describe_model(run: Run) -> dict[str, Any]:
    """Returns ``input``, a mapping, and ``labels``, class names by index; each is None where it is not known.

    Args:
        run: a run that has its data.
    """
    config = _configuration(run)
    stated: Any = config.get("labels")
    named = class_names(run.module, run.loaders["train"].dataset)
    return {
        "input": dict(config["input"]) if isinstance(config.get("input"), Mapping) else None,
        "labels": named or (list(stated) if _is_names(stated) else None),
    }


def write_sidecar(folder: Path, content: Mapping[str, Any]) -> None:
    """Writes the configuration of a checkpoint to its work dir, where it is read without torch.

    Args:
        folder: the work dir.
        content: what the checkpoint holds. Where that says nothing of a configuration, none is left in the folder.

    Raises:
        CheckpointNotWritten: the file cannot be written.
    """
    config = sidecar(content)
    path = folder / SIDECAR
    try:
        if config is None:
            path.unlink(missing_ok=True)
        else:
            write_text(path, config.dump())
    except OSError as error:
        message = f"{path} could not be written: {error.strerror or error}. The checkpoint beside it is whole."
        raise CheckpointNotWritten(message, hint="Free some space and resume.") from error


def class_names(model: nn.Module, dataset: Any) -> list[str] | None:
    """Returns the names that a data set has for a model's classes, None where it has none.

    Args:
        model: with one output, or with several of which one has as many classes. Names are not those of a model that
            learns other labels than ``gt_label``.
        dataset: its ``classes``, or those of what it wraps, are names in the order of their numbers; a head may have
            more classes than that.
    """
    classes, counts = names_of(dataset), class_counts(model)
    if not classes or not learns_gt_label(model):
        return None
    fits = len(classes) <= counts[0] if len(counts) == 1 else not counts or len(classes) in counts
    return list(classes) if fits else None


def _configuration(run: Run) -> Mapping[str, Any]:
    """Returns what the run was configured by, or else what built its model."""
    if run.config is not None and "input" in run.config:
        return run.config
    card = getattr(run.module, "card", None) or {}
    built_by: Mapping[str, Any] = card.get("config") or {}
    return {**built_by, **(run.config or {})}


def _is_names(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0

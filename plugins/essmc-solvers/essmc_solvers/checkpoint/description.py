"""What a work dir and its checkpoints say of the model beside the weights: configuration, input, names of classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.contract.module import TrainModule
from essmc_core.errors import EssmcError
from essmc_core.foundation.atomic import write_text
from essmc_core.models.description import describe_model
from essmc_core.zoo.trained import SIDECAR, sidecar
from essmc_solvers.data.class_names import class_names as names_of
from essmc_solvers.data.labels import class_counts, learns_gt_label
from essmc_solvers.errors import CheckpointNotWritten
from essmc_solvers.run.protocol import Run

if TYPE_CHECKING:
    from torch import nn


def describe_run(run: Run, epoch: int) -> dict[str, Any]:
    """Returns what a checkpoint says beside the state of the run.

    ``card`` describes the model as files of `essmc_core.save` do, so that the file alone rebuilds it; None where
    nothing says how it is built. ``input``, a mapping, and ``labels``, class names by index, are None where they are
    not known.

    Args:
        run: a run that has its data.
        epoch: how many epochs it has completed.
    """
    facts = _input_and_labels(run)
    return {"card": model_card(run.module, run.config, epoch=epoch, **facts), **facts}


def model_card(
    module: nn.Module,
    config: Mapping[str, Any] | None,
    *,
    epoch: int = 0,
    input: Mapping[str, Any] | None = None,
    labels: Sequence[str] | None = None,
) -> dict[str, Any] | None:
    """Returns the description of a model in training, None where nothing says how it is built.

    Args:
        module: the model, with or without a card.
        config: of the run.
        epoch: how many epochs it was trained.
        input: its input specification, instead of that of the configuration.
        labels: class names by index, likewise.
    """
    card = getattr(module, "card", None)
    own = config if isinstance((config or {}).get("model"), Mapping) else None
    if not isinstance(module, TrainModule) or (own is None and not _builds(card)):
        return None
    try:
        said = describe_model(module, None if _builds(card) else own, input=input, labels=labels)
    except EssmcError:
        # A checkpoint is for resuming first, which needs none of it.
        return None
    licence = said.get("licence")
    code = licence.get("code") if isinstance(licence, Mapping) else None
    # Under which licence a training's result is, its user has to say; that of the start stays readable.
    start = None if said["weights"] is None else {**said["weights"], "licence": licence}
    return {
        **said,
        "licence": {"code": code, "weights": None},
        "weights": {"trained": {"epochs": epoch}, "start": start},
    }


def _builds(card: Any) -> bool:
    config = card.get("config") if isinstance(card, Mapping) else None
    return isinstance(config, Mapping) and ("type" in config or isinstance(config.get("model"), Mapping))


def _input_and_labels(run: Run) -> dict[str, Any]:
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

"""Batches of one item, of which batch norm has no statistics: refused before the training starts."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from essmc_solvers.engine import gather_objects
from essmc_solvers.errors import DataError
from essmc_solvers.model.calling import call_model
from essmc_solvers.run.protocol import Run
from essmc_solvers.starting.trial import trial

TORCHS_WORDS = "Expected more than 1 value per channel"
CURE = (
    "drop_last: true (data.train.drop_last) leaves out a last batch that is not full; or take another batch_size, with "
    "which no batch, or share of a process, is a single item."
)


class _OneValue(Exception):
    """A batch norm got one value per channel."""


def check_batches_of_one(run: Run) -> None:
    """Refuses data of which a batch, or a process's share of one, is a single item where batch norm needs more.

    Such a batch is run through the model: batch norms that see a picture or a clip have values enough.

    Raises:
        DataError: one that has too few, with the layer.
    """
    if run.is_fsdp or not _has_batch_norms(run.module):
        return
    found = run.loaders["train"].single(run.epoch)
    message = "" if found is None else _try(run, *found)
    messages = [one for one in gather_objects(run.accelerator, message) if one]
    if messages:
        raise DataError(messages[0], hint=CURE)


def too_few_items(run: Run, error: ValueError) -> DataError | None:
    """Returns an error that explains torch's about too few values, None for any other."""
    if TORCHS_WORDS not in str(error):
        return None
    message = f"batch {run.iter + 1} of epoch {run.epoch + 1} has too few items for batch norm: {error}"
    return DataError(message, hint=CURE)


def _try(run: Run, index: int, batches: int) -> str:
    layer, handles = "", []
    names = {module: name for name, module in run.module.named_modules()}

    def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        values = inputs[0]
        if module.training and isinstance(values, Tensor) and values.numel() == values.shape[1]:
            nonlocal layer
            layer = f"{names[module]} ({type(module).__name__})"
            raise _OneValue

    with trial(run, "train", index) as inputs:
        if inputs is None:
            return ""
        run.module.train()
        run.frozen.settle()
        try:
            handles += [norm.register_forward_pre_hook(look) for norm in names if _is_batch_norm(norm)]
            call_model(run.module, run.module, inputs)
        except _OneValue:
            pass
        finally:
            for handle in handles:
                handle.remove()
    if not layer:
        return ""
    share = "" if run.loaders["train"].world == 1 else "'s share of one process"
    place = "the last batch" if index + 1 == batches else f"batch {index + 1}"
    return (
        f"{place}{share} of the training data, which make {batches} batches, has 1 item, and {layer} has one value per "
        "channel of it: batch norm has no statistics of that"
    )


def _has_batch_norms(module: nn.Module) -> bool:
    return any(map(_is_batch_norm, module.modules()))


def _is_batch_norm(module: nn.Module) -> bool:
    # Synchronized ones see the items of all processes.
    return isinstance(module, nn.modules.batchnorm._BatchNorm) and not isinstance(module, nn.SyncBatchNorm)

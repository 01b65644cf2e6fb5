"""A batch through the model before a run starts, which leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from essmc_solvers.engine import autocast
from essmc_solvers.randomness import random_state, restore_random_state
from essmc_solvers.step.running_means import RunningMeans

if TYPE_CHECKING:
    from essmc_solvers.solvers.base import BaseSolver


@contextmanager
def trial(solver: BaseSolver, mode: str, index: int = 0) -> Iterator[Mapping[str, Any] | None]:
    """Gives one batch of a pass by name within a block, after which all is as it was before.

    Args:
        solver: the run, which has its data.
        mode: whose data: ``train`` or ``eval``.
        index: which batch of the pass.

    Yields:
        What the model takes; None where batches cannot be had one by one, as of streams, or nothing could be read.
    """
    random, buffers = random_state(), [buffer.detach().clone() for buffer in solver.module.buffers()]
    modes = {module: module.training for module in solver.module.modules()}
    kept = (solver.batch, solver.iter, solver.mode)
    try:
        data = solver.loaders[mode].fetch(solver.epoch if mode == "train" else 0, index)
        if data is None:
            yield None
        else:
            solver.mode, solver.iter = mode, index
            solver._take_batch_data(data)
            with torch.no_grad(), autocast(solver.accelerator):
                yield solver._inputs()
    finally:
        solver.batch, solver.iter, solver.mode = kept
        for module, training in modes.items():
            module.training = training
        with torch.no_grad():
            for buffer, before in zip(solver.module.buffers(), buffers, strict=True):
                buffer.copy_(before)
        restore_random_state(random)


def names_of(outputs: Any) -> set[str]:
    """Returns the names of the means that a run reports of a model's outputs."""
    means = RunningMeans()
    if isinstance(outputs, Mapping):
        means.add(outputs, 1.0)
    return set(means.names)

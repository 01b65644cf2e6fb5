"""A batch through the model before a run starts, which leaves no trace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from essmc_solvers.engine import autocast
from essmc_solvers.randomness import random_state, restore_random_state
from essmc_solvers.run.protocol import Run


@contextmanager
def trial(run: Run, mode: str, index: int = 0) -> Iterator[Mapping[str, Any] | None]:
    """Provides the inputs of one batch within a block, after which everything is as it was before.

    Args:
        run: the run, which has its data.
        mode: whose data: ``train`` or ``eval``.
        index: which batch of the pass.

    Yields:
        What the model takes; None where batches cannot be had one by one, as of streams, or nothing could be read.
    """
    random, buffers = random_state(), [buffer.detach().clone() for buffer in run.module.buffers()]
    modes = {module: module.training for module in run.module.modules()}
    progress = run.progress
    kept = (progress.batch, progress.iter, progress.mode)
    try:
        data = run.loaders[mode].fetch(run.epoch if mode == "train" else 0, index)
        if data is None:
            yield None
        else:
            progress.mode, progress.iter = mode, index
            progress.batch = run.data.prepare(data, mode, index)
            with torch.no_grad(), autocast(run.accelerator):
                yield progress.inputs
    finally:
        progress.batch, progress.iter, progress.mode = kept
        for module, training in modes.items():
            module.training = training
        with torch.no_grad():
            for buffer, before in zip(run.module.buffers(), buffers, strict=True):
                buffer.copy_(before)
        restore_random_state(random)

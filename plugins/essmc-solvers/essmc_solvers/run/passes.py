"""A pass over the data of a run: how it begins, and what it comes to."""

from __future__ import annotations

from essmc_solvers.engine import gather_objects
from essmc_solvers.run.protocol import Run


def start_pass(run: Run, mode: str, iteration: int = 0) -> None:
    """Begins a pass over data, and puts the model into the mode of it.

    Args:
        run: the run.
        mode: whose data: ``train`` or ``eval``.
        iteration: iterations of it that are done already.
    """
    run.progress.start_pass(mode, iteration, run.loaders[mode].length)
    run.model.train(mode == "train")
    run.module.train(mode == "train")


def pass_results(run: Run) -> dict[str, float]:
    """Returns the means of a pass, and ``unreadable``, if inputs could not be read; every process must ask."""
    results = run.reduced_means()
    counts = gather_objects(run.accelerator, run.unreadable)
    return {**results, "unreadable": sum(counts)} if any(counts) else results

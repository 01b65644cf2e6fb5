"""The events of a run of training or evaluation, at which a solver calls its hooks."""

from __future__ import annotations

EVENTS = (
    "before_solve", "after_solve", "before_epoch", "after_epoch", "before_all_iter", "after_all_iter", "before_iter",
    "after_iter", "after_backward", "before_step",
)  # fmt: skip
"""Names of the methods; each is called with the run alone."""

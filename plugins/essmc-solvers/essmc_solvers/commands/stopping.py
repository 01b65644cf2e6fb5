"""Ctrl-C and SIGTERM let a training save itself before it ends."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_signals(solver: TrainValSolver) -> Iterator[None]:
    """Makes the first SIGINT or SIGTERM ask a run to stop; a second one ends the process at once.

    Several processes stop together, at an optimizer step that they agree on. Launchers send them signals again and
    again, so that there further ones are ignored; a launcher kills what does not end.

    Args:
        solver: the run; nothing is done for a solver without `request_stop`.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(solver, "request_stop"):
        yield
        return
    owner = os.getpid()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def stop(number: int, frame: Any) -> None:
        if os.getpid() != owner:  # a forked loading process, which ends with its owner
            return
        alone = solver.accelerator.num_processes == 1
        for other, handler in before.items():
            signal.signal(other, handler if alone else signal.SIG_IGN)
        solver.request_stop(number)
        if solver.is_main:
            # Not print: the signal may have come in the middle of one.
            os.write(2, b"\nStopping: the step or evaluation under way ends first. Again to end at once.\n")

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

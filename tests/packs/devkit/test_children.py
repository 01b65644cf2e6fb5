"""When a child process that checks is over its time: it may have had little of the processor."""

from __future__ import annotations

import time

import pytest

from essmc_devkit.children.limits import Limits
from essmc_devkit.children.process import ChildProcess


class Watched(ChildProcess):
    """A process that has used so many seconds of the processor."""

    def __init__(self, used: float) -> None:
        self._used_before, self._used = 100.0, 100.0 + used

    def _processor_time(self) -> float:
        return self._used


@pytest.mark.parametrize(
    ("late", "used", "over"),
    [
        (-1.0, 30.0, False),
        (1.0, 0.5, True),  # it waits
        (1.0, 5.0, False),  # it computes, as far as others let it
        (1.0, 10.5, True),
        (29.0, 9.0, False),
        (31.0, 9.0, True),
    ],
)
def test_a_busy_machine_is_no_fault_of_the_pack(late, used, over):
    assert Watched(used)._is_over(Limits(seconds=10.0), time.monotonic() - late) is over

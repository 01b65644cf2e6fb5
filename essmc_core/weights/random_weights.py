"""Says which parts of a module were left with random values when weights were loaded, every time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from essmc_core.weights.report import LoadReport


class RandomWeights(UserWarning):
    """Parts of a module were not loaded and have random values: a head for other classes, or what may be missing."""


def say_random(report: LoadReport) -> None:
    """Warns about parts that weights could fill and did not; a second load says it again."""
    if report.random:
        message = (
            f"{report.random_parts()}: not filled by the weights in {report.source}, random until they are trained"
        )
        # Without a registry of its own, a warning with the same words is shown once in a process.
        warnings.warn_explicit(message, RandomWeights, __name__, 1, registry={})


@contextmanager
def random_said_elsewhere() -> Iterator[None]:
    """Keeps `say_random` silent within a block of a command, whose own output says it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RandomWeights)
        yield

"""One row of the table of routes: when another way than PyTorch's own is taken, which, why, and until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
Subject = TypeVar("Subject", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route(Generic[P]):
    """A way that a layer takes on a CPU instead of PyTorch's own, with equal results.

    Attributes:
        name: what the benchmark calls it.
        applies: the condition as code; the layer asks it and nothing else.
        condition: the condition in words.
        route: what is computed instead.
        reason: what PyTorch's own way costs or breaks.
        torch: version of PyTorch in which that was seen.
        processor: processors on which that was seen.
        until: when the row can go.
    """

    name: str
    applies: Callable[P, bool]
    condition: str
    route: str
    reason: str
    torch: str
    processor: str
    until: str

    @property
    def benchmark(self) -> tuple[str, ...]:
        """The line that shows the reason: a file of the repository, and its arguments."""
        return ("benchmarks/cpu_routes.py", "--route", self.name)

    def taken_by(self, subject: Subject) -> Subject:
        """Marks a function or class that takes the route whatever it is given, so that there is nothing to ask."""
        subject.cpu_routes = (*getattr(subject, "cpu_routes", ()), self)  # type: ignore[attr-defined]
        return subject


def always() -> bool:
    """Is the condition of what is marked by `Route.taken_by`."""
    return True

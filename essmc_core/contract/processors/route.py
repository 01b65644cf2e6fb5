"""One row of the table of routes: when PyTorch's own kernel is avoided, what replaces it, why, and until when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
Subject = TypeVar("Subject", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route(Generic[P]):
    """An equivalent computation that a layer uses on a CPU instead of PyTorch's own kernel.

    Attributes:
        name: what the benchmark calls it.
        applies: the condition as code; the layer evaluates nothing else.
        condition: the condition in words.
        route: what is computed instead.
        reason: what PyTorch's own kernel costs or computes wrongly.
        torch: version of PyTorch in which that was observed.
        processor: processors on which that was observed.
        until: when the row can be removed.
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
        """The command that demonstrates the reason: a file of the repository and its arguments."""
        return ("benchmarks/cpu_routes.py", "--route", self.name)

    def taken_by(self, subject: Subject) -> Subject:
        """Marks a function or class that takes the route for every input, without evaluating a condition."""
        subject.cpu_routes = (*getattr(subject, "cpu_routes", ()), self)  # type: ignore[attr-defined]
        return subject


def always() -> bool:
    """Returns True: the condition of functions and classes marked by `Route.taken_by`."""
    return True

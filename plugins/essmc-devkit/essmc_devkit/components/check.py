"""What one check of a component is: a function under a stable name that yields what is wrong."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from essmc_devkit.finding import Finding
from essmc_devkit.problem import Problem


class NotChecked(Exception):
    """The check could not be made; the text says why."""


class Named(Protocol):
    """What is checked."""

    @property
    def name(self) -> str:
        """What reports call it, e.g. ``backbones/ResNet3D``."""


Subject = TypeVar("Subject", bound=Named, contravariant=True)


@dataclass(frozen=True)
class Check(Generic[Subject]):
    """A check of one thing.

    Attributes:
        name: stable dotted name.
        problems: yields what is wrong, nothing if all is well.
    """

    name: str
    problems: Callable[[Subject], Iterator[Problem]]

    def __call__(self, subject: Subject) -> list[Finding]:
        """Makes the check; an exception that it does not expect is a problem of the subject."""
        try:
            found = list(self.problems(subject))
        except NotChecked as reason:
            return [Finding(self.name, subject.name, "skipped", str(reason))]
        except Exception as error:
            found = [Problem(f"raises {brief(error)}", _place(error))]
        if not found:
            return [Finding(self.name, subject.name, "ok")]
        return [Finding(self.name, subject.name, one.status, one.message, one.fix) for one in found]


def check(name: str) -> Callable[[Callable[[Subject], Iterator[Problem]]], Check[Subject]]:
    """Decorates a function that yields problems.

    Args:
        name: stable dotted name.
    """
    return lambda problems: Check(name, problems)


def brief(error: BaseException, most: int = 200) -> str:
    """Returns type and first line of an exception, with the second where the first announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = " ".join(lines[: 2 if lines and lines[0].endswith(":") else 1])
    text = f"{type(error).__name__}: {told}" if told else type(error).__name__
    return text if len(text) <= most else text[: most - 1] + "…"


def _place(error: BaseException) -> str:
    """Returns the innermost line that is neither torch's nor the kit's."""
    frames = traceback.extract_tb(error.__traceback__)
    kit = Path(__file__).parents[1]
    own = [
        frame for frame in frames if "/torch/" not in frame.filename and not Path(frame.filename).is_relative_to(kit)
    ]
    return f"see {own[-1].filename}:{own[-1].lineno}" if own else ""

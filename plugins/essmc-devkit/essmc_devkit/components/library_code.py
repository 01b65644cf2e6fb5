"""Tells the faults of a component from the ways of the library whose class it builds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, TypeVar

from essmc_devkit.components.check import NotChecked, brief
from essmc_devkit.components.subject import Subject as AnySubject
from essmc_devkit.problem import Problem

Subject = TypeVar("Subject", bound=AnySubject)

_LIBRARIES = ("torch", "timm", "torchvision", "transformers", "bitsandbytes", "apex")


def library_of(built: Any) -> str:
    """Returns the library that the class of an object is of; empty if that is none of the large ones."""
    top = type(built).__module__.partition(".")[0]
    return top if top in _LIBRARIES else ""


def unless_of_a_library(problems: Callable[[Subject], Iterator[Problem]]) -> Callable[[Subject], Iterator[Problem]]:
    """Decorates a check whose problems are their author's to mend, so that those of a library's class are none."""

    @wraps(problems)
    def examine(subject: Subject) -> Iterator[Problem]:
        """Yields problems.

        Raises:
            NotChecked: there are some, and the class is a library's, which is used as it is.
        """
        library = library_of(subject.built)
        if not library:
            yield from problems(subject)
            return
        try:
            found = [one.message for one in problems(subject)]
        except NotChecked:
            raise
        except Exception as error:
            found = [f"it raises {brief(error, 100)}"]
        if found:
            raise NotChecked(f"as {library}'s {type(subject.built).__name__} is, {found[0]}")

    return examine

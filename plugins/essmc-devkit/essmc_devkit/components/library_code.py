"""Tells the faults of a component from the ways of the library whose class it builds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from essmc_devkit.components.check import NotChecked, brief
from essmc_devkit.problem import Problem

_LIBRARIES = ("torch", "timm", "torchvision", "transformers", "bitsandbytes", "apex")


def library_of(built: Any) -> str:
    """Returns the library that the class of an object is of; empty if that is none of the large ones."""
    top = type(built).__module__.partition(".")[0]
    return top if top in _LIBRARIES else ""


def own_problems(built: Any, problems: Iterator[Problem]) -> Iterator[Problem]:
    """Yields problems that are its author's to mend.

    Raises:
        NotChecked: there are some, and the class is a library's, which is used as it is.
    """
    library = library_of(built)
    if not library:
        yield from problems
        return
    try:
        found = [one.message for one in problems]
    except NotChecked:
        raise
    except Exception as error:
        found = [f"it raises {brief(error, 100)}"]
    if found:
        raise NotChecked(f"as {library}'s {type(built).__name__} is, {found[0]}")

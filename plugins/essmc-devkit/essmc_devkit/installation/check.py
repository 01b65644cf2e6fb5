"""What one check of an installation is: a function under a stable name that yields what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec

from essmc_devkit.finding import Finding
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.problem import Problem

More = ParamSpec("More")


Check = Callable[Concatenate[PackUnderTest, More], Iterator[Finding]]


def check(
    name: str,
) -> Callable[[Callable[Concatenate[PackUnderTest, More], Iterator[Problem]]], Check[More]]:
    """Makes a check of a function that yields what is wrong with a pack.

    Args:
        name: stable dotted name.
    """

    def decorate(problems: Callable[Concatenate[PackUnderTest, More], Iterator[Problem]]) -> Check[More]:
        def findings(pack: PackUnderTest, /, *arguments: More.args, **named: More.kwargs) -> Iterator[Finding]:
            found = list(problems(pack, *arguments, **named))
            for one in found:
                yield Finding(name, pack.name, one.status, one_line(one.message), one_line(one.fix))
            if not found:
                yield Finding(name, pack.name, "ok")

        findings.__doc__ = problems.__doc__
        return findings

    return decorate


def one_line(text: Any) -> str:
    """Returns a text without line breaks."""
    return " ".join(str(text).split())

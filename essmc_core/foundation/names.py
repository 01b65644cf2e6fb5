"""How names are compared: natural order, glob patterns, nearest spelling, normalised distributions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TypeAlias

Patterns: TypeAlias = "str | Sequence[str]"

_DIGITS = re.compile(r"([0-9]+)")
_SEPARATORS = re.compile(r"[-_.]+")


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Returns a sort key that puts ``resnet18`` before ``resnet101``; different names have different keys."""
    parts = _DIGITS.split(name.casefold())
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts], name


def matches(name: str, patterns: Patterns) -> bool:
    """Returns whether any shell-style pattern matches, ignoring case; a pattern without wildcards matches anywhere."""
    folded = name.casefold()
    return any(fnmatchcase(folded, _glob(pattern)) for pattern in as_patterns(patterns))


def as_patterns(patterns: Patterns) -> Sequence[str]:
    """Returns one pattern or several as a sequence."""
    return (patterns,) if isinstance(patterns, str) else patterns


def _glob(pattern: str) -> str:
    folded = pattern.casefold()
    return folded if any(char in folded for char in "*?[") else f"*{folded}*"


def nearest(name: str, options: Iterable[str], count: int = 3) -> list[str]:
    """Returns up to ``count`` options spelled like ``name``, best first, ignoring case."""
    # difflib takes milliseconds to import and is needed only for error messages.
    import difflib

    by_folded: dict[str, str] = {}
    for option in options:
        by_folded.setdefault(option.casefold(), option)
    found = difflib.get_close_matches(name.casefold(), list(by_folded), n=count, cutoff=0.6)
    return [by_folded[folded] for folded in found]


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Returns ``did you mean 'x' or 'y'?``, or an empty string if no option is similar."""
    found = nearest(name, options)
    return f"did you mean {' or '.join(map(repr, found))}?" if found else ""


def suggest_pattern(pattern: str, names: Iterable[str]) -> str:
    """Returns ``did you mean 'efficientnet'?`` for a pattern that matched no name, from the words of the names."""
    words = {word for name in names for word in re.split(r"[^A-Za-z0-9]+", name) if len(word) > 2}
    return did_you_mean(pattern.strip("*?"), sorted(words, key=natural_key))


def normalise_distribution(name: str) -> str:
    """Returns a distribution's name normalised by PEP 503: lower case, runs of ``-_.`` as one dash."""
    return _SEPARATORS.sub("-", name).lower()


def pack_name(distribution: str) -> str:
    """Returns a distribution's short name for qualified names: without the ``essmc-`` prefix."""
    return normalise_distribution(distribution).removeprefix("essmc-")

"""Checks that a pack requires the distributions that it imports, and takes from the core what packs may take."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from importlib.util import find_spec

from packaging.requirements import InvalidRequirement, Requirement

from essmc_core.foundation.names import did_you_mean, normalise_distribution
from essmc_devkit.installation.check import check
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.installation.source import Import, imports
from essmc_devkit.problem import Problem

_CORE = "essmc_core"


@check("installation.imports")
def required(pack: PackUnderTest) -> Iterator[Problem]:
    """Every library that it imports comes by its requirements."""
    own = {package.stem for package in pack.packages}
    allowed: set[str] | None = None
    told: set[str] = set()
    for one in imports(pack):
        top = one.name.partition(".")[0]
        # That the core is required is a check of its own.
        if top in own or top in sys.stdlib_module_names or top in told or top == _CORE:
            continue
        told.add(top)
        allowed = _closure(pack) if allowed is None else allowed
        names = _distributions().get(top, ())
        if not names and normalise_distribution(top) not in allowed:
            yield Problem(
                f"{one.place} imports {top}, which is not installed and not required",
                "add its distribution to `dependencies`, or import it within try … except ImportError",
            )
        elif names and not allowed & set(names):
            yield Problem(
                f"{one.place} imports {top}, and nothing that it requires brings {' or '.join(names)}",
                f'add "{names[0]}" to `dependencies` of [project]',
            )


@check("installation.core-imports")
def of_the_core(pack: PackUnderTest) -> Iterator[Problem]:
    """The core's modules that it imports exist."""
    for one in imports(pack):
        if one.name.startswith(f"{_CORE}.") and not _exists(one):
            hint = did_you_mean(one.name, _modules_of_the_core())
            yield Problem(f"{one.place} imports {one.name}, which the core does not have", hint or "see docs/packs.md")


def _exists(one: Import) -> bool:
    try:
        return find_spec(one.name) is not None
    except ImportError:
        return False


@lru_cache(maxsize=1)
def _modules_of_the_core() -> tuple[str, ...]:
    files = metadata.files("essmc-core") or ()
    names = [".".join(file.with_suffix("").parts) for file in files if file.suffix == ".py" and file.parts[0] == _CORE]
    return tuple(names)


@lru_cache(maxsize=1)
def _distributions() -> dict[str, tuple[str, ...]]:
    """Returns, by top-level module, the distributions that bring it."""
    found = metadata.packages_distributions()
    return {top: tuple(dict.fromkeys(map(normalise_distribution, names))) for top, names in found.items()}


def _closure(pack: PackUnderTest) -> set[str]:
    """Returns what the pack requires, and what that requires, extras left out."""
    todo = _names(pack.metadata.requires, extras=True)
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo |= _required_by(name)
    return seen


@lru_cache(maxsize=4096)
def _required_by(name: str) -> frozenset[str]:
    try:
        return frozenset(_names(metadata.requires(name)))
    except metadata.PackageNotFoundError:
        return frozenset()


def _names(texts: list[str] | None, extras: bool = False) -> set[str]:
    found = set()
    for text in texts or ():
        if not extras and re.search(r"\bextra\s*==", text):
            continue
        try:
            found.add(normalise_distribution(Requirement(text).name))
        except InvalidRequirement:
            continue
    return found

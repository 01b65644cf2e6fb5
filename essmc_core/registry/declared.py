"""Checks of what packs declare at registration: names, one-line texts and arguments."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from essmc_core.errors import EssmcError

_LONGEST_NAME = 200
LIFECYCLES = ("experimental", "stable", "deprecated")


class DeclarationError(EssmcError, ValueError):
    """A pack registered an invalid name, text or argument."""


def check_name(value: object, what: str) -> None:
    """Checks a name that users type: not empty, printable, without spaces and slashes.

    Raises:
        DeclarationError: the name is invalid.
    """
    if not isinstance(value, str):
        raise DeclarationError(f"{what} is {_shown(value)}; it must be text")
    if not value or not value.isprintable() or " " in value or "/" in value or value[0] == "-":
        raise DeclarationError(f"{what} is {value!r}; it must be printable, without spaces, slashes or a dash in front")
    if len(value) > _LONGEST_NAME:
        start = value[:40]
        raise DeclarationError(f"{what}, {start!r}…, has {len(value):,} characters; {_LONGEST_NAME} are the most")


def check_line(value: object, what: str) -> None:
    """Checks a text that listings show on one line.

    Raises:
        DeclarationError: it is not a string, or contains line breaks or control characters.
    """
    if not isinstance(value, str):
        raise DeclarationError(f"{what} is {_shown(value)}; it must be text")
    if not value.isprintable():
        raise DeclarationError(f"{what} is {value!r}; it must be one line without control characters")


def check_names(value: object, what: str) -> None:
    """Checks other names of a component: a sequence of names, or a mapping from names to arguments.

    Raises:
        DeclarationError: it is anything else, a single string included.
    """
    if isinstance(value, Mapping):
        for name, arguments in value.items():
            check_arguments(arguments, f"{what}[{name!r}]")
    elif isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise DeclarationError(f"{what} is {_shown(value)}; it must be a list of names")
    for name in value:
        check_name(name, f"a name in {what}")


def check_arguments(value: object, what: str) -> None:
    """Checks arguments that a registration fixes.

    Raises:
        DeclarationError: it is not a mapping from argument names.
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key.isidentifier() for key in value):
        raise DeclarationError(f"{what} is {_shown(value)}; it must map names of arguments to values")


def check_retired(value: object, what: str) -> None:
    """Checks removed arguments: each with the value that may still be stated and with what to do instead.

    Raises:
        DeclarationError: it is anything else.
    """
    check_arguments(value, what)
    assert isinstance(value, Mapping)
    for name, pair in value.items():
        if not (isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[1], str)):
            raise DeclarationError(f"{what}[{name!r}] is {_shown(pair)}; it must be (value, what to do instead)")


def check_lifecycle(value: object, what: str) -> None:
    """Checks a stage of a component's life.

    Raises:
        DeclarationError: it is none.
    """
    if value not in LIFECYCLES:
        raise DeclarationError(f"{what} is {_shown(value)}; it must be one of {', '.join(LIFECYCLES)}")


def check_target(value: object, what: str) -> None:
    """Checks an import string.

    Raises:
        ValueError: it is not of the form ``package.module:attribute``.
    """
    module, _, attribute = value.partition(":") if isinstance(value, str) else ("", "", "")
    if not (_is_dotted(module) and _is_dotted(attribute)):
        shown = repr(value) if isinstance(value, str) else _shown(value)
        raise ValueError(f"target of {what} is {shown}; it must read 'package.module:attribute'")


# Most components of a pack are in few modules.
@functools.lru_cache(maxsize=256)
def _is_dotted(text: str) -> bool:
    return all(map(str.isidentifier, text.split(".")))


def check_kind(kind: object, singular: object) -> None:
    """Checks the names of a new kind of component.

    Raises:
        DeclarationError: one is not a lower-case identifier, or both are the same.
    """
    for name, what in ((kind, "the name of a kind"), (singular, "the singular of a kind")):
        if not isinstance(name, str) or not name.isidentifier() or name != name.lower() or name.startswith("_"):
            raise DeclarationError(f"{what} is {_shown(name)}; it must be a lower-case identifier, e.g. detectors")
    if kind == singular:
        raise DeclarationError(f"the kind {kind!r} has itself as singular")


def _shown(value: Any) -> str:
    # The repr of an object that a pack passes may raise.
    try:
        return f"{value!r} ({type(value).__name__})"
    except Exception:
        return f"of type {type(value).__name__}"

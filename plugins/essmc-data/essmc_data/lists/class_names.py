"""Names of classes: no two alike, and shortened for messages."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.errors import ConfigError

_SHOWN = 5


def distinct_names(classes: Sequence[str] | None) -> tuple[str, ...]:
    """Returns names of classes as a tuple; None is none.

    Raises:
        ConfigError: they are one text, or a name occurs twice.
    """
    if isinstance(classes, str):
        raise ConfigError(f"classes={classes!r} is one text.", hint="Give a list of names.")
    names = tuple(str(name) for name in classes or ())
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ConfigError(f"`classes` has names that occur twice: {shortened(twice)}.")
    return names


def shortened(names: Sequence[str]) -> str:
    """Returns names as a list for messages, the first ones of many."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(str, names[:_SHOWN])) + more

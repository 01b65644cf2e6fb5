"""The options of a weights mapping: the type and range of each, checked without torch."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from essmc_core.errors import ConfigError, EssmcError
from essmc_core.foundation.names import did_you_mean
from essmc_core.weights.key_maps import NAMES, PAIRS, check_key_map

# `map_location` is EssentialMC2's and has no effect: tensors are read on the CPU and copied to the module's device.
# The others are documentation and have no effect either.
IGNORED = ("map_location", "licence", "license")
INFLATIONS = ("centre", "average")
TIME_POSITIONS = ("interpolate", "repeat", "average", "centre")
LAYOUT = ("key_map", "sub_level", "prefix", "inflate", "positions", "position_grid", "ema", "allow_unused")
"""Options that describe the layout of a file, which are valid for every copy of it."""


@dataclass(frozen=True, slots=True)
class WeightsIssue:
    """One mistake in a weights mapping.

    Attributes:
        key: the option.
        message: what is wrong.
        hint: what to do.
    """

    key: str
    message: str
    hint: str = ""


def weights_issues(section: Mapping[str, Any]) -> list[WeightsIssue]:
    """Returns every mistake of a weights mapping, in its order, without fetching or importing anything.

    Args:
        section: a mapping as `essmc_core.weights.WeightsSource.parse` takes it.
    """
    issues: list[WeightsIssue] = []
    if "path" in section and "uri" in section:
        issues.append(WeightsIssue("path", "The weights have both 'path' and 'uri'.", "Keep one of them."))
    elif section.get("path") is None and section.get("uri") is None:
        issues.append(WeightsIssue("uri", "The weights' mapping has neither 'path' nor 'uri'."))
    for key, value in section.items():
        if key not in IGNORED and (issue := _issue(str(key), value)):
            issues.append(issue)
    return issues


def option_issue(key: str, value: object) -> WeightsIssue | None:
    """Returns what is wrong with one option, None if nothing is."""
    return _issue(key, value)


def _issue(key: str, value: object) -> WeightsIssue | None:
    option = "uri" if key == "path" else key
    if option not in _OPTIONS:
        hint = did_you_mean(key, [*_OPTIONS, "path", *IGNORED]) or f"Known keys: {', '.join(_OPTIONS)}."
        return WeightsIssue(key, f"Unknown key {key!r} in the weights' mapping.", hint)
    if value is None:
        return None
    fits, expected = _OPTIONS[option]
    try:
        if fits(value):
            return None
    except EssmcError as error:
        return WeightsIssue(key, error.message, error.hint)
    if option == "uri" and value == "":
        message = "The weights' path is empty."
        return WeightsIssue(key, message, "Give a path or a URI, or leave the weights out.")
    shown = repr(list(value) if isinstance(value, (list, tuple)) else value)
    return WeightsIssue(key, f"The weights' {key} is {shown}, not {expected}.")


def _is_key_map(value: object) -> bool:
    if isinstance(value, str):
        NAMES.find(value)
    else:
        check_key_map(value)
    return True


def _is_layout(value: object) -> bool:
    if not isinstance(value, Mapping):
        return False
    for key, item in value.items():
        if key not in LAYOUT:
            hint = did_you_mean(str(key), LAYOUT) or f"It takes {', '.join(LAYOUT)}."
            raise ConfigError(f"Unknown key {key!r} in the weights' fallback.", hint=hint)
        if issue := _issue(str(key), item):
            raise ConfigError(f"In the weights' fallback: {issue.message}", hint=issue.hint)
    return True


def _is_path(value: object) -> bool:
    return isinstance(value, os.PathLike) or (isinstance(value, str) and bool(value))


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_share(value: object) -> bool:
    # Comparisons with NaN are false, so it is refused as well.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def _is_grid(value: object) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and len(value) == 3
        and all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in value)
    )


def _are_names(value: object) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, (list, tuple)) and all(isinstance(name, str) and name for name in names)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _one_of(choices: Sequence[str]) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: isinstance(value, str) and value in choices), f"one of {', '.join(choices)}"


def _digits(least: int) -> Callable[[Any], bool]:
    pattern = re.compile(rf"[0-9a-f]{{{least},64}}")
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


_OPTIONS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "uri": (_is_path, "a path or a URI"),
    "sha256": (_digits(64), "64 lower-case hexadecimal digits"),
    "sha256_prefix": (_digits(8), "8 to 64 lower-case hexadecimal digits"),
    "sub_level": (_is_name, "a beginning of keys, such as backbone"),
    "prefix": (_is_name, "a beginning of keys, such as backbone"),
    "key_map": (_is_key_map, PAIRS),
    "inflate": _one_of(INFLATIONS),
    "in_chans": (_is_flag, "true or false"),
    "positions": _one_of(TIME_POSITIONS),
    "position_grid": (_is_grid, "time, height and width: three whole numbers above 0"),
    "ema": (_is_flag, "true or false"),
    "min_coverage": (_is_share, "a number from 0 to 1"),
    "min_usage": (_is_share, "a number from 0 to 1"),
    "strict": (_is_flag, "true or false"),
    "head_prefixes": (_are_names, "a beginning of keys, or a list of them"),
    "allow_missing": (_are_names, "a pattern of keys, or a list of them"),
    "allow_unused": (_are_names, "a pattern of keys, or a list of them"),
    "allow_nonfinite": (_is_flag, "true or false"),
    "fallback": (_is_layout, f"a mapping with any of {', '.join(LAYOUT)}"),
}

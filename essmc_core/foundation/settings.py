"""The ``ESSMC_`` environment variables: their values, and the error for an invalid one."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import nearest

TRUE, FALSE = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
FLAGS = ("ESSMC_STRICT", "ESSMC_OFFLINE", "ESSMC_DEBUG", "ESSMC_TRUST")
KNOWN = (
    *FLAGS,
    "ESSMC_PACKS",
    "ESSMC_BLOCK",
    "ESSMC_PINS",
    "ESSMC_PACK_TIMEOUT",
    "ESSMC_CACHE_DIR",
    "ESSMC_INDEX",
    "ESSMC_VIDEO_DECODER",
    "ESSMC_CODE",
)
DEFAULT_SECONDS = 30.0
DECODERS = ("pyav", "torchcodec")
"""Video decoders; the first is the default."""


class SettingError(ConfigError):
    """An ``ESSMC_`` variable has an invalid value."""


class SettingWarning(UserWarning):
    """An ``ESSMC_`` variable is ignored, because its value is invalid or names nothing."""


def flag(name: str) -> bool:
    """Returns whether a variable is true; unset means false.

    Raises:
        SettingError: it is neither true nor false.
    """
    value = os.environ.get(name, "").strip().lower()
    if value in TRUE or value in FALSE:
        return value in TRUE
    raise _refused(name, f"1 ({', '.join(TRUE[1:])}) or 0 ({', '.join(FALSE[2:])})")


def lenient_flag(name: str) -> bool:
    """Returns whether a variable is true; invalid values, which :func:`odd_values` reports, mean false."""
    try:
        return flag(name)
    except SettingError:
        return False


def pack_timeout() -> float:
    """Returns ``ESSMC_PACK_TIMEOUT`` in seconds, 30 by default; 0 means no limit.

    Raises:
        SettingError: it is not a number, or negative.
    """
    value = os.environ.get("ESSMC_PACK_TIMEOUT", "").strip()
    if not value:
        return DEFAULT_SECONDS
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise _refused("ESSMC_PACK_TIMEOUT", "a number of seconds, e.g. 30, or 0 for no limit")
    return seconds


def video_decoder() -> str:
    """Returns ``ESSMC_VIDEO_DECODER``, one of `DECODERS`.

    Raises:
        SettingError: there is no such decoder.
    """
    value = os.environ.get("ESSMC_VIDEO_DECODER", "").strip().lower() or DECODERS[0]
    if value not in DECODERS:
        raise _refused("ESSMC_VIDEO_DECODER", " or ".join(DECODERS))
    return value


def odd_values() -> list[SettingError]:
    """Returns one error for each variable with an invalid value."""
    found = []
    checks: list[Callable[[], object]] = [*(partial(flag, name) for name in FLAGS), pack_timeout, video_decoder]
    for read in checks:
        try:
            read()
        except SettingError as error:
            found.append(error)
    return found


def misspelled() -> list[str]:
    """Returns messages about variables whose names are similar to known ones."""
    unknown = [name for name in os.environ if name.startswith("ESSMC_") and name not in KNOWN]
    near = {name: nearest(name, KNOWN, count=1) for name in unknown}
    return [f"{name} is not understood; did you mean {found[0]!r}?" for name, found in near.items() if found]


def _refused(name: str, understood: str) -> SettingError:
    return SettingError(f"{name}={os.environ.get(name)} is not understood", hint=f"set {understood}")

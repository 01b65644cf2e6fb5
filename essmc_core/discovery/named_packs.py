"""Packs named in environment variables, to use, to block or to prefer, and errors for unknown names among them."""

from __future__ import annotations

import os
from collections.abc import Iterable

from essmc_core.errors import ConfigError, EssmcError
from essmc_core.foundation.names import did_you_mean, normalise_distribution, pack_name
from essmc_core.foundation.settings import SettingError, odd_values
from essmc_core.registry.component import CORE, LOCAL
from essmc_core.registry.pins import pins_of_environment


def named_packs(variable: str) -> set[str] | None:
    """Returns the packs a comma-separated variable names, None when it is not set; ``""`` names none."""
    value = os.environ.get(variable)
    if value is None:
        return None
    return {pack_name(normalise_distribution(part.strip())) for part in value.split(",") if part.strip()}


def complaints(installed: Iterable[str]) -> list[EssmcError]:
    """Returns one error for each invalid variable that the core reads.

    Args:
        installed: short names of the packs that were found.
    """
    known = {CORE, *installed}
    found: list[EssmcError] = [*odd_values()]
    for variable in ("ESSMC_PACKS", "ESSMC_BLOCK"):
        found += [_unknown(variable, name, known) for name in sorted((named_packs(variable) or set()) - known)]
    try:
        pinned = {pack.partition("/")[0] for pack in pins_of_environment().values()}
    except ConfigError as error:
        return [*found, error]
    return [*found, *(_unknown("ESSMC_PINS", name, known) for name in sorted(pinned - known - {LOCAL}))]


def _unknown(variable: str, name: str, known: set[str]) -> SettingError:
    suggestion = did_you_mean(name, sorted(known))
    return SettingError(
        f"{variable} names the pack {name!r}, which is not installed" + (f"; {suggestion}" if suggestion else ""),
        hint=f"installed packs: {', '.join(sorted(known - {CORE})) or 'none'}",
    )

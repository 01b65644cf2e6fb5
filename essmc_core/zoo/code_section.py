"""The section ``code`` of a user's file: own code that is imported before components are looked up."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from essmc_core.registry.own_code import beside, checked_places, import_own_code, share_with_processes
from essmc_core.registry.trusted_code import require_trust

if TYPE_CHECKING:
    from essmc_core.config import Config

SECTION = "code"


def import_stated_code(config: Config, *, stored: bool = False) -> None:
    """Imports the code that a configuration names.

    Args:
        config: a file, whose relative paths are relative to it, or a mapping.
        stored: whether it is that of a work dir or checkpoint, which may have been moved: code that is no longer where
            it was is passed over, and missing components are reported when they are looked up.

    Raises:
        ConfigError: ``code`` is neither a file nor a list of files.
        UntrustedCode: it lies outside the current folder and was not agreed to.
        OwnCodeError: it cannot be imported.
    """
    for place in stated_places(config):
        path = Path(place)
        if stored and path.is_absolute() and not path.exists():
            continue
        where = config.where(SECTION)
        if path.is_absolute():
            require_trust(path, where)
        import_own_code(place, where)
        share_with_processes(place)


def stated_places(config: Config) -> list[str]:
    """Returns the files and packages that a configuration names, as absolute paths, and modules by their names.

    Raises:
        ConfigError: ``code`` is neither a file nor a list of files.
    """
    if not isinstance(config, Mapping) or config.get(SECTION) is None:
        return []
    where = config.where(SECTION)
    places = checked_places(config[SECTION], where)
    file = Path(where.source) if where is not None else None
    folder = file.parent if file is not None and file.is_file() else Path()
    return [beside(folder.resolve(), place) for place in places]

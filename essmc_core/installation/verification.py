"""Verifies installed packs: their files against RECORD, and where they came from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import importlib_metadata

from essmc_core.discovery.distributions import installed_packs
from essmc_core.discovery.origin import Origin, origin_of
from essmc_core.foundation.names import pack_name
from essmc_core.foundation.version import __version__
from essmc_core.installation.record import Difference, compare_with_record
from essmc_core.registry.component import CORE


@dataclass(frozen=True, slots=True)
class VerifiedPack:
    """What is known of an installed distribution's files.

    Attributes:
        distribution: its name.
        version: installed version.
        origin: what installed it, and from where.
        differences: between its files and its RECORD; of an editable one, those of its metadata.
    """

    distribution: str
    version: str
    origin: Origin
    differences: tuple[Difference, ...]


def verify_packs(names: Collection[str] = ()) -> Iterator[VerifiedPack]:
    """Yields each verified distribution, essmc-core first.

    Args:
        names: short names of the packs to verify, ``core`` for essmc-core; all by default.
    """
    if not names or CORE in names:
        folder = _folder_of_core()
        if folder is not None:
            yield _verified("essmc-core", __version__, folder)
    for installed in installed_packs():
        if installed.folder and (not names or pack_name(installed.name) in names):
            yield _verified(installed.name, installed.version, Path(installed.folder))


def _verified(distribution: str, version: str, info: Path) -> VerifiedPack:
    return VerifiedPack(distribution, version, origin_of(info), tuple(compare_with_record(info)))


def _folder_of_core() -> Path | None:
    """Returns the metadata of essmc-core, None where it is used without being installed."""
    try:
        found = cast("Any", importlib_metadata.distribution("essmc-core"))
    except importlib_metadata.PackageNotFoundError:
        return None
    folder = getattr(found, "_path", None)
    return None if folder is None else Path(folder)

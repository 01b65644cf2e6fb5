"""All checks of an installation, in the order of the report."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from essmc_devkit.children.limits import Limits
from essmc_devkit.finding import Finding
from essmc_devkit.installation import discovered, files, hooks, imports, licence, metadata, names, record
from essmc_devkit.installation.observation import Observation, observe
from essmc_devkit.installation.pack_under_test import PackUnderTest

_OF_FILES = (
    metadata.stated,
    metadata.python,
    metadata.core_range,
    metadata.requirements,
    metadata.entry_points,
    licence.licence,
    record.record,
    files.package_data,
    files.typed,
    files.top_level,
    files.syntax,
    imports.required,
    imports.of_the_core,
)
_OF_DISCOVERY = (
    discovered.imported,
    hooks.hooks,
    hooks.contents,
    discovered.zoo_folder,
    discovered.heavy,
    discovered.import_time,
    discovered.output,
    discovered.side_effects,
    discovered.rediscovery,
    names.names,
)
_TRIES = 3


def check_files(pack: PackUnderTest) -> Iterator[Finding]:
    """Yields what the files of a pack are like, without running it."""
    for one in _OF_FILES:
        yield from one(pack)


def check_discovery(pack: PackUnderTest, seen: Observation) -> Iterator[Finding]:
    """Yields what a pack does while it is discovered."""
    for one in _OF_DISCOVERY:
        yield from one(pack, seen)


def observe_closely(pack: PackUnderTest, limits: Limits) -> Observation:
    """Discovers a pack in a child process, and again where once leaves a doubt.

    A pack that takes long may have met a busy machine, or have filled its cache; and changes of a library are seen only
    if it is imported before.
    """
    with tempfile.TemporaryDirectory(prefix="essmc-check-", ignore_cleanup_errors=True) as name:
        cache = Path(name)
        seen = observe(pack, limits, cache)
        if seen.status != "ok":
            return seen
        if seen.heavy and _has_filled(cache):
            again = observe(pack, limits, cache)
            if not again.heavy:
                seen = replace(again, heavy_once=seen.heavy, acts=_both(seen.acts, again.acts))
        if seen.libraries and (seen.heavy or seen.patched or seen.changed or seen.output):
            # What libraries do when they are imported is not the pack's doing.
            among = observe(pack, limits, cache, preload=seen.libraries)
            return replace(seen, changed=among.changed, patched=among.patched, output=among.output)
        for _ in range(_TRIES - 1):
            if seen.seconds <= discovered.SLOW:
                break
            seen = replace(seen, seconds=min(seen.seconds, observe(pack, limits, cache).seconds))
        return seen


def _has_filled(cache: Path) -> bool:
    """Returns whether a pack has put anything into the core's cache folder."""
    return bool({path.name for path in cache.iterdir()} - {"discovery", "registered"})


def _both(one: Sequence[str], other: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *other)))

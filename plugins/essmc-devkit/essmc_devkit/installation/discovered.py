"""Checks of what a pack does while it is discovered, which happens whenever anybody imports the core."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_devkit.installation.check import check
from essmc_devkit.installation.hooks import INVALID
from essmc_devkit.installation.observation import Observation
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.problem import Problem

SLOW, VERY_SLOW = 0.1, 0.5
"""Seconds of import and hooks that are worth a warning, or a failure."""
_LATER = "import it in the module that uses it: what is registered is named by an import string"
_TOLD_ELSEWHERE = (INVALID, "IncompatibleCore", "ReservedName", "MetadataError", "SyntaxError")
_MOST = 4


@check("installation.import")
def imported(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """It can be imported, and its hooks run to their end."""
    if seen.status == "missing" or not _are_there(pack):
        yield Problem("its entry points lead nowhere", status="skipped")
        return
    at = f" at {seen.where}" if seen.where else ""
    if seen.status == "ended":
        fix = "an import must come back: leave work, exits and large data to the functions that need them"
        yield Problem(f"importing it {seen.reason}{at}", fix)
    elif seen.status in ("quarantined", "skipped") and seen.error not in _TOLD_ELSEWHERE and not _is_data(seen):
        yield Problem(f"{seen.reason}{at}", seen.remedy)


def _are_there(pack: PackUnderTest) -> bool:
    own = {name for name, _ in pack.modules()}
    return all(point.value.partition(":")[0].strip() in own for point in pack.entry_points)


def _is_data(seen: Observation) -> bool:
    return seen.error == "FileNotFoundError" and "zoo directory" in seen.reason


@check("installation.zoo-folder")
def zoo_folder(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """The folders of zoo entries that it names are installed."""
    if _is_data(seen):
        yield Problem(seen.reason, "see that the build puts the folder's *.yaml into the wheel")


@check("installation.heavy-import")
def heavy(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """Its discovery imports no large library."""
    for library, line in seen.heavy.items():
        by = f"{line} imports" if line else "its discovery imports"
        yield Problem(f"{by} {library}, which slows every start of everybody's programs", _LATER)
        return
    for library, line in seen.heavy_once.items():
        message = f"{line or 'its discovery'} imports {library} the first time, until a cache is filled"
        yield Problem(message, "ship what is looked up as a data file of the pack", "warning")
        return


@check("installation.import-time")
def import_time(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """Its discovery takes next to no time."""
    if seen.heavy:
        yield Problem(f"importing {', '.join(seen.heavy)} takes the time", status="skipped")
    elif seen.seconds > SLOW:
        status = "failed" if seen.seconds > VERY_SLOW else "warning"
        yield Problem(
            f"its import and hooks take {seen.seconds:.2f} s, and a tenth of a second is much",
            "`python -X importtime` shows what takes it; leave it to the functions that need it",
            status,  # type: ignore[arg-type]
        )


@check("installation.output")
def output(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """It prints and warns of nothing while it is discovered."""
    if seen.output and seen.status != "ended":
        text = seen.output
        for package in pack.packages:
            text = text.replace(f"{package.parent}/", "")
        first, *rest = text.splitlines()
        more = f" and {len(rest)} more lines" if rest else ""
        yield Problem(
            f"it prints {first.removeprefix(f'[{pack.name}] ')[:160]!r}{more} while it is discovered",
            "log it, at the level DEBUG, where the work is done",
        )


@check("installation.side-effects")
def side_effects(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """It leaves the process and the machine as they were."""
    if seen.changed:
        yield Problem(
            f"it changes {', '.join(seen.changed)} while it is discovered",
            "leave what belongs to the whole process to its user, or restore it",
        )
    replaced = [name for name in seen.patched if name not in seen.changed]
    if replaced:
        named = ", ".join(replaced[:_MOST]) + (f" and {len(replaced) - _MOST} more" if len(replaced) > _MOST else "")
        yield Problem(f"it replaces {named}", "change a subclass or a copy of your own, not what others use too")
    for act in seen.acts[:_MOST]:
        yield Problem(f"it {act} while it is discovered", "do that in the function that needs it")


@check("installation.rediscovery")
def rediscovery(pack: PackUnderTest, seen: Observation) -> Iterator[Problem]:
    """A second discovery in the same process, as in a notebook, finds the same."""
    if seen.again:
        yield Problem(
            f"essmc_core.rediscover() does not find the same again: {seen.again}",
            "have hooks register from data that they do not change",
        )

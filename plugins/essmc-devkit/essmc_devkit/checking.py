"""All checks of one pack, in order: its files, its discovery, and each thing that it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from essmc_core.foundation.names import matches
from essmc_devkit.brought import check_brought
from essmc_devkit.children.limits import Limits
from essmc_devkit.finding import Finding
from essmc_devkit.installation.checks import check_discovery, check_files, observe_closely
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.sampling import select


@dataclass(frozen=True)
class Options:
    """What is checked, and how much it may take.

    Attributes:
        limits: of the discovery, and of each component and entry.
        only: patterns of checks' names; all if there is none.
        components: patterns of the names of components, entries and commands; all if there is none.
        fast: leaves out components, entries and commands.
        whole: checks every member of large families.
    """

    limits: Limits = field(default_factory=Limits)
    only: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    fast: bool = False
    whole: bool = False


def check_pack(
    pack: PackUnderTest, options: Options, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Finding]:
    """Yields every finding about a pack.

    Args:
        pack: where it is.
        options: what is checked.
        tell: called with what is checked next.
    """
    for finding in _every(pack, options, tell):
        if not options.only or matches(finding.check, options.only):
            yield finding


def _every(pack: PackUnderTest, options: Options, tell: Callable[[str], None]) -> Iterator[Finding]:
    tell(f"files of {pack.name}")
    yield from check_files(pack)
    tell(f"discovery of {pack.name}")
    seen = observe_closely(pack, options.limits)
    yield from check_discovery(pack, seen)
    if options.fast:
        return
    registered = [
        one
        for one in seen.registered
        if not options.components or matches(f"{one.kind}/{one.name}", options.components)
    ]
    selection = select(registered, pack.pack, options.whole)
    yield from selection.notes
    yield from check_brought(pack, selection.chosen, options.limits, tell)

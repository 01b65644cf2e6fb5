"""All checks of one pack, in order: its files, its discovery, and each thing that it brings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from essmc_devkit.brought import check_brought
from essmc_devkit.finding import Finding
from essmc_devkit.installation.checks import check_discovery, check_files, observe_closely
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.options import Options
from essmc_devkit.sampling import select


def check_pack(
    pack: PackUnderTest, options: Options, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Finding]:
    """Yields every finding about a pack.

    Args:
        pack: where it is.
        options: what is checked.
        tell: called with what is checked next.
    """
    tell(f"files of {pack.name}")
    yield from (finding for finding in check_files(pack) if options.wants(finding.check))
    tell(f"discovery of {pack.name}")
    seen = observe_closely(pack, options.limits)
    yield from (finding for finding in check_discovery(pack, seen) if options.wants(finding.check))
    if options.wants_what_is_brought:
        registered = [one for one in seen.registered if options.wants_component(f"{one.kind}/{one.name}")]
        selection = select(registered, pack.pack, options.whole)
        yield from selection.notes
        yield from check_brought(pack, selection.chosen, options, tell)

"""Checks of what a pack brings, each in a child process that may crash, hang or take too much memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from essmc_devkit.children.culprit import culprit
from essmc_devkit.children.environment import child_environment
from essmc_devkit.children.process import ChildEnded
from essmc_devkit.children.worker import Worker
from essmc_devkit.finding import Finding
from essmc_devkit.installation.observation import Named
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.options import Options

CHILD = "essmc_devkit.children.serve"
"""What the child process runs."""
_FIX = {
    "ended": "run it alone in a debugger: nothing in a pack may end the process of its user",
    "time": "a component is built, and runs on the least input, within seconds; `--limit-time` allows more",
    "memory": "small arguments have to give a small component; `--limit-memory` allows more",
}
_NAME = {"ended": "crash", "time": "time", "memory": "memory"}
_FAMILY = {"zoo": "entry", "commands": "command"}


def check_brought(
    pack: PackUnderTest, chosen: Sequence[Named], options: Options, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Finding]:
    """Yields the findings of each component, zoo entry and command.

    Args:
        pack: what brings them.
        chosen: which of them are checked.
        options: which checks are made, and what each subject may take.
        tell: called with the name of each before it is checked.
    """
    if not chosen:
        return
    with Worker(CHILD, child_environment(pack.sites), options.limits) as worker:
        for number, one in enumerate(chosen, start=1):
            tell(f"{number}/{len(chosen)} {one.kind}/{one.name}")
            yield from check_one(worker, pack, one, options)


def check_one(worker: Worker, pack: PackUnderTest, one: Named, options: Options) -> Iterator[Finding]:
    """Yields the findings of one component, zoo entry or command.

    Args:
        worker: runs `CHILD`.
        pack: what brings it.
        one: what is checked.
        options: which checks are made.
    """
    last = ""
    request = {"kind": one.kind, "name": f"{pack.pack}/{one.name}"}
    try:
        for message in worker.ask(**request, only=list(options.only), leave_out=list(options.leave_out)):
            finding = Finding.from_dict(message["finding"])
            last = finding.check
            if options.wants(finding.check):
                yield finding
    except ChildEnded as end:
        family = _FAMILY.get(one.kind, "component")
        where = culprit(end.errors, pack.packages)
        at = f" at {where}" if where else ""
        after = f", after the check {last}" if last else ""
        what = f"it {end.message}{at}{after}"
        yield Finding(f"{family}.{_NAME[end.how]}", f"{one.kind}/{one.name}", "failed", what, _FIX[end.how])

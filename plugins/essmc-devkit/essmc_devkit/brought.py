"""Checks of what a pack brings, each in a child process that may crash, hang or take too much memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from essmc_devkit.children.culprit import culprit
from essmc_devkit.children.environment import child_environment
from essmc_devkit.children.limits import Limits
from essmc_devkit.children.process import ChildEnded
from essmc_devkit.children.worker import Worker
from essmc_devkit.finding import Finding
from essmc_devkit.installation.observation import Named
from essmc_devkit.installation.pack_under_test import PackUnderTest

_CHILD = "essmc_devkit.children.serve"
_FIX = {
    "ended": "run it alone in a debugger: nothing in a pack may end the process of its user",
    "time": "a component is built, and runs on the least input, within seconds; `--limit-time` allows more",
    "memory": "small arguments have to give a small component; `--limit-memory` allows more",
}
_NAME = {"ended": "crash", "time": "time", "memory": "memory"}


def check_brought(
    pack: PackUnderTest, chosen: Sequence[Named], limits: Limits, tell: Callable[[str], None] = lambda _: None
) -> Iterator[Finding]:
    """Yields the findings of each component, zoo entry and command.

    Args:
        pack: what brings them.
        chosen: which of them are checked.
        limits: what each of them may take.
        tell: called with the name of each before it is checked.
    """
    if not chosen:
        return
    with Worker(_CHILD, child_environment(pack.sites), limits) as worker:
        for number, one in enumerate(chosen, start=1):
            tell(f"{number}/{len(chosen)} {one.kind}/{one.name}")
            yield from _findings(worker, pack, one)


def _findings(worker: Worker, pack: PackUnderTest, one: Named) -> Iterator[Finding]:
    subject = f"{one.kind}/{one.name}"
    last = ""
    try:
        for message in worker.ask(kind=one.kind, name=f"{pack.pack}/{one.name}"):
            finding = Finding.from_dict(message["finding"])
            last = finding.check
            yield finding
    except ChildEnded as end:
        family = "zoo" if one.kind == "zoo" else "command" if one.kind == "commands" else "component"
        where = culprit(end.errors, pack.packages)
        at = f" at {where}" if where else ""
        after = f", after the check {last}" if last else ""
        yield Finding(f"{family}.{_NAME[end.how]}", subject, "failed", f"it {end.message}{at}{after}", _FIX[end.how])

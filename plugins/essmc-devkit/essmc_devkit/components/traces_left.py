"""Checks of what building and using a component leaves behind: output, state of the process, files, connections."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.declared import is_of_another
from essmc_devkit.components.subject import Subject
from essmc_devkit.components.watched_use import WatchedUse
from essmc_devkit.problem import Problem

_MOST = 3


@check("component.output")
def output(subject: Subject) -> Iterator[Problem]:
    """Nothing is printed where it is built, and where it is used."""
    if text := _of(subject).output:
        first, *rest = text.splitlines()
        more = f" and {len(rest)} more lines" if rest else ""
        yield Problem(
            f"built and used once, it prints {first[:120]!r}{more}",
            "log it at the level DEBUG: `--json` and pipes take what programs print",
        )


@check("component.side-effects")
def side_effects(subject: Subject) -> Iterator[Problem]:
    """The process is left as it was."""
    seen = _of(subject)
    if seen.changed:
        yield Problem(
            f"built and used once, it changes {', '.join(seen.changed)}",
            "leave what belongs to the whole process to its user",
        )
    if seen.seeded:
        yield Problem(
            f"built and used once, it seeds {' and '.join(seen.seeded)} random numbers, of everybody's program",
            "draw from a generator of its own: torch.Generator().manual_seed(0)",
        )


@check("component.acts")
def acts(subject: Subject) -> Iterator[Problem]:
    """Nothing is fetched, and no file is written, where it is built by its defaults and used."""
    for one in _of(subject).acts[:_MOST]:
        yield Problem(
            f"built and used once, it {one}",
            "weights come by the entry or by `weights=`, files by a method that is called for them",
        )


def _of(subject: Subject) -> WatchedUse:
    """Returns what was seen.

    Raises:
        NotChecked: it cannot be built, which is a check of its own; or its code is another library's.
    """
    if other := is_of_another(subject.component):
        raise NotChecked(f"its code is that of {other}")
    if subject.watched.error is not None:
        raise NotChecked(f"it cannot be built: {brief(subject.watched.error)}")
    return subject.watched


ALL = (output, side_effects, acts)

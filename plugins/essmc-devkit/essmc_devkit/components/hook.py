"""Checks of hooks of solvers: the events that they take part in, and what they add to checkpoints."""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

from essmc_core.contract.run_events import EVENTS
from essmc_core.foundation.names import nearest
from essmc_core.foundation.plain_data import plain_data
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.outputs import difference
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

_WITH_THE_RUN = (*EVENTS, "watched", "rederive")
_PREFIXES = ("before_", "after_")


class HookSubject(Subject):
    """A hook of a solver.

    Args:
        config: its name, or a mapping with ``type`` and arguments.
    """

    def __init__(self, config: str | Mapping[str, Any]) -> None:
        super().__init__("hooks", config)


@check("hook.events")
def events(subject: HookSubject) -> Iterator[Problem]:
    """It takes part in events of a run, spelled as they are, and each is called with the run alone."""
    methods = {name: getattr(subject.built, name) for name in dir(type(subject.built)) if not name.startswith("__")}
    methods = {name: method for name, method in methods.items() if callable(method)}
    if not set(EVENTS) & set(methods):
        yield Problem("it has none of a run's events", f"define some of {', '.join(EVENTS)}")
    for name in methods:
        if name.startswith(_PREFIXES) and name not in EVENTS:
            near = nearest(name, EVENTS, count=1)
            yield Problem(
                f"{name} is never called: it is no event of a run",
                f"call it {near[0]}" if near else f"events are {', '.join(EVENTS)}; begin helpers with _",
            )
    for name in _WITH_THE_RUN:
        if name in methods and not _takes(methods[name], 1):
            yield Problem(
                f"{name}{inspect.signature(methods[name])} cannot be called with the run alone",
                f"write `def {name}(self, run: Run)`",
            )


@check("hook.priority")
def priority(subject: HookSubject) -> Iterator[Problem]:
    """Its priority, by which hooks are sorted, is a number."""
    found = getattr(subject.built, "priority", 0)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        yield Problem(f"its priority is {found!r:.60}", "give a number; hooks with lower ones run first")


@check("hook.state")
def state(subject: HookSubject) -> Iterator[Problem]:
    """What it adds to checkpoints can be read without running code, and another one takes it up."""
    import torch

    save, load = (getattr(subject.built, name, None) for name in ("state_dict", "load_state_dict"))
    if save is None and load is None:
        raise NotChecked("it has no state")
    if not callable(save) or not callable(load):
        yield Problem("it has one of state_dict and load_state_dict alone", "define both, or none")
        return
    kept, file = save(), io.BytesIO()
    if not isinstance(kept, Mapping):
        yield Problem(f"state_dict returns a {type(kept).__name__}", "return a dict of plain data and tensors")
        return
    torch.save(dict(kept), file)
    file.seek(0)
    try:
        read = torch.load(file, weights_only=True)
    except Exception as error:
        yield Problem(f"its state cannot be read from a checkpoint: {brief(error, 100)}", "keep plain data and tensors")
        return
    other = subject.build(seed=1)
    other.load_state_dict(read)
    if words := difference(dict(other.state_dict()), dict(kept), rtol=0, atol=0):
        yield Problem(f"once it has taken up its state, {words}", "let load_state_dict set all that state_dict returns")


@check("hook.settings")
def settings(subject: HookSubject) -> Iterator[Problem]:
    """The settings that resumed runs have to share are plain data."""
    compared = getattr(subject.built, "compared_settings", None)
    if not callable(compared):
        raise NotChecked("it compares no settings")
    found = compared()
    try:
        json.dumps(plain_data(found))
    except (TypeError, ValueError) as error:
        yield Problem(f"compared_settings returns what is no plain data: {error}", "return numbers, texts and lists")
        return
    if not isinstance(found, Mapping):
        yield Problem(f"compared_settings returns a {type(found).__name__}", "return a dict by name of the argument")


ALL = (events, priority, state, settings)


def _takes(method: Any, count: int) -> bool:
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        return False
    return True

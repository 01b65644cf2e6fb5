"""The hooks of a run in their order, and the calls of their events."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from essmc_core.contract.run_events import EVENTS
from essmc_core.errors import ContractError
from essmc_solvers.hooks.base import Hook
from essmc_solvers.run.protocol import Run


class Events:
    """Calls the events that hooks take part in.

    Args:
        hooks: by priority.
    """

    def __init__(self, hooks: Sequence[Any]) -> None:
        self._hooks = hooks
        self._calls = {
            event: [(hook, getattr(hook, event)) for hook in hooks if _takes_part(hook, event)] for event in EVENTS
        }
        self._finished: deque[tuple[str, Any]] = deque(maxlen=4 * len(hooks) + 4)

    def call(self, event: str, run: Run) -> None:
        """Runs the hooks that take part in an event, by priority."""
        for hook, method in self._calls[event]:
            method(run)
            self._finished.append((event, hook))

    def forget(self) -> None:
        """Forgets which hooks have finished."""
        self._finished.clear()

    def has_finished(self, event: str, hook: Any) -> bool:
        """Returns whether a hook has done its part of an event since `forget`."""
        return any(done == event and one is hook for done, one in self._finished)

    def close(self) -> None:
        """Lets every hook end."""
        for hook in self._hooks:
            if hasattr(hook, "close"):
                hook.close()


def by_priority(given: Iterable[Any], defaults: Iterable[Any]) -> list[Any]:
    """Returns hooks by priority, a default only where none of its class is given.

    Raises:
        ContractError: an object has none of a run's events.
    """
    hooks = list(given)
    for hook in hooks:
        _check_hook(hook)
    classes = {type(hook) for hook in hooks}
    hooks += [hook for hook in defaults if type(hook) not in classes]
    return sorted(hooks, key=lambda hook: getattr(hook, "priority", 0))


def _check_hook(hook: Any) -> None:
    if not isinstance(hook, Hook) and not any(_takes_part(hook, event) for event in EVENTS):
        raise ContractError(
            f"A {type(hook).__name__} is no hook: it has none of a run's events.",
            hint=f"A hook has some of the methods {', '.join(EVENTS)}.",
        )


def _takes_part(hook: Any, event: str) -> bool:
    method = getattr(type(hook), event, None)
    return method is not None and method is not getattr(Hook, event)

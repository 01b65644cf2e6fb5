"""What hooks contribute to checkpoints and take from them, whatever their classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from essmc_solvers.run.protocol import Run


def hook_states(hooks: Iterable[Any]) -> dict[str, Any]:
    """Returns the states of hooks by class name."""
    return {name: hook.state_dict() for name, hook in _named(hooks, "state_dict")}


def load_hook_states(run: Run, states: Mapping[str, Any], checkpoint: str) -> None:
    """Restores the states of hooks; those that the earlier run did not have start without.

    Args:
        run: with everything else restored.
        states: of the hooks that wrote the checkpoint.
        checkpoint: name of the file.
    """
    for name, hook in _named(run.hooks, "state_dict"):
        if name in states:
            hook.load_state_dict(states[name])
        elif hasattr(hook, "start_without_state"):
            hook.start_without_state(run, checkpoint)


def hook_entries(hooks: Iterable[Any]) -> dict[str, Any]:
    """Returns what hooks write at the top level of checkpoints."""
    entries: dict[str, Any] = {}
    for hook in hooks:
        if hasattr(hook, "checkpoint_entries"):
            entries.update(hook.checkpoint_entries())
    return entries


def hook_settings(hooks: Iterable[Any]) -> dict[str, Any]:
    """Returns the settings of hooks that decide what a run comes to, by class and name."""
    named = _named(hooks, "compared_settings")
    return {f"{name}.{key}": value for name, hook in named for key, value in hook.compared_settings().items()}


def sets_rates(hooks: Iterable[Any], setting: str) -> bool:
    """Returns whether learning rates depend on a setting of hooks.

    Args:
        hooks: of the run.
        setting: as `hook_settings` names it.
    """
    owners = (name for name, hook in _named(hooks, "compared_settings") if getattr(hook, "sets_rates", False))
    return any(setting.startswith(f"{name}.") for name in owners)


def rederive(run: Run) -> None:
    """Lets hooks catch up with a run whose settings have changed."""
    for hook in run.hooks:
        if hasattr(hook, "rederive"):
            hook.rederive(run)


def _named(hooks: Iterable[Any], method: str) -> list[tuple[str, Any]]:
    """Returns the hooks that have a method by class name, numbered where a class occurs again."""
    named: dict[str, Any] = {}
    for hook in hooks:
        name = type(hook).__name__
        if callable(getattr(hook, method, None)):
            named[f"{name}#{len(named)}" if name in named else name] = hook
    return list(named.items())

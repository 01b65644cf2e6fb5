"""Remarks about a pack that works but may not do what its author intended."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from essmc_core.discovery.hooks import GROUP, PackHooks
from essmc_core.foundation.names import nearest

HOOKS = tuple(name for name in vars(PackHooks) if not name.startswith("_"))
_UNKNOWN_HOOK = re.compile(r"unknown hook '(\w+)'")
_ODD_ARGUMENTS = re.compile(r"for hook '(\w+)'.*are declared in the hookimpl but", re.DOTALL)


def unmarked_hooks(plugin: Any) -> list[str]:
    """Returns remarks about functions that have the names of hooks but are not marked as such."""
    where = getattr(plugin, "__name__", type(plugin).__name__)
    found = []
    for name in HOOKS:
        function = getattr(plugin, name, None)
        if callable(function) and not hasattr(function, f"{GROUP}_impl"):
            found.append(f"{name} in {where} is not marked with @hookimpl (from essmc_core import hookimpl)")
    return found


def brings_nothing(plugin: Any) -> str:
    """Returns the remark about a pack that registered nothing, with functions whose names are similar to hooks."""
    names = [name for name, value in vars(plugin).items() if callable(value)] if hasattr(plugin, "__dict__") else []
    near = [f"{name}: {hint}" for name in names if name not in HOOKS and (hint := _did_you_mean(name))]
    known = f"; hooks are {', '.join(HOOKS)}" if not near else f"; {'; '.join(near)}"
    return f"it brings nothing: none of its hooks registered anything{known}"


def empty_folder(folder: Path) -> str:
    """Returns the remark about a zoo folder without entries, empty if it has some."""
    if any(folder.rglob("*.yaml")):
        return ""
    others = sorted(path.name for path in folder.rglob("*.yml"))
    aside = f"; {', '.join(others[:3])} should end in .yaml" if others else ""
    return f"its zoo folder {folder} holds no *.yaml{aside}"


def nearest_hook(message: str) -> str:
    """Returns a hint for an error about an unknown or malformed hook; empty for other messages."""
    if unknown := _UNKNOWN_HOOK.search(message):
        return _did_you_mean(unknown[1]) or f"hooks are {', '.join(HOOKS)}"
    if (odd := _ODD_ARGUMENTS.search(message)) and odd[1] in HOOKS:
        arguments = list(inspect.signature(getattr(PackHooks, odd[1])).parameters)[1:]
        return f"it reads: def {odd[1]}({', '.join(arguments)})"
    return ""


def _did_you_mean(name: str) -> str:
    return "".join(f"did you mean {hook!r}?" for hook in nearest(name, HOOKS, count=1))

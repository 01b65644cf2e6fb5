"""Notes on exceptions of a forward pass that name the component of the model they were raised in."""

from __future__ import annotations

import sys
from typing import Any

from essmc_core.foundation.error_text import add_note

_MARK = "_built_from"
_START = "in the forward pass of "


def mark_built(built: Any, qualified: str, distribution: str) -> None:
    """Records on a module which component it was built from; objects that are not modules are left unchanged."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(built, torch.nn.Module):
        vars(built).setdefault(_MARK, (qualified, distribution))


def note_forward(error: Exception, model: Any) -> None:
    """Adds a note with the path of the innermost component, its name and pack; once, however models are nested.

    Costs nothing while no exception is raised: the modules are found in the traceback.

    Args:
        error: what the forward pass raised.
        model: the network that was called.
    """
    if any(str(note).startswith(_START) for note in getattr(error, "__notes__", ())):
        return
    called = _called_modules(error)
    built = [module for module in called if _MARK in vars(module)]
    if not built:
        return
    qualified, distribution = vars(built[-1])[_MARK]
    paths = {id(module): f"model.{name}" if name else "model" for name, module in model.named_modules()}
    path = paths.get(id(built[-1]), "model")
    innermost = paths.get(id(called[-1]), path)
    at = f", at {innermost}" if innermost != path else ""
    add_note(error, f"{_START}{path} ({qualified} of {distribution}){at}")


def _called_modules(error: Exception) -> list[Any]:
    """Returns the modules whose methods are in the traceback, outermost first."""
    from torch import nn

    found: list[Any] = []
    traceback = error.__traceback__
    while traceback is not None:
        owner = traceback.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and (not found or found[-1] is not owner):
            found.append(owner)
        traceback = traceback.tb_next
    return found

"""Checks of arguments that go together, run by `essmc validate` before anything is built; nothing heavy is imported."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.foundation.names import did_you_mean

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component


def check_stages(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks what branches and non-local blocks of a five-stage network take."""
    _check_names(checker, (*path, "non_local_cfg"), arguments.get("non_local_cfg"), "NonLocal")
    check_layers(checker, path, arguments, component)


def check_layers(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks further arguments of a network's layers against the layer that ``branch_name`` names."""
    name = arguments.get("branch_name")
    if name is None:
        signature = checker.signature(component.kind, component.qualified)
        parameter = None if signature is None else signature.parameter("branch_name")
        name = _text(parameter.default) if parameter is not None and not parameter.required else None
    _check_names(checker, (*path, "branch_cfg"), arguments.get("branch_cfg"), name)


def _check_names(checker: Checker, path: Path, given: Any, brick: Any) -> None:
    signature = checker.signature("bricks", brick) if isinstance(brick, str) else None
    if not isinstance(given, Mapping) or signature is None or signature.takes_any:
        return
    known = [parameter.name for parameter in signature.parameters]
    record = checker.find("bricks", brick)
    former = () if record is None else record.retired
    for name in (name for name in given if name not in known and name not in former):
        hint = did_you_mean(name, known) or f"it takes {', '.join(known)}"
        checker.mistake((*path, name), f"{brick} has no argument {name!r}", hint, key=True)


def _text(default: str) -> Any:
    """Returns a default that is written as a string."""
    try:
        return ast.literal_eval(default)
    except (SyntaxError, ValueError):
        return None

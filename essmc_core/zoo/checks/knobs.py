"""Checks that the knobs that a configuration declares refer to values that can be set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from essmc_core.building.messages import unknown_argument
from essmc_core.building.part import Part
from essmc_core.errors import ConfigError, Issue
from essmc_core.foundation.names import did_you_mean
from essmc_core.inputs.spec import InputSpec
from essmc_core.zoo.sections import SECTIONS, has_path, is_known

if TYPE_CHECKING:
    from essmc_core.config import Config


def knob_issues(config: Config, model: Part | None) -> list[Issue]:
    """Returns a mistake for each knob whose path cannot be set.

    A path that the file does not contain can be set if it is an argument of an existing component. If an override, or a
    file based on this one, replaced the component that a knob refers to, the knob has no meaning, which is not a
    mistake.

    Args:
        config: the whole configuration.
        model: its model, resolved; None if that failed.
    """
    declared = config.get("knobs")
    if declared is None:
        return []
    if not isinstance(declared, Mapping):
        hint = "knobs: {num_classes: model.head.num_classes}"
        return [
            Issue("knobs", f"`knobs` is a mapping from names to paths, got {declared!r}", config.where("knobs"), hint)
        ]
    found = []
    for name, stated in declared.items():
        for path in stated if isinstance(stated, (list, tuple)) else (stated,):
            problem = _problem(config, name, path, model)
            if problem is not None and not _is_replaced(config, name, path):
                found.append(Issue(f"knobs.{name}", problem[0], config.where("knobs", name), problem[1]))
    return found


def _is_replaced(config: Config, name: str, path: Any) -> bool:
    """Returns whether the component that a knob refers to was written in another place than the knob."""
    parts = path.split(".")[:-1] if isinstance(path, str) else []
    while len(parts) > 1 and not has_path(config, parts):
        parts.pop()
    knob, part = config.where("knobs", name), config.where(*parts, "type") if len(parts) > 1 else None
    return knob is not None and part is not None and knob.source != part.source


def _problem(config: Config, name: str, path: Any, model: Part | None) -> tuple[str, str] | None:
    if not isinstance(path, str):
        hint = f"{name}: model.head.{name}"
        return f"a knob is a path of the configuration, or a list of them, got {path!r}", hint
    parts = path.split(".")
    if not all(parts) or not is_known(parts[0]) or parts[0] == "knobs":
        return f"{path!r} is no path of the configuration", did_you_mean(parts[0], SECTIONS)
    if has_path(config, parts):
        return None
    try:
        config.with_overrides({path: None})
    except ConfigError as error:
        return f"{path!r} points nowhere: {error.message}", error.hint
    if parts[0] == "input" and len(parts) == 2:
        known = [field.name for field in fields(InputSpec)]
        return None if parts[1] in known else (f"{path!r} points nowhere", did_you_mean(parts[1], known))
    return _beyond(model, parts, path) if parts[0] == "model" else None


def _beyond(model: Part | None, parts: list[str], path: str) -> tuple[str, str] | None:
    """Returns why a path that is not written cannot be set, None if it is an argument of an existing component."""
    above = [] if model is None else [part for part in model.walk() if _is_within(part, parts)]
    if not above:
        return None
    part = max(above, key=lambda part: len(part.path))
    name = parts[len(part.path)]
    if part.takes(name) or name in part.component.bound:
        return None
    message, hint = unknown_argument(part.component, part.signature, name)
    return f"{path!r} points nowhere: {message}", hint


def _is_within(part: Part, parts: list[str]) -> bool:
    return len(part.path) < len(parts) and [str(key) for key in part.path] == parts[: len(part.path)]

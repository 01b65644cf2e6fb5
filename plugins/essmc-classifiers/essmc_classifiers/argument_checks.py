"""Checks of arguments that go together, run by `essmc validate` before anything is built; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component


def check_classifier(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks that a classifier has a head."""
    if arguments.get("head") is None:
        checker.mistake(path, f"{component.name} needs a head", "e.g. head: {type: ClassifierHead, num_classes: 10}")

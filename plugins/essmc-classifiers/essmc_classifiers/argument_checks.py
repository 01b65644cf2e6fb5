"""Checks of arguments that go together, run by `essmc validate` before anything is built; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from essmc_core.component import Component
    from essmc_core.schema.check import Checker, Path


def check_classifier(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks that a classifier has a head, and a weight for each of its classes where the loss has weights."""
    head, loss = arguments.get("head"), arguments.get("loss")
    if head is None:
        checker.mistake(path, f"{component.name} needs a head", "e.g. head: {type: ClassifierHead, num_classes: 10}")
    count = head.get("num_classes") if isinstance(head, Mapping) else None
    if not isinstance(count, int) or not isinstance(loss, Mapping):
        return
    for name in ("weight", "pos_weight"):
        weights = loss.get(name)
        if isinstance(weights, (list, tuple)) and len(weights) != count and (name == "weight" or len(weights) != 1):
            message = f"{len(weights)} numbers for the {count} classes of the head"
            checker.mistake((*path, "loss", name), message, "give one number a class")

"""Checks of arguments that the classification heads of all packs share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError

if TYPE_CHECKING:
    from essmc_core.contract.checking import CheckedComponent, Checker, Path


def check_head(checker: Checker, path: Path, arguments: Mapping[str, Any], component: CheckedComponent) -> None:
    """Checks a head's configuration before it is built; packs register it as the ``check`` of their heads."""
    written = arguments.get("num_classes", 1)
    counts = [written] if isinstance(written, int) else list(written) if isinstance(written, (list, tuple)) else []
    rate = arguments.get("dropout_rate", 0.0)
    for name, message in _mistakes(component.name, counts, rate if isinstance(rate, (int, float)) else 0.0):
        checker.mistake((*path, name), message)


def check_head_arguments(head: object, counts: Sequence[int], dropout_rate: float) -> None:
    """Checks the arguments of a head's constructor.

    Args:
        head: for the message.
        counts: classes of each output.
        dropout_rate: dropout probability.

    Raises:
        ConfigError: a number of classes below 1, or a probability outside [0, 1].
    """
    for _, message in _mistakes(type(head).__name__, counts, dropout_rate):
        raise ConfigError(message)


def _mistakes(name: str, counts: Sequence[int], dropout_rate: float) -> Iterator[tuple[str, str]]:
    if min(counts, default=1) < 1:
        got = counts[0] if len(counts) == 1 else counts
        yield "num_classes", f"{name} needs at least 1 class, got num_classes={got}"
    if not 0 <= dropout_rate <= 1:
        yield "dropout_rate", f"{name} drops features with a chance in [0, 1], got dropout_rate={dropout_rate}"

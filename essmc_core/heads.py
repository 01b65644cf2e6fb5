"""What classifying heads of every pack check alike when they are built."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.errors import ConfigError


def check_head_arguments(head: object, counts: Sequence[int], dropout_rate: float) -> None:
    """Checks what a head is built with.

    Args:
        head: for the message.
        counts: classes of each output.
        dropout_rate: chance of dropping a feature.

    Raises:
        ConfigError: a number of classes below 1, or a chance outside [0, 1].
    """
    name = type(head).__name__
    if min(counts) < 1:
        raise ConfigError(f"{name} needs at least 1 class, got num_classes={counts[0] if len(counts) == 1 else counts}")
    if not 0 <= dropout_rate <= 1:
        raise ConfigError(f"{name} drops features with a chance in [0, 1], got dropout_rate={dropout_rate}")

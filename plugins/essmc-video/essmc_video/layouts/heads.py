"""Heads of our video networks, from the names and shapes of their tensors."""

from __future__ import annotations

from collections.abc import Iterator

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.layouts.arguments.shared import Config


def window_head(shapes: Shapes) -> Iterator[Config]:
    """Yields the head that averages the scores of windows."""
    yield from _linear(shapes, {"type": "WindowPoolHead"})


def window_head_of_probabilities(shapes: Shapes) -> Iterator[Config]:
    """Yields the head that averages the probabilities of windows."""
    yield from _linear(shapes, {"type": "WindowPoolHead", "average": "probabilities"})


def slowfast_head(shapes: Shapes) -> Iterator[Config]:
    """Yields the head of two paths."""
    yield from _linear(shapes, {"type": "SlowFastHead"})


def _linear(shapes: Shapes, head: Config) -> Iterator[Config]:
    if set(shapes) == {"out.weight", "out.bias"}:
        yield {**head, "num_classes": shapes["out.weight"][0]}

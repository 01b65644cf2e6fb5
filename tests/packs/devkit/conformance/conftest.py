"""Registers components for one test, and takes them away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from essmc_core import REGISTRIES

Register = Callable[[str, Any], str]


@pytest.fixture
def register() -> Iterator[Register]:
    """Returns a function that registers a class of a kind as user code does, and returns its name."""
    added: list[tuple[str, str]] = []

    def add(kind: str, target: Any) -> str:
        REGISTRIES[kind].register(target)
        added.append((kind, target.__name__))
        return str(target.__name__)

    yield add
    for kind, name in added:
        REGISTRIES[kind].table.remove_where(lambda record, name=name: record.pack == "local" and record.name == name)

"""The names of timm's models, by the module that registers them, and its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Index:
    """What timm offers.

    Attributes:
        models: module of ``timm.models`` to the names it registers.
        deprecated: old name to the current ``arch`` or ``arch.tag``.
    """

    models: Mapping[str, tuple[str, ...]]
    deprecated: Mapping[str, str]

    def names(self) -> list[str]:
        """Returns every current name."""
        return [name for names in self.models.values() for name in names]

    def old_names(self) -> dict[str, dict[str, str]]:
        """Returns current architecture to the old names that mean it, each with its ``arch`` or ``arch.tag``."""
        old: dict[str, dict[str, str]] = {}
        for name, current in self.deprecated.items():
            old.setdefault(current.partition(".")[0], {})[name] = current
        return old


@dataclass(frozen=True, slots=True)
class Weights:
    """Pretrained weights of timm's.

    Attributes:
        name: architecture and tag, e.g. ``resnet18.a1_in1k``.
        module: the module of ``timm.models`` that states them.
        line: where in that module.
        stated: the name, and what timm states in the terms of its ``PretrainedCfg``; what is None is left
            out. ``licence`` is its ``license`` as an SPDX expression.
    """

    name: str
    module: str
    line: int
    stated: Mapping[str, Any]

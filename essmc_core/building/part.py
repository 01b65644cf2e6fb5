"""A resolved configuration: the tree of its components, each with everything needed to construct it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from essmc_core.contract.checking import Path
from essmc_core.location import Location
from essmc_core.registry.component import Component
from essmc_core.signatures.signature import Signature

PRETRAIN = "pretrain"
"""Key of a component's mapping that names weights to load, unless its constructor has an argument of that name."""
NOT_WRITTEN: Any = object()
"""Stands for an argument that a configuration leaves to the backbone."""


@dataclass(frozen=True, slots=True)
class FromBeside:
    """An argument that is taken from the model's backbone.

    Attributes:
        name: the argument.
        attribute: the backbone's attribute.
        required: whether the part cannot be built without it.
        written: the value that is written, which the backbone's must equal; `NOT_WRITTEN` if the backbone fills it.
        where: where it is written.
    """

    name: str
    attribute: str
    required: bool
    written: Any
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a resolved configuration.

    Attributes:
        component: what is built.
        signature: what it accepts, without what its registration fixes.
        path: where it is in the user's file.
        where: file, line and column, if it came from a file.
        arguments: the written arguments: plain data, parts to construct first, alone or in lists and dicts, and
            objects that are built already. Backbones come first, then necks.
        kinds: the kinds of the arguments that are components.
        pretrain: weights to load once it is built; None: none.
        from_beside: arguments that the model's backbone fills or must agree with.
        has_backbone: whether one of its arguments is a backbone, from which the other arguments take numbers.
        retired: removed arguments that are written and have no effect.
        children: all parts inside it, in the order of the file: those of ``arguments``, and those whose configuration
            is passed on unbuilt.
    """

    component: Component
    signature: Signature
    path: Path = ()
    where: Location | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    pretrain: Any = None
    from_beside: tuple[FromBeside, ...] = ()
    has_backbone: bool = False
    retired: tuple[str, ...] = ()
    children: tuple[Part, ...] = ()

    @property
    def dotted(self) -> str:
        """The path as messages show it, empty at the top."""
        return ".".join(map(str, self.path))

    def takes(self, name: str) -> bool:
        """Returns whether a configuration may give it an argument."""
        known = self.signature.takes_any or self.signature.parameter(name) is not None
        return known or name == PRETRAIN or name in self.component.retired

    def walk(self) -> Iterator[Part]:
        """Yields this part and all parts inside it, outer ones first, in the order of the file."""
        yield self
        for child in self.children:
            yield from child.walk()

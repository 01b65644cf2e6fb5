"""The record of one registered component: a name and where its code is, none of it imported yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

Lifecycle: TypeAlias = Literal["", "experimental", "stable", "deprecated"]

LOCAL = "local"
"""The pack of components that user code registers, without a distribution."""

CORE = "core"
"""The pack of the core's own components."""

RESERVED = frozenset({CORE, LOCAL, "zoo", "commands", ""})
"""Short names that no distribution may have."""

NOTHING_BOUND: Mapping[str, Any] = {}
"""What a component binds that binds nothing."""


@dataclass(frozen=True, slots=True)
class Component:
    """What a registry stores about a component before it is imported.

    Attributes:
        kind: plural name of the registry, e.g. ``backbones``.
        name: the name within the pack, e.g. ``ResNet3D``.
        pack: short name of the pack, ``local`` for user code.
        target: ``"package.module:attribute"``, or the class or function itself.
        summary: one line for listings.
        aliases: other names that work and stay out of listings.
        deprecated: old names that work, warn once and stay out of listings.
        bare: whether the name resolves without the pack's prefix.
        bound: keyword arguments that the registration fixes.
        bound_by_alias: those that an alias or old name fixes instead of, or besides, ``bound``.
        check: ``"package.module:function"`` that checks arguments together, see `StagedRegistry.register`.
        distribution: distribution that provides the pack, for messages; empty if there is none.
        retired: removed arguments, each with the one value that configurations may still state, which is not passed
            on, and with what to do instead of any other value.
        lifecycle: ``experimental``, ``stable`` or ``deprecated``; empty if it is that of the pack.
    """

    kind: str
    name: str
    pack: str
    target: str | Callable[..., Any]
    summary: str = ""
    aliases: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    bare: bool = True
    bound: Mapping[str, Any] = field(default_factory=lambda: NOTHING_BOUND)
    bound_by_alias: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: NOTHING_BOUND)
    retired: Mapping[str, tuple[Any, str]] = field(default_factory=lambda: NOTHING_BOUND)
    check: str = ""
    distribution: str = ""
    lifecycle: Lifecycle = ""

    @property
    def qualified(self) -> str:
        """``pack/name``, which always resolves."""
        return f"{self.pack}/{self.name}"

    @property
    def brought_by(self) -> str:
        """Distribution that provides the pack; the pack's name if there is none."""
        return self.distribution or self.pack

    def instead_of(self, old_name: str) -> str:
        """Returns what to use instead of a deprecated name, with the arguments that the deprecated name fixes."""
        fixed = ", ".join(f"{key}={value!r}" for key, value in self.bound_by_alias.get(old_name, {}).items())
        return f"{self.qualified!r}" + (f" (the old one fixes {fixed})" if fixed else "")

    def called(self, name: str) -> Component:
        """Returns the component with the arguments that one of its names fixes.

        Args:
            name: qualified or bare name, alias or old name.
        """
        own = self.bound_by_alias.get(name.rpartition("/")[2])
        return replace(self, bound={**self.bound, **own}) if own else self

    def load(self) -> Callable[..., Any]:
        """Imports the target and returns the class or function, without applying bound arguments.

        Raises:
            TargetImportError: the target cannot be imported; the message names pack, target and what to do.
        """
        if not isinstance(self.target, str):
            return self.target
        from essmc_core.registry.targets import import_target

        target: Callable[..., Any] = import_target(self.target, f"{self.qualified} ({self.kind})", self.brought_by)
        return target

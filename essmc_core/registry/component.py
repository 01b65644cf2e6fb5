"""The light record of one registered component: a name and where its code is, no code loaded yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

LOCAL = "local"
"""The pack of everything that user code registers itself, without a distribution."""

CORE = "core"
"""The pack of what the core brings itself."""

RESERVED = frozenset({CORE, LOCAL, "zoo", "commands", ""})
"""Short names that no distribution can have."""

_NOTHING_BOUND: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Component:
    """What a registry knows of a component before it is used.

    Attributes:
        kind: plural name of the registry, e.g. ``backbones``.
        name: the name within the pack, e.g. ``ResNet3D``.
        pack: short name of the pack, ``local`` for user code.
        target: ``"package.module:attribute"``, or the class or function itself.
        summary: one line for listings.
        aliases: other names that work and stay out of listings.
        deprecated: old names that work, warn once and stay out of listings.
        bare: whether the name resolves without its pack in front.
        bound: keyword arguments that the registration fixes.
        bound_by_alias: those that an alias or old name fixes instead of, or besides, ``bound``.
        check: ``"package.module:function"`` that checks arguments together, see `StagedRegistry.register`.
        distribution: what pip calls the pack, for messages; empty where no distribution brings it.
        retired: former arguments, each with the one value that configurations may still state, which is not passed on,
            and with what to do in place of others.
    """

    kind: str
    name: str
    pack: str
    target: str | Callable[..., Any]
    summary: str = ""
    aliases: tuple[str, ...] = ()
    deprecated: tuple[str, ...] = ()
    bare: bool = True
    bound: Mapping[str, Any] = field(default_factory=lambda: _NOTHING_BOUND)
    bound_by_alias: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _NOTHING_BOUND)
    retired: Mapping[str, tuple[Any, str]] = field(default_factory=lambda: _NOTHING_BOUND)
    check: str = ""
    distribution: str = ""

    @property
    def qualified(self) -> str:
        """``pack/name``, which always resolves."""
        return f"{self.pack}/{self.name}"

    @property
    def brought_by(self) -> str:
        """What pip calls the pack; the pack's own name where no distribution brings it."""
        return self.distribution or self.pack

    def instead_of(self, old_name: str) -> str:
        """Returns what to use instead of an old name, with what the old one fixes."""
        fixed = ", ".join(f"{key}={value!r}" for key, value in self.bound_by_alias.get(old_name, {}).items())
        return f"{self.qualified!r}" + (f" (the old one fixes {fixed})" if fixed else "")

    def called(self, name: str) -> Component:
        """Returns the component as one of its names means it: with what that name fixes.

        Args:
            name: qualified or bare name, alias or old name.
        """
        own = self.bound_by_alias.get(name.rpartition("/")[2])
        return replace(self, bound={**self.bound, **own}) if own else self

    def load(self) -> Callable[..., Any]:
        """Imports the target and returns the class or function, bound arguments not applied.

        Raises:
            TargetImportError: the target cannot be imported; the message names pack, target and what to do.
        """
        if not isinstance(self.target, str):
            return self.target
        from essmc_core.registry.targets import import_target

        target: Callable[..., Any] = import_target(self.target, f"{self.qualified} ({self.kind})", self.brought_by)
        return target

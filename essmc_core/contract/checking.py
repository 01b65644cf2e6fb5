"""Protocols for checks of a component's arguments: packs implement the checks, the core calls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Path = tuple["str | int", ...]
"""Where a value is in a configuration: its keys and indices from the top."""


class CheckedParameter(Protocol):
    """One parameter of a component."""

    @property
    def name(self) -> str:
        """As written in configurations."""

    @property
    def annotation(self) -> Any:
        """Source text of the annotation, or the annotation object."""

    @property
    def default(self) -> Any:
        """Source text of the default."""

    @property
    def required(self) -> bool:
        """Whether it has no default."""


class CheckedSignature(Protocol):
    """What a component accepts."""

    @property
    def parameters(self) -> Sequence[CheckedParameter]:
        """Those that a configuration may set, in order."""

    @property
    def takes_any(self) -> bool:
        """Whether it has ``**kwargs``."""

    def parameter(self, name: str) -> CheckedParameter | None:
        """Returns the parameter of that name, None when there is none."""


class CheckedComponent(Protocol):
    """The component whose arguments are checked."""

    @property
    def kind(self) -> str:
        """Plural name of its registry."""

    @property
    def name(self) -> str:
        """Its name within the pack."""

    @property
    def qualified(self) -> str:
        """``pack/name``."""

    @property
    def bound(self) -> Mapping[str, Any]:
        """Arguments that the registration fixes."""

    @property
    def retired(self) -> Mapping[str, Any]:
        """Arguments that configurations may state though they do nothing any more."""

    @property
    def target(self) -> str | Callable[..., Any]:
        """``"package.module:attribute"``, or the class or function itself."""


class Checker(Protocol):
    """Collects the mistakes of a configuration."""

    def mistake(self, path: Path, message: str, hint: str = "", key: bool = False) -> None:
        """Records a mistake.

        Args:
            path: where it is in the tree.
            message: what is wrong.
            hint: what to do.
            key: point at the key instead of its value.
        """

    def find(self, kind: str, name: str) -> CheckedComponent | None:
        """Returns the component of a kind that a name resolves to, None if there is none."""

    def signature(self, kind: str, value: Any) -> CheckedSignature | None:
        """Returns the signature of a component, given its name or configuration; None if there is none."""

"""A registry: the components of one kind, found by name and imported on first use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, overload

from essmc_core.errors import LookupFailure, UnknownComponent
from essmc_core.foundation.names import Patterns, did_you_mean
from essmc_core.registry.component import LOCAL, Component
from essmc_core.registry.nametable import NameTable, Pins, no_pins

if TYPE_CHECKING:
    from essmc_core.signatures.signature import Signature

Target = TypeVar("Target", bound=Callable[..., Any])


class Explain(Protocol):
    """Explains why a name is missing: raises if a broken pack would provide it, else returns a hint."""

    def __call__(self, kind: str, name: str) -> str:
        """Explains a failed look-up of ``name`` among the components of ``kind``."""
        ...


def explain_nothing(kind: str, name: str) -> str:
    """Returns no hint."""
    return ""


class Build(Protocol):
    """Builds a configured component and everything nested in it."""

    def __call__(self, registry: Registry, cfg: object, overrides: Mapping[str, Any]) -> Any:
        """Does what `Registry.build` describes."""
        ...


def build_nothing(registry: Registry, cfg: object, overrides: Mapping[str, Any]) -> Any:
    """Raises: these registries only resolve names."""
    raise TypeError(f"these {registry.kind} were made without a `build`, and can be looked up alone")


class Family(Protocol):
    """The registries of all kinds."""

    def __getitem__(self, kind: str) -> Registry:
        """Returns the registry of a kind."""

    def by_annotation(self, alias: str) -> Registry | None:
        """Returns the registry whose nested parameters carry an annotation."""

    @property
    def build(self) -> Build:
        """The function that builds components of all kinds."""

    def restorer(self) -> Callable[[str], Registry]:
        """Returns a function that returns the registry of a kind in another process."""


class Registry(Mapping[str, Callable[..., Any]]):
    """Components of one kind, as a mapping from visible name to class or function.

    Iterating and ``len`` load nothing; taking a value imports that component's module.

    Args:
        kind: plural lower-case name, e.g. ``backbones``.
        singular: e.g. ``backbone``; its CamelCase form is the annotation of nested parameters.
        family: the registries of all kinds, in which nested components are looked up.
        pins: returns the user's choice among packs that offer the same bare name.
        explain: returns the hint for a failed look-up.
    """

    def __init__(
        self,
        kind: str,
        singular: str,
        family: Family,
        pins: Pins = no_pins,
        explain: Explain = explain_nothing,
    ) -> None:
        self.kind = kind
        self.singular = singular
        self.family = family
        self.table: NameTable[Component] = NameTable(kind, pins)
        self._explain = explain

    @overload
    def register(self, name: Target) -> Target: ...
    @overload
    def register(
        self,
        name: str | None = None,
        *,
        summary: str = "",
        aliases: Sequence[str] = (),
        deprecated: Sequence[str] = (),
    ) -> Callable[[Target], Target]: ...
    def register(
        self,
        name: str | Target | None = None,
        *,
        summary: str = "",
        aliases: Sequence[str] = (),
        deprecated: Sequence[str] = (),
    ) -> Any:
        """Decorates a class or function of user code, with or without parentheses.

        Defining it again in the same module, as a notebook does, replaces it.

        Args:
            name: the name to register; the object's own name by default.
            summary: one line for listings; the docstring's first line by default.
            aliases: other names that work and are not listed.
            deprecated: old names that work and warn once.

        Raises:
            DuplicateComponent: user code of another module already has that name.
        """

        def decorate(target: Target) -> Target:
            own_name = name if isinstance(name, str) else str(getattr(target, "__name__", ""))
            if not own_name:
                raise TypeError(f"{target!r} has no __name__; register it as @{self.kind.upper()}.register('Name')")
            record = Component(
                kind=self.kind,
                name=own_name,
                pack=LOCAL,
                target=target,
                summary=summary or _first_line(target.__doc__),
                aliases=tuple(aliases),
                deprecated=tuple(deprecated),
            )
            self.table.add(record, replace=self._is_redefinition(record))
            return target

        if name is None or isinstance(name, str):
            return decorate
        return decorate(name)

    def _is_redefinition(self, record: Component) -> bool:
        previous = self.table.find(record.qualified)
        if previous is None:
            return False
        origins = {
            (getattr(target, "__module__", None), getattr(target, "__qualname__", None))
            for target in (previous.target, record.target)
        }
        return len(origins) == 1

    def component(self, name: str) -> Component:
        """Returns the record of a name without importing its code.

        Raises:
            UnknownComponent: nothing has this name; the message suggests names and packs.
            AmbiguousComponent: several packs offer it.
            BrokenPack: a quarantined pack would provide it.
        """
        record = self.find(name)
        if record is None:
            raise self._unknown(name)
        return record

    def find(self, name: str) -> Component | None:
        """Returns the record of a name, with the arguments that this name fixes; None if there is none.

        Raises:
            AmbiguousComponent: several packs offer it.
        """
        record = self.table.find(name)
        return None if record is None else record.called(name)

    def _unknown(self, name: str) -> LookupFailure:
        if any(mark in name for mark in (":", "\\")) or (name.count(".") and "/" not in name):
            hint = "configurations name registered components only, never import paths"
        else:
            hint = self._explain(self.kind, name)
        suggestion = did_you_mean(name, self.table.all_names())
        return UnknownComponent(
            f"no {self.singular} is called {name!r}" + (f"; {suggestion}" if suggestion else ""),
            hint=hint or f"`essmc list {self.kind}` shows what is there",
        )

    def __getitem__(self, name: str) -> Callable[..., Any]:
        return self.component(name).load()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.table.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<Registry {self.kind}: {len(self)} components>"

    # Every process rebuilds its registries from metadata; a pickled copy would diverge from it.
    def __reduce__(self) -> tuple[object, ...]:
        return (self.family.restorer(), (self.kind,))

    def __deepcopy__(self, memo: dict[int, Any]) -> Registry:
        return self

    def names(self, include: Patterns = "*", exclude: Patterns = ()) -> list[str]:
        """Returns visible names in natural order.

        Args:
            include: shell-style pattern or patterns; one without wildcards matches anywhere in the name.
            exclude: patterns to leave out.
        """
        return [self.table.display_name(record) for record in self.table.records(include, exclude)]

    def describe(self, name: str) -> Signature:
        """Returns signature, docs and source of a component, read from its source where possible."""
        from essmc_core.registry.reading import read_signature

        return read_signature(self.component(name))

    def stub(self, name: str) -> str:
        """Returns an editable YAML stub with every parameter, its default and its doc line."""
        from essmc_core.registry.reading import read_signature
        from essmc_core.signatures.stub import yaml_stub

        component = self.component(name)
        return yaml_stub(component.name if component.bare else component.qualified, read_signature(component))

    def build(self, cfg: object, **overrides: Any) -> Any:
        """Builds a component and everything nested in it.

        Args:
            cfg: a mapping with ``type``, a name, or an object that is already built, which is returned.
                Never changed.
            **overrides: arguments that replace those of ``cfg``; checked against the signature like them.

        Raises:
            SchemaError: the configuration does not fit the signatures; lists every mistake.
            LookupFailure: a name cannot be resolved.
            Exception: whatever a constructor raises, its type kept, with a note of where it happened.
        """
        return self.family.build(self, cfg, overrides)


def _first_line(doc: str | None) -> str:
    return (doc or "").strip().partition("\n")[0]

"""What one pack registered, as it is stored for later processes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

from essmc_core.discovery.distributions import Installed
from essmc_core.discovery.entry_points import EntryPoint
from essmc_core.foundation.file_state import State
from essmc_core.registry.component import NOTHING_BOUND, Component, Lifecycle

SourceFile: TypeAlias = "list[Any]"
"""A path and its state."""


_DEFAULTS: list[Any] = ["", [], [], True, {}, {}, {}, "", ""]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What one pack registered.

    Attributes:
        installed: its metadata, which has no problem and no remarks.
        metadata: states of the files of the metadata.
        sources: the files and folders that its modules come from, by module; those of packages are two.
        kinds: the kinds that it added, each with its singular.
        components: by kind, name and target of each component, and its other attributes up to the last that is not
            the default.
        folders: those of its zoo.
        templates: template, table and whether names are bare, of entries that are made of tables.
        commands: name, target and help of each.
        ms: milliseconds that its import took.
    """

    installed: Installed
    metadata: list[State]
    sources: dict[str, list[SourceFile]]
    kinds: dict[str, str]
    components: dict[str, list[list[Any]]]
    folders: list[str]
    templates: list[list[Any]]
    commands: list[list[str]]
    ms: float

    def as_json(self) -> list[Any]:
        """Returns plain data, from which `of_json` makes the same."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        found = self.installed
        points = [[point.name, point.value] for point in found.entry_points]
        return [
            [found.name, found.version, found.core_requirement, found.source, points, found.folder],
            *list(values.values())[1:],
        ]

    @classmethod
    def of_json(cls, row: list[Any]) -> Recorded:
        """Returns the record of what `as_json` returned."""
        name, version, requirement, source, points, folder = row[0]
        entry_points = tuple(EntryPoint(*point) for point in points)
        return cls(Installed(name, version, requirement, source, entry_points, folder), *row[1:])

    def restored_components(self, pack: str) -> dict[str, list[Component]]:
        """Returns the components by kind.

        Args:
            pack: short name of the pack.
        """
        distribution = self.installed.name
        return {
            kind: [_component(kind, pack, distribution, *row) for row in rows] for kind, rows in self.components.items()
        }


def is_plain(record: Recorded) -> bool:
    """Returns whether a record is the same after it was stored and read."""
    row = record.as_json()
    try:
        return bool(json.loads(json.dumps(row)) == row)
    except (TypeError, ValueError, RecursionError):
        return False


def row_of(component: Component) -> list[Any]:
    """Returns a component's attributes as `Recorded.components` has them."""
    retired = {name: list(pair) for name, pair in component.retired.items()}
    rest = [
        component.summary,
        list(component.aliases),
        list(component.deprecated),
        component.bare,
        dict(component.bound),
        {name: dict(arguments) for name, arguments in component.bound_by_alias.items()},
        retired,
        component.check,
        component.lifecycle,
    ]
    while rest and rest[-1] == _DEFAULTS[len(rest) - 1]:
        rest.pop()
    return [component.name, component.target, *rest]


def _component(
    kind: str,
    pack: str,
    distribution: str,
    name: str,
    target: str,
    summary: str = "",
    aliases: Sequence[str] = (),
    deprecated: Sequence[str] = (),
    bare: bool = True,
    bound: Mapping[str, Any] = NOTHING_BOUND,
    bound_by_alias: Mapping[str, Mapping[str, Any]] = NOTHING_BOUND,
    retired: Mapping[str, Sequence[Any]] = NOTHING_BOUND,
    check: str = "",
    lifecycle: Lifecycle = "",
) -> Component:
    pairs: Any = {key: tuple(pair) for key, pair in retired.items()} if retired else NOTHING_BOUND
    return Component(
        kind, name, pack, target, summary, tuple(aliases), tuple(deprecated), bare, bound, bound_by_alias, pairs, check,
        distribution, lifecycle,
    )  # fmt: skip

"""The entry points of one distribution, read from its ``entry_points.txt`` line by line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from essmc_core.errors import EssmcError
from essmc_core.location import Location

_FORM = "an entry point reads: name = package.module:attribute"


class MetadataError(EssmcError, ValueError):
    """The metadata of an installed distribution is invalid."""


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """One entry point of a pack.

    Attributes:
        name: its name in the distribution.
        value: ``package.module`` or ``package.module:attribute``.
    """

    name: str
    value: str

    def load(self) -> Any:
        """Imports the module and returns it, or the attribute of it that the value names."""
        import importlib

        module, _, attribute = self.value.partition(":")
        found: Any = importlib.import_module(module)
        for part in filter(None, attribute.split(".")):
            found = getattr(found, part)
        return found


def parse_entry_points(text: str, group: str, file: str) -> list[EntryPoint]:
    """Returns the entry points of a group in the order of their names; other groups are ignored.

    Args:
        text: of ``entry_points.txt``.
        group: the section to read.
        file: for messages.

    Raises:
        MetadataError: a heading is not closed, or a line of the group is not ``name = package.module:attribute``.
    """
    found: list[EntryPoint] = []
    inside = False
    for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if line[-1] != "]":
                raise MetadataError(f"the heading {line!r} is not closed", where=Location(file, number), hint=_FORM)
            inside = line[1:-1].strip() == group
        elif inside:
            name, equals, value = (part.strip() for part in line.partition("="))
            value = value.partition("[")[0].strip()
            if not (name and equals and _is_reference(value)):
                raise MetadataError(f"{line!r} is no entry point", where=Location(file, number), hint=_FORM)
            # Duplicates with the same value, as in merged sections, are one entry point.
            if all(point.value != value for point in found):
                found.append(EntryPoint(name, value))
    return sorted(found, key=lambda point: point.name)


def _is_reference(value: str) -> bool:
    module, colon, attribute = (part.strip() for part in value.partition(":"))
    names = [*module.split("."), *(attribute.split(".") if colon else ())]
    return all(name.isidentifier() for name in names)

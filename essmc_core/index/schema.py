"""The form of an index: packs with their components, zoo entries and commands, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from essmc_core.registry.component import Lifecycle

VERSION = 1
"""Version of the form; it is raised when an older essmc-core could misread a newer index."""


def _printable(text: str) -> str:
    """Returns a text without line breaks and control characters: an index may come from anywhere, and is printed."""
    return text if text.isprintable() else "".join(char if char.isprintable() else " " for char in text)


Line: TypeAlias = Annotated[str, AfterValidator(_printable)]
# What pip is given must be a name, and no option of pip.
DistributionName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=200)]


class _Facts(BaseModel):
    # Later versions of the core may add facts, which an older one leaves out.
    model_config = ConfigDict(frozen=True, extra="ignore")


class ComponentFacts(_Facts):
    """One component.

    Attributes:
        name: visible name, e.g. ``ResNet3D``, or ``pack/Name`` where the bare name does not resolve.
        summary: one line.
        signature: its parameters, required ones by name alone, the others with their default.
        aliases: other names that work, old ones included.
        lifecycle: empty if it is that of the pack.
    """

    name: Line
    summary: Line = ""
    signature: Line = ""
    aliases: tuple[Line, ...] = ()
    lifecycle: Lifecycle = ""


class FamilyFacts(_Facts):
    """Many names that one component or template serves, e.g. ``timm/*``.

    Attributes:
        pattern: what all names match.
        count: how many there are.
        names: the names without what is common to all of them, the part of the pattern before ``*``.
        summary: one line.
        signature: as of `ComponentFacts`.
        modality: of zoo entries, empty if they have several.
        licences: how many zoo entries have weights under each licence.
    """

    pattern: Line
    count: int
    names: tuple[Line, ...] = ()
    summary: Line = ""
    signature: Line = ""
    modality: Line = ""
    licences: dict[Line, int] = Field(default_factory=dict)

    @property
    def full_names(self) -> Iterator[str]:
        """The names as users write them."""
        start = self.pattern.partition("*")[0]
        return (f"{start}{name}" for name in self.names)


class ResultFacts(_Facts):
    """One result of a zoo entry."""

    dataset: Line = ""
    metric: Line = ""
    value: float | None = None


class LicenceFacts(_Facts):
    """Licences of an entry, each an SPDX expression or ``unknown``; empty: not stated."""

    code: Line = ""
    weights: Line = ""


class EntryFacts(_Facts):
    """One zoo entry.

    Attributes:
        name: e.g. ``tada2d_r50_k400``.
        summary: one line.
        modality: ``image`` or ``video``.
        params: number of parameters.
        macs: multiply-accumulates of one view.
        weights: whether it has weights.
        results: published or measured results.
        licence: of code and weights.
        aliases: other names.
    """

    name: Line
    summary: Line = ""
    modality: Line = ""
    params: int | None = None
    macs: float | None = None
    weights: bool = False
    results: tuple[ResultFacts, ...] = ()
    licence: LicenceFacts = LicenceFacts()
    aliases: tuple[Line, ...] = ()


class CommandFacts(_Facts):
    """One command, e.g. ``train``, and its line of help."""

    name: Line
    help: Line = ""


class PackFacts(_Facts):
    """One pack.

    Attributes:
        distribution: what pip installs, e.g. ``essmc-video``.
        name: short name, e.g. ``video``.
        version: the version that is described.
        summary: one line.
        core: versions of essmc-core that it admits, e.g. ``>=0.1,<1``.
        python: versions of Python that it admits.
        licence: SPDX expression, ``unknown`` if it states none.
        lifecycle: of the whole pack.
        requires: its requirements besides essmc-core.
        described_with: versions of libraries that its names depend on, as installed when it was described.
        components: by kind.
        families: by kind.
        zoo: entries.
        zoo_families: entries that templates make.
        commands: commands.
    """

    distribution: DistributionName
    name: DistributionName
    version: Line = ""
    summary: Line = ""
    core: Line = ""
    python: Line = ""
    licence: Line = ""
    lifecycle: Lifecycle = ""
    requires: tuple[Line, ...] = ()
    described_with: dict[Line, Line] = Field(default_factory=dict)
    components: dict[str, tuple[ComponentFacts, ...]] = Field(default_factory=dict)
    families: dict[str, tuple[FamilyFacts, ...]] = Field(default_factory=dict)
    zoo: tuple[EntryFacts, ...] = ()
    zoo_families: tuple[FamilyFacts, ...] = ()
    commands: tuple[CommandFacts, ...] = ()

    def families_of(self, kind: str) -> tuple[FamilyFacts, ...]:
        """Returns the families of a kind of component, or of ``zoo``."""
        return self.zoo_families if kind == "zoo" else self.families.get(kind, ())

    def names_of(self, kind: str) -> Iterator[str]:
        """Yields every name of a kind of component, of ``zoo`` or of ``commands``, other names included."""
        if kind == "commands":
            yield from (command.name for command in self.commands)
            return
        for record in self.zoo if kind == "zoo" else self.components.get(kind, ()):
            yield record.name
            yield from record.aliases

    def brings(self, kind: str, name: str) -> bool:
        """Returns whether the pack has a name: bare, qualified, another name, or one of a family's pattern."""
        bare = name.removeprefix(f"{self.name}/")
        if any(own in (name, bare) for own in self.names_of(kind)):
            return True
        return any(fnmatchcase(name, family.pattern) for family in self.families_of(kind))


class Index(_Facts):
    """An index.

    Attributes:
        version: of the form, see `VERSION`.
        packs: in the order of their distributions.
    """

    version: int
    packs: tuple[PackFacts, ...] = ()

    def to_text(self) -> str:
        """Returns the index as JSON: the same bytes for the same packs, and nothing that is empty."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        packs = sorted(plain.get("packs", ()), key=lambda pack: str(pack["distribution"]))
        return json.dumps({**plain, "packs": packs}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

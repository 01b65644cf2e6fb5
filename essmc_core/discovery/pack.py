"""The record of one installed pack, whether it works or not."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from essmc_core.discovery.remarks import nearest_hook
from essmc_core.errors import BrokenPack, EssmcError
from essmc_core.foundation.error_text import brief
from essmc_core.registry.missing_modules import remedy_of_missing

if TYPE_CHECKING:
    from essmc_core.zoo.templates import Template

Status: TypeAlias = Literal["ok", "quarantined", "blocked", "skipped"]


@dataclass(slots=True)
class Pack:
    """One installed distribution that has entry points in group ``essmc``.

    Attributes:
        name: short name, used in qualified names.
        distribution: normalised distribution name.
        version: installed version.
        source: ``wheel``, ``editable``, ``vcs`` or ``local`` (a folder or archive), from the metadata.
        status: whether its components are in use; ``skipped`` is a distribution whose metadata cannot be read, so that
            it may not be a pack.
        entry_points: values of its entry points, e.g. ``essmc_video.plugin``.
        components: how many components of each kind it registered.
        zoo_files: how many files of zoo entries it added.
        zoo_tables: the tables of zoo entries it added.
        commands: names of the commands it added.
        remarks: notes for its author or user although it works.
        changed: global state that it changed while it was discovered, by name; it was put back.
        ms: milliseconds its import and hooks took.
        heavy: large libraries it imported during discovery, which slow down every start.
        error: what broke it, with its traceback.
    """

    name: str
    distribution: str
    version: str
    source: str = "wheel"
    status: Status = "ok"
    entry_points: tuple[str, ...] = ()
    components: dict[str, int] = field(default_factory=dict)
    zoo_files: int = 0
    zoo_tables: tuple[Template, ...] = ()
    commands: tuple[str, ...] = ()
    remarks: list[str] = field(default_factory=list)
    changed: tuple[str, ...] = ()
    ms: float = 0.0
    heavy: tuple[str, ...] = ()
    error: BaseException | None = None

    @property
    def zoo(self) -> int:
        """How many zoo entries it added; reads its tables, and a table that cannot be read has none."""
        return self.zoo_files + sum(_entries_of(table) for table in self.zoo_tables)

    @property
    def reason(self) -> str:
        """Why the pack is not in use, one line; empty when it is."""
        if self.status == "blocked":
            return "left out by ESSMC_PACKS or ESSMC_BLOCK"
        return "" if self.error is None else brief(self.error)

    @property
    def remedy(self) -> str:
        """What to do about a pack that is not in use, one line."""
        if self.status == "blocked":
            return "change these variables to use it"
        if isinstance(self.error, ModuleNotFoundError) and self.error.name:
            remedy = remedy_of_missing(self.error.name, self.distribution)
            return f"{remedy}, or ESSMC_BLOCK={self.name}"
        hint = getattr(self.error, "hint", "") or nearest_hook(self.reason)
        return hint or f"mend it, pip install -U {self.distribution}, or leave it out with ESSMC_BLOCK={self.name}"

    @property
    def traceback(self) -> str:
        """The full traceback of what broke the pack; empty when nothing did."""
        return "" if self.error is None else "".join(traceback.format_exception(self.error)).rstrip()


def _entries_of(table: Template) -> int:
    try:
        return len(table.rows)
    except EssmcError:
        return 0


def broken_pack(pack: Pack) -> BrokenPack:
    """Returns the error for a quarantined pack, chained to what broke it."""
    error = BrokenPack(
        f"the pack {pack.distribution} {pack.version} is quarantined: {pack.reason}",
        hint=f"`essmc packs --traceback` shows where; {pack.remedy}",
    )
    error.__cause__ = pack.error
    return error

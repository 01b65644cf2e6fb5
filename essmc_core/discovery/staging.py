"""Staging of what one pack registers until its import and hooks succeed: a pack registers all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.errors import DuplicateComponent
from essmc_core.registry.component import NOTHING_BOUND, Component, Lifecycle
from essmc_core.registry.declared import (
    check_arguments,
    check_lifecycle,
    check_line,
    check_name,
    check_names,
    check_retired,
    check_target,
)
from essmc_core.registry.kinds import Registries
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import Zoo, ZooEntry

if TYPE_CHECKING:
    from essmc_core.zoo.templates import Template


class StagedRegistry:
    """One kind, as a pack sees it while registering."""

    def __init__(self, kind: str, pack: str, staged: dict[tuple[str, str], Component], distribution: str = "") -> None:
        self.kind = kind
        self._pack = pack
        self._distribution = distribution
        self._staged = staged

    def register(
        self,
        name: str,
        target: str,
        *,
        summary: str = "",
        aliases: Sequence[str] | Mapping[str, Mapping[str, Any]] = (),
        deprecated: Sequence[str] | Mapping[str, Mapping[str, Any]] = (),
        bare: bool = True,
        bound: Mapping[str, Any] | None = None,
        retired: Mapping[str, tuple[Any, str]] | None = None,
        check: str = "",
        lifecycle: Lifecycle = "",
    ) -> None:
        """Registers a component without importing it.

        Args:
            name: what users write in configurations.
            target: ``"package.module:attribute"`` of a class or function.
            summary: one line for listings.
            aliases: other names that work and are not listed; a mapping gives the keyword arguments each of them fixes
                beyond ``bound``.
            deprecated: old names that work and warn once, likewise.
            bare: whether the bare name resolves; ``pack/name`` always does.
            bound: keyword arguments fixed by this registration, for many names served by one target.
            retired: arguments that the target no longer takes, each with the value that configurations may still state
                and with what to do instead of any other value.
            check: ``"package.module:function"``, which the check of configurations calls as ``function(checker, path,
                arguments, component)``; arguments that do not fit their annotations are replaced by placeholder
                objects. It calls ``checker.mistake((*path, name), message, hint)`` for each mistake, and imports
                nothing heavy, since `essmc validate` runs it.
            lifecycle: ``experimental``, ``stable`` or ``deprecated``, if it is not that of the whole pack; listings,
                indexes and `essmc show` tell it.

        Raises:
            DeclarationError: a name, a text, an argument or the target is invalid.
            DuplicateComponent: the pack registered the name already.
        """
        check_name(name, "the name of a component")
        check_target(target, repr(name))
        check_line(summary, "the summary of a component")
        if aliases != ():
            check_names(aliases, f"aliases of {name!r}")
        if deprecated != ():
            check_names(deprecated, f"deprecated of {name!r}")
        if bound:
            check_arguments(bound, f"bound of {name!r}")
        if retired:
            check_retired(retired, f"retired of {name!r}")
        if lifecycle:
            check_lifecycle(lifecycle, f"lifecycle of {name!r}")
        if (self.kind, name) in self._staged:
            raise DuplicateComponent(f"{self._pack}/{name} is registered twice under {self.kind}")
        self._staged[self.kind, name] = Component(
            self.kind,
            name,
            self._pack,
            target,
            summary,
            tuple(aliases),
            tuple(deprecated),
            bare,
            NOTHING_BOUND if bound is None else bound,
            NOTHING_BOUND if aliases == () == deprecated else {**_by_name(aliases), **_by_name(deprecated)},
            NOTHING_BOUND if retired is None else retired,
            check,
            self._distribution,
            lifecycle,
        )


def _by_name(names: Sequence[str] | Mapping[str, Mapping[str, Any]]) -> Mapping[str, Mapping[str, Any]]:
    return names if isinstance(names, Mapping) else {}


class StagedRegistries:
    """All kinds, as a pack sees them: ``registries.backbones.register(...)``.

    Args:
        registries: where :meth:`commit` puts what was staged.
        pack: short name of the pack.
        distribution: what pip calls it.
    """

    def __init__(self, registries: Registries, pack: str, distribution: str = "") -> None:
        self._registries = registries
        self._pack = pack
        self._distribution = distribution
        self._staged: dict[tuple[str, str], Component] = {}
        self._kinds: dict[str, str] = {}
        self._views: dict[str, StagedRegistry] = {}

    def add_kind(self, kind: str, singular: str) -> StagedRegistry:
        """Adds a kind of component, e.g. ``add_kind("detectors", "detector")``."""
        self._registries.check_kind(kind, singular)
        if self._kinds.setdefault(kind, singular) != singular:
            raise DuplicateComponent(f"the kind {kind!r} exists with singular {self._kinds[kind]!r}")
        return self._view(kind)

    def __getitem__(self, kind: str) -> StagedRegistry:
        return self._view(kind if kind in self._kinds else self._registries[kind].kind)

    def __getattr__(self, kind: str) -> StagedRegistry:
        if kind in self._views:
            return self._views[kind]
        if kind.startswith("_"):
            raise AttributeError(kind)
        return self[kind] if kind in self._kinds else self._view(getattr(self._registries, kind).kind)

    def _view(self, kind: str) -> StagedRegistry:
        if kind not in self._views:
            self._views[kind] = StagedRegistry(kind, self._pack, self._staged, self._distribution)
        return self._views[kind]

    @property
    def kinds(self) -> dict[str, str]:
        """The kinds that were added, each with its singular."""
        return dict(self._kinds)

    def components(self) -> dict[str, list[Component]]:
        """Returns what was registered, by kind, once the kinds it needs exist."""
        for kind, singular in self._kinds.items():
            self._registries.add_kind(kind, singular)
        found: dict[str, list[Component]] = {}
        for (kind, _), component in self._staged.items():
            found.setdefault(kind, []).append(component)
        return found

    def commit(self) -> dict[str, int]:
        """Adds everything to the registries and returns how many of each kind."""
        found = self.components()
        for kind, components in found.items():
            for component in components:
                self._registries[kind].table.add(component)
        return {kind: len(components) for kind, components in found.items()}


class StagedZoo:
    """The zoo, as a pack sees it while registering.

    Args:
        zoo: where :meth:`commit` puts what was staged.
        pack: short name of the pack.
    """

    def __init__(self, zoo: Zoo, pack: str) -> None:
        self._zoo = zoo
        self._pack = pack
        self._staged: dict[str, Path] = {}
        self.folders: list[Path] = []
        self.templates: list[Template] = []

    def add_directory(self, directory: str | Path) -> None:
        """Adds every ``*.yaml`` below a folder; names and folders that start with ``_`` are left out.

        Raises:
            FileNotFoundError: there is no such folder.
            DuplicateComponent: two files have the same stem.
        """
        directory = Path(directory)
        if not directory.is_dir():
            raise FileNotFoundError(
                f"zoo directory {directory} does not exist; where the pack was installed from a wheel, "
                "its *.yaml files were not put into it"
            )
        self.folders.append(directory)
        for path in sorted(directory.rglob("*.yaml")):
            if any(part.startswith("_") for part in path.relative_to(directory).parts):
                continue
            check_name(path.stem, f"the name of the zoo entry {path}")
            if path.stem in self._staged:
                raise DuplicateComponent(f"two zoo entries are called {path.stem!r}: {self._staged[path.stem]}, {path}")
            self._staged[path.stem] = path

    def add_template(self, template: str | Path, *, table: str | Path, bare: bool = True) -> None:
        """Adds an entry for every row of a table, made of a template when it is asked for.

        Neither is read or imported before the zoo is asked for names. Of a row and a YAML file that have the same name,
        the file counts.

        Args:
            template: a YAML file in which ``${column}`` stands for a value of the row, or
                ``"package.module:function"``, which is called with the row's values, a mapping by column, and returns
                the mapping of the entry. A section that takes long, such as thousands of labels, may be a function
                of no arguments, which is called when the whole entry is asked for.
            table: a ``.csv`` or ``.jsonl`` file with a column ``name``, or ``"package.module:function"``, which returns
                its rows: mappings with ``name``, or `essmc_core.zoo.tables.Row` objects, which know their place.
            bare: whether the names resolve without the pack's prefix; ``pack/name`` always does.

        Raises:
            FileNotFoundError: there is no such file.
            DeclarationError: a function is not written ``"package.module:function"``.
        """
        from essmc_core.registry.targets import is_target
        from essmc_core.zoo.templates import Template

        for source, what in ((template, "template"), (table, "table")):
            if not is_target(source) and isinstance(source, str) and not Path(source).suffix:
                check_target(source, f"the {what} of zoo entries")
            if not is_target(source) and not Path(source).is_file():
                raise FileNotFoundError(
                    f"the {what} {source} does not exist; where the pack was installed from a wheel, it was not put in"
                )
        self.templates.append(Template(self._pack, template, table, bare, self._staged))

    def entries(self) -> list[ZooEntry]:
        """Returns the entries that have a file."""
        return [ZooEntry(name, self._pack, EntryFile(path)) for name, path in self._staged.items()]

    def commit(self) -> int:
        """Adds everything to the zoo and returns how many entries have a file."""
        for entry in self.entries():
            self._zoo.add(entry)
        for template in self.templates:
            self._zoo.add_template(template)
        return len(self._staged)

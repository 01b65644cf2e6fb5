"""The pack that is checked: where its files are, and what its metadata says."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email import message_from_string
from email.message import Message
from functools import cached_property
from importlib.machinery import PathFinder
from importlib.metadata import PathDistribution
from pathlib import Path, PurePosixPath

from essmc_core.discovery.entry_points import EntryPoint, MetadataError, parse_entry_points
from essmc_core.discovery.hooks import GROUP
from essmc_core.foundation.names import normalise_distribution, pack_name


@dataclass(frozen=True)
class PackUnderTest:
    """An installed distribution.

    Attributes:
        info: its ``.dist-info``.
        sites: folders to put in front of the path of child processes, so that they find this distribution.
        path: folders that its packages are looked for in.
        source: the folder that it was built from, if it was built for this check.
    """

    info: Path
    sites: tuple[Path, ...] = ()
    path: tuple[str, ...] = ()
    source: Path | None = None

    @cached_property
    def metadata(self) -> PathDistribution:
        """The standard library's view of it."""
        return PathDistribution(self.info)

    @cached_property
    def fields(self) -> Message:
        """The headers of its METADATA, and the description as the payload."""
        return message_from_string(self.metadata.read_text("METADATA") or "")

    @cached_property
    def name(self) -> str:
        """Normalised distribution name; the folder's if the metadata has none."""
        return normalise_distribution(str(self.fields.get("Name") or self.info.name.partition("-")[0]))

    @property
    def pack(self) -> str:
        """The short name that is used in qualified names."""
        return pack_name(self.name)

    @cached_property
    def version(self) -> str:
        """The version that it states, empty if none."""
        return str(self.fields.get("Version") or "")

    @cached_property
    def entry_points(self) -> Sequence[EntryPoint]:
        """Its entry points in the group of packs; none if they cannot be read."""
        try:
            return parse_entry_points(self.metadata.read_text("entry_points.txt") or "", GROUP, "entry_points.txt")
        except MetadataError:
            return ()

    @cached_property
    def recorded(self) -> Sequence[PurePosixPath]:
        """The files that its RECORD lists, relative to the folder that its ``.dist-info`` is in."""
        lines = (self.metadata.read_text("RECORD") or "").splitlines()
        return [PurePosixPath(line.rsplit(",", 2)[0].strip('"')) for line in lines if line.count(",") >= 2]

    @property
    def is_editable(self) -> bool:
        """Whether its code is elsewhere than its metadata."""
        return '"editable": true' in (self.metadata.read_text("direct_url.json") or "")

    @cached_property
    def packages(self) -> Sequence[Path]:
        """Folders of its packages, and files of its single modules."""
        tops = {path.parts[0] for path in self.recorded if path.suffix == ".py" and ".." not in path.parts}
        tops |= {point.value.partition(":")[0].partition(".")[0] for point in self.entry_points}
        found = filter(None, (self._place(top.removesuffix(".py")) for top in sorted(tops)))
        return list(dict.fromkeys(found))

    def _place(self, name: str) -> Path | None:
        spec = PathFinder.find_spec(name, list(self.path))
        if spec is None:
            return None
        if spec.submodule_search_locations:
            return Path(next(iter(spec.submodule_search_locations)))
        return Path(spec.origin) if spec.origin else None

    def modules(self) -> Iterator[tuple[str, Path]]:
        """Yields name and file of each of its modules."""
        for package in self.packages:
            if package.is_file():
                yield package.stem, package
                continue
            for file in sorted(package.rglob("*.py")):
                parts = file.relative_to(package.parent).with_suffix("").parts
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file

    def shown(self, file: Path) -> str:
        """Returns how messages write a file of it: from its package on."""
        for package in self.packages:
            if file.is_relative_to(package):
                return str(file.relative_to(package.parent))
        return os.fspath(file)

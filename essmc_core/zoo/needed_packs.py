"""The packs that a stored model was built by, compared with the installed ones."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from essmc_core.errors import MissingDependency
from essmc_core.foundation.version import __version__

CORE = "essmc-core"


class OlderPack(UserWarning):
    """A model was stored by a newer version of a pack than the installed one, and may give other numbers here."""


@dataclass(frozen=True, slots=True)
class NeededPacks:
    """What a stored model needs.

    Attributes:
        versions: the distributions that provide its components, and the core, as they were when it was stored.
        missing: those that are not installed.
        older: those that are installed in an older version: that version.
        local: components that no pack provides, ``heads/MyHead``: the module and file that registered them.
    """

    versions: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    older: Mapping[str, str] = field(default_factory=dict)
    local: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, versions: Mapping[str, str], local: Mapping[str, str], installed: Mapping[str, str]) -> NeededPacks:
        """Compares what was stored with what is installed, both distributions with their versions."""
        there = {CORE: __version__, **installed}
        missing = tuple(name for name in versions if name not in there)
        older = {name: there[name] for name, stored in versions.items()
                 if name in there and _is_older(there[name], stored)}  # fmt: skip
        return cls(dict(versions), missing, older, dict(local))

    def require(self, path: Path) -> None:
        """Raises unless all packs are there; warns if one is older than that which stored the model.

        Args:
            path: where it is stored, for messages.

        Raises:
            MissingDependency: some are not installed; the message names them.
        """
        if self.missing:
            wanted = " and ".join(f"{name} {self.versions[name]}" for name in self.missing)
            verb = "is" if len(self.missing) == 1 else "are"
            raise MissingDependency(f"{path} was made with {wanted}, which {verb} not installed", hint=self.pip_line)
        if self.older:
            warnings.warn(f"{path} was made with {self.difference}: {self.pip_line}", OlderPack, stacklevel=4)

    @property
    def difference(self) -> str:
        """Which packs are older than those that stored the model."""
        return " and ".join(f"{name} {self.versions[name]} (here is {here})" for name, here in self.older.items())

    @property
    def pip_line(self) -> str:
        """What brings the packs, empty if all are there and new enough."""
        newer = [f"'{name}>={self.versions[name]}'" for name in self.older]
        names = [*self.missing, *newer]
        return f"pip install {' '.join(names)}" if names else ""


def needed_packs(section: Any, local: Any, installed: Mapping[str, str]) -> NeededPacks:
    """Returns what a file states, whatever it holds under the names of its packs and of its own components."""
    versions, components = ({str(key): str(value) for key, value in stated.items()} if isinstance(stated, Mapping)
                            else {} for stated in (section, local))  # fmt: skip
    return NeededPacks.of(versions, components, installed)


def _is_older(version: str, stored: str) -> bool:
    # Listing zoo models must not take the time that importing it does.
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) < Version(stored)
    except InvalidVersion:
        return False

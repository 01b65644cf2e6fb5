"""What `essmc check` checks of a pack, and how much that may take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from essmc_core.foundation.names import matches
from essmc_devkit.children.limits import Limits


@dataclass(frozen=True)
class Options:
    """What is checked.

    Attributes:
        limits: of the discovery, and of each component and entry.
        only: patterns of checks' names; all if there is none.
        leave_out: patterns of checks that are not made.
        components: patterns of the names of components, entries and commands; all if there is none.
        fast: leaves out components, entries and commands.
        whole: checks every member of large families.
    """

    limits: Limits = field(default_factory=Limits)
    only: Sequence[str] = ()
    leave_out: Sequence[str] = ()
    components: Sequence[str] = ()
    fast: bool = False
    whole: bool = False

    def wants(self, check: str) -> bool:
        """Returns whether a check is made."""
        return (not self.only or matches(check, self.only)) and not matches(check, self.leave_out)

    def wants_component(self, name: str) -> bool:
        """Returns whether a component, written ``kind/name``, is checked."""
        return not self.components or matches(name, self.components)

    @property
    def wants_what_is_brought(self) -> bool:
        """Whether any check of components, entries or commands may be made."""
        return not self.fast and not (self.only and all(one.startswith("installation.") for one in self.only))

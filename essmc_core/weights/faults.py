"""What keeps weights from being loaded: kinds of faults, the tensors concerned, and what would allow them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from essmc_core.weights.key_groups import KeyGroup, shown

FaultKind = Literal["missing", "unused", "misfit", "nonfinite"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Tensors that have one thing wrong with them.

    Attributes:
        kind: ``missing``: the module's that the weights lack; ``unused``: the weights' that have no place in the
            module; ``misfit``: of another shape or type; ``nonfinite``: with NaN or infinity.
        groups: their keys, in groups: the module's, or the weights' if they are unused.
        words: the fault in words.
        option: the option that allows it; empty if none does.
    """

    kind: FaultKind
    groups: tuple[KeyGroup, ...]
    words: str
    option: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of all groups."""
        return tuple(key for group in self.groups for key in group.keys)

    @property
    def patterns(self) -> tuple[str, ...]:
        """Patterns for ``option`` that match the keys."""
        return tuple(group.pattern for group in self.groups)

    def __str__(self) -> str:
        return f"{self.words}: {shown(self.groups)}"

    def to_dict(self) -> dict[str, object]:
        """Returns the fault as plain values for JSON."""
        return {
            "kind": self.kind,
            "keys": list(self.keys),
            "groups": [group.label for group in self.groups],
            "option": self.option,
            "patterns": list(self.patterns) if self.option else [],
        }

"""The report of a load: which tensors were loaded, adapted, skipped, missing or left over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from essmc_core.weights.faults import Fault
from essmc_core.weights.key_groups import grouped

_LISTED = 8


@dataclass(frozen=True, slots=True)
class LoadReport:
    """The outcome of one load, or of one that was refused.

    Keys are those of the module, except in ``unexpected``, where they are the weights' (after the key map).

    Attributes:
        source: where the weights came from (URI or path).
        loaded: keys that received a tensor, adapted ones included.
        adapted: key -> how the tensor was adapted.
        skipped: key -> why a tensor of that name was not used.
        missing: keys for which the weights have no tensor.
        new: keys of layers that lift an image network to video, which its weights do not have.
        unexpected: keys of the weights that the module does not have.
        lacking: those of ``missing`` that are required: parameters and statistics. Counters of batches and tables of
            integers computed at construction are not included.
        unused: those of ``unexpected`` that may hold something learned. Counters, tables that other versions of a
            network saved, second names of tensors that are used, and the head in whose place is another are not
            included.
        random: required keys that keep the values of construction, most of them random: those of a head for other
            classes, and what was allowed to be missing.
        coverage: share of the module that was loaded, in [0, 1]: the smaller of the share of its tensors and the
            share of their elements. A dropped head, new layers and counters of batches are not counted.
        usage: share of the weights that was used, in [0, 1], by elements; of those left over, only ``unused`` ones are
            counted.
        key_map: how the keys were mapped, if they were: the name of a key map, or the entry's.
        part: the keys in the file that lead to its state dict, with dots; empty if that is the file itself.
        faults: why the load was refused; empty if it was not.
        sha256: digest that the weights were verified against, or its stated first digits, if any.
    """

    source: str = ""
    loaded: tuple[str, ...] = ()
    adapted: Mapping[str, str] = field(default_factory=dict)
    skipped: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    coverage: float = 0.0
    usage: float = 1.0
    sha256: str | None = None
    key_map: str = ""
    part: str = ""
    faults: tuple[Fault, ...] = ()

    def random_parts(self) -> str:
        """Returns ``random`` in groups, as one line; empty if there are none."""
        return grouped(self.random, (*self.loaded, *self.new))

    @property
    def complete(self) -> bool:
        """Whether every tensor of the module was loaded (left-over weights do not matter)."""
        return not self.missing and not self.skipped and not self.new

    @property
    def fits_whole(self) -> bool:
        """Whether no required tensor is missing and nothing learned is left over."""
        return not self.lacking and not self.unused and not self.skipped

    def summary(self) -> str:
        """Returns one line for a log."""
        counts = [f"{len(self.loaded)} tensors loaded ({self.coverage:.1%} of the module)"]
        for name in ("adapted", "skipped", "missing", "new", "unexpected"):
            if count := len(getattr(self, name)):
                counts.append(f"{count} {name}")
        if self.random and not self.faults:
            counts.append(f"random: {self.random_parts()}")
        origin = f" from {self.source}" if self.source else ""
        if self.part:
            counts.append(f"read from {self.part!r}")
        if self.key_map:
            counts.append(f"names by {self.key_map}")
        return ", ".join(counts) + origin

    def __str__(self) -> str:
        lines = [self.summary()]
        lines += _section("adapted", (f"{key}: {how}" for key, how in self.adapted.items()))
        lines += _section("skipped", (f"{key}: {why}" for key, why in self.skipped.items()))
        lines += _section("missing", self.missing)
        lines += _section("new", self.new)
        lines += _section("unexpected", self.unexpected)
        lines += _section("refused", map(str, self.faults))
        return "\n".join(lines)

    def to_dict(self) -> dict[str, object]:
        """Returns the report as plain values for JSON."""
        return {
            "source": self.source,
            "sha256": self.sha256,
            "coverage": self.coverage,
            "usage": self.usage,
            "loaded": list(self.loaded),
            "adapted": dict(self.adapted),
            "skipped": dict(self.skipped),
            "missing": list(self.missing),
            "new": list(self.new),
            "unexpected": list(self.unexpected),
            "lacking": list(self.lacking),
            "unused": list(self.unused),
            "random": list(self.random),
            "faults": [fault.to_dict() for fault in self.faults],
            "key_map": self.key_map,
            "part": self.part,
        }


def _section(title: str, rows: Iterable[str]) -> list[str]:
    listed = list(rows)
    if not listed:
        return []
    lines = [f"  {title}:", *(f"    {row}" for row in listed[:_LISTED])]
    if len(listed) > _LISTED:
        lines.append(f"    ... and {len(listed) - _LISTED} more")
    return lines

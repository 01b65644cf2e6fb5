"""What listings show of a zoo entry, read from its checked mapping and small enough to be kept in a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean
from essmc_core.foundation.plain_data import plain_data
from essmc_core.zoo.entry_sections import check_sections
from essmc_core.zoo.licence import Licence, check_licence, read_licence
from essmc_core.zoo.placed import PlacedMapping

SECTIONS = (
    "summary", "model", "input", "knobs", "weights", "weights_note", "results", "cost", "labels", "paper", "aliases",
    "notes", "data", "solver", "pretrained", "licence", "check", "command",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of an entry; those it does not state are empty or None.

    Attributes:
        summary: one line.
        modality: ``image`` or ``video``.
        results: each with dataset, metric, value, protocol and source.
        uri: where the weights are.
        sha256: digest of the weights, or its first digits, as far as stated.
        params: number of parameters.
        macs: multiply-accumulates of one view.
        aliases: other names.
        licence: of code and weights.
        has_check: whether a fingerprint is stated.
    """

    summary: str = ""
    modality: str = ""
    results: Sequence[Mapping[str, Any]] = ()
    uri: str = ""
    sha256: str = ""
    params: int | None = None
    macs: float | None = None
    aliases: tuple[str, ...] = ()
    licence: Licence = field(default_factory=Licence)
    has_check: bool = False

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Facts:
        """Returns the facts that `to_plain` made plain.

        Raises:
            TypeError: the mapping holds something else.
        """
        given = {**values, "results": tuple(values["results"]), "aliases": tuple(values["aliases"])}
        return cls(**{**given, "licence": Licence(**values["licence"])})

    def to_plain(self) -> dict[str, Any]:
        """Returns plain data for JSON."""
        return asdict(self)


def check_entry(config: PlacedMapping) -> None:
    """Checks the sections of an entry that are needed to list and build it.

    Raises:
        ConfigError: it has a section that entries do not have, lacks `model`, or a section has another form.
    """
    for key in config:
        if key not in SECTIONS and not key.startswith("x-"):
            suggestion = did_you_mean(key, SECTIONS)
            raise ConfigError(f"a zoo entry has no section {key!r}", where=config.where_key(key), hint=suggestion)
    if not isinstance(config.get("model"), Mapping):
        raise ConfigError("a zoo entry needs a section `model` with the `type` to build", where=config.where())
    check_sections(config)
    check_licence(config)


def facts_of(config: Mapping[str, Any]) -> Facts:
    """Returns the facts of a checked mapping."""
    cost = config.get("cost") or {}
    weights = config.get("weights") or {}
    params, gmacs = cost.get("params"), cost.get("gmacs")
    return Facts(
        str(config.get("summary", "")),
        str((config.get("input") or {}).get("modality", "")),
        tuple(plain_data(result) for result in config.get("results") or ()),
        str(weights.get("uri") or ""),
        str(weights.get("sha256") or weights.get("sha256_prefix") or "").lower(),
        None if params is None else int(params),
        None if gmacs is None else float(gmacs) * 1e9,
        tuple(config.get("aliases") or ()),
        read_licence(config),
        bool(config.get("check")),
    )

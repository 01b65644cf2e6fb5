"""The section ``check`` of a zoo entry: what its network computes with its weights, as a few numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from essmc_core.errors import ConfigError
from essmc_core.foundation.names import did_you_mean
from essmc_core.zoo.placed import PlacedMapping

Precision: TypeAlias = Literal["double", "single"]
Numbers: TypeAlias = tuple[float, ...]

RULES = ("waves",)
"""Rules by which inputs are made; `essmc_core.models.fingerprint` makes them."""
TOLERANCE: Mapping[Precision, float] = {"double": 1e-7, "single": 1e-3}
"""Of each number, and of 1 where it is smaller. In double precision, processors and numbers of threads agree to the
last digit that is written; another epsilon of one layer changes numbers by some 1e-6."""
_KEYS = ("input", "at", "precision", "weights", "outputs")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a network computes with its weights.

    Attributes:
        input: rule that the input was made by.
        at: shape of the input without the batch.
        weights: numbers that depend on every tensor and on the name it has.
        outputs: numbers that depend on all outputs, by key; a single tensor has the key ``""``.
        precision: ``double``, or ``single`` for a network that computes in nothing else.
    """

    input: str
    at: tuple[int, ...]
    weights: Numbers
    outputs: Mapping[str, Numbers]
    precision: Precision = "double"

    @classmethod
    def from_mapping(cls, section: Mapping[str, Any]) -> Fingerprint:
        """Reads the section.

        Raises:
            ConfigError: a key is missing or unknown, or a value has another form.
        """
        for key in section:
            if key not in _KEYS:
                raise ConfigError(f"`check` has no key {key!r}", hint=did_you_mean(key, _KEYS))
        precision: Any = section.get("precision", "double")
        outputs = section.get("outputs")
        found = {
            "input": _chosen("input", section.get("input"), RULES),
            "at": tuple(map(int, _numbers("at", section.get("at")))),
            "weights": _numbers("weights", section.get("weights")),
            "outputs": {str(key): _numbers("outputs", value) for key, value in outputs.items()}
            if isinstance(outputs, Mapping)
            else {"": _numbers("outputs", outputs)},
            "precision": _chosen("precision", precision, tuple(TOLERANCE)),
        }
        if not found["outputs"] or not all(size > 0 for size in found["at"]):
            raise ConfigError("`check` needs `outputs`, and sizes above 0 in `at`", hint=_HINT)
        return cls(**found)

    def to_mapping(self) -> dict[str, object]:
        """Returns the section as plain data."""
        outputs = {key: list(numbers) for key, numbers in self.outputs.items()}
        return {
            "input": self.input,
            "at": list(self.at),
            **({} if self.precision == "double" else {"precision": self.precision}),
            "weights": list(self.weights),
            "outputs": outputs[""] if list(outputs) == [""] else outputs,
        }

    def to_yaml(self) -> str:
        """Returns the section as text for the file of an entry."""
        lines = ["check:", f"  input: {self.input}", f"  at: {_listed(self.at)}"]
        lines += [] if self.precision == "double" else [f"  precision: {self.precision}"]
        lines.append(f"  weights: {_listed(self.weights)}")
        if list(self.outputs) == [""]:
            lines.append(f"  outputs: {_listed(self.outputs[''])}")
        else:
            lines += ["  outputs:", *(f"    {key}: {_listed(numbers)}" for key, numbers in self.outputs.items())]
        return "\n".join(lines) + "\n"

    def weights_differ(self, found: Numbers) -> bool:
        """Returns whether the tensors are others, or have other names."""
        return not _close(self.weights, found, TOLERANCE["double"])

    def outputs_differ(self, found: Mapping[str, Numbers]) -> bool:
        """Returns whether the outputs are others."""
        return self.outputs.keys() != found.keys() or not all(
            _close(numbers, found[key], TOLERANCE[self.precision]) for key, numbers in self.outputs.items()
        )


def read_fingerprint(config: PlacedMapping) -> Fingerprint | None:
    """Returns the fingerprint that a configuration states in its section ``check``, None if it has none.

    Raises:
        ConfigError: the section has another form.
    """
    section = config.get("check")
    if section is None:
        return None
    if not isinstance(section, Mapping):
        raise ConfigError(f"`check` must be a mapping, got {section!r}", where=config.where("check"), hint=_HINT)
    try:
        return Fingerprint.from_mapping(section)
    except ConfigError as error:
        error.where = config.where("check")
        raise


_HINT = "`essmc verify --weights MODEL --write` writes the section"


def _close(stated: Numbers, found: Numbers, tolerance: float) -> bool:
    return len(stated) == len(found) and all(
        abs(one - other) <= tolerance * max(1.0, abs(one)) for one, other in zip(stated, found, strict=True)
    )


def _listed(numbers: Sequence[float]) -> str:
    return "[" + ", ".join(str(n) if isinstance(n, int) else f"{n:.8f}" for n in numbers) + "]"


def _numbers(key: str, value: Any) -> Numbers:
    if not isinstance(value, (list, tuple)) or not value or not all(map(_is_number, value)):
        raise ConfigError(f"`check.{key}` must be a list of numbers, got {value!r}", hint=_HINT)
    return tuple(value)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _chosen(key: str, value: Any, known: Sequence[str]) -> Any:
    if value not in known:
        raise ConfigError(f"`check.{key}` must be {' or '.join(known)}, got {value!r}", hint=_HINT)
    return value

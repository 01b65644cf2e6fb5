"""What was found out about engines: one trial each, and the choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "disagrees", "failed", "unusable"]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one engine did with a model.

    Attributes:
        engine: its name.
        precision: what it computed in.
        status: ``ok``; ``disagrees`` if its outputs are others than the model's; ``failed`` if it raised an exception,
            ended its process or took too long; ``unusable`` if it was not tried at all.
        reason: why it is not ``ok``, one line.
        ms: median milliseconds of a batch.
        prepare_s: seconds from the model to the first output.
        memory_mb: by how much preparing and running raised the memory of its process; 0 where that is unknown.
        difference: largest difference of an output from the model's in float64, relative to the largest output where
            that is above 1.
        agreement: share of inputs with the same most probable class as the model's in float64.
    """

    engine: str
    precision: str
    status: Status
    reason: str = ""
    ms: float = 0.0
    prepare_s: float = 0.0
    memory_mb: float = 0.0
    difference: float = 0.0
    agreement: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Returns it as plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine runs a model, and why.

    Attributes:
        model: name of the model, or its class.
        engine: name of the engine.
        precision: what it computes in.
        device: where.
        input_shape: of the example, the batch included.
        threads: threads of the measurement.
        trials: what was tried; empty if the engine was asked for.
        versions: of what the choice depends on.
        is_remembered: whether an earlier measurement was used.
    """

    model: str
    engine: str
    precision: str
    device: str
    input_shape: tuple[int, ...]
    threads: int
    trials: tuple[Trial, ...] = ()
    versions: Mapping[str, str] | None = None
    is_remembered: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Returns it as plain data for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        shape = "×".join(map(str, self.input_shape))
        lines = [f"{self.model} on {self.device} by {self.engine} in {self.precision}, {shape}, {self.threads} threads"]
        eager = next((trial.ms for trial in self.trials if trial.engine == "eager" and trial.status == "ok"), 0.0)
        for trial in sorted(self.trials, key=lambda trial: (trial.status != "ok", trial.ms)):
            if trial.status == "ok":
                gain = f", {eager / trial.ms:.2f}x eager" if eager and trial.engine != "eager" else ""
                lines.append(f"  {trial.engine}: {trial.ms:.1f} ms{gain}, differs by {trial.difference:.1g}")
            else:
                lines.append(f"  {trial.engine}: {trial.status}: {trial.reason}")
        return "\n".join(lines)

"""What can go wrong in a run, beyond the core's errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from essmc_core.errors import ConfigError, EssmcError, InputError
from essmc_solvers.text import counted


class CheckpointNotFound(EssmcError, FileNotFoundError):
    """There is no checkpoint where the run is to resume from."""


class CheckpointCorrupt(EssmcError):
    """A checkpoint was cut short or changed after it was written."""


class CheckpointMismatch(EssmcError, ValueError):
    """A checkpoint belongs to another model, optimizer or number of processes.

    ``report`` (a ``LoadReport``) lists what did not fit if it is the model.
    """

    report: Any = None


class CheckpointNotWritten(EssmcError, OSError):
    """A checkpoint could not be written; those before it are untouched."""


class WorkDirError(EssmcError, OSError):
    """The work dir cannot be made or written to."""


class DataError(ConfigError):
    """A run without data, or data that cannot be trained on."""


class LabelError(InputError):
    """A label that the model has no class for."""


class TrainingDiverged(EssmcError, ArithmeticError):
    """The loss or its gradients are no finite numbers."""


class TrainingInterrupted(EssmcError):
    """A run was asked to stop, and did so where it can be resumed.

    Args:
        epoch: epochs that are complete.
        within: iterations done of the next one, in words.
        path: the checkpoint of that moment, None where none could be written.
        signal_number: of the signal that asked for it.
    """

    def __init__(self, epoch: int, within: str, path: Path | None, signal_number: int) -> None:
        saved = f"all of it is in {path}" if path else "nothing was saved: the run has no work dir or CheckpointHook"
        hint = "--resume auto (resume_from: auto) goes on from there with the same bits." if path else ""
        super().__init__(f"Interrupted after {counted(epoch, 'epoch')}{within}: {saved}.", hint=hint)
        self.path = path
        self.signal_number = signal_number

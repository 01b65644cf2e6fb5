"""What can go wrong in a run, beyond the core's errors."""

from __future__ import annotations

from essmc_core.errors import ConfigError, EssmcError, InputError


class CheckpointNotFound(EssmcError, FileNotFoundError):
    """There is nothing to resume from where the run was told to."""


class CheckpointCorrupt(EssmcError):
    """A checkpoint was cut short or changed after it was written."""


class CheckpointMismatch(EssmcError, ValueError):
    """A checkpoint belongs to another model, optimizer or number of processes."""


class CheckpointNotWritten(EssmcError, OSError):
    """A checkpoint could not be written; those before it are untouched."""


class WorkDirError(EssmcError, OSError):
    """The work dir cannot be made or written to."""


class DataError(ConfigError):
    """A run without data, or data that cannot be trained on."""


class LabelError(InputError):
    """A label that the model has no class for."""


class TrainingDiverged(EssmcError, ArithmeticError):
    """The loss is not a finite number."""

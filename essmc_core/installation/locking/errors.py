"""Why an environment cannot be locked, or a file cannot be compared."""

from __future__ import annotations

from essmc_core.errors import EssmcError


class LockError(EssmcError, ValueError):
    """What is installed cannot be written as a lock, or a file is none."""

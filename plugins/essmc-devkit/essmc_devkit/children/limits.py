"""What a child process may take before it is ended."""

from __future__ import annotations

from dataclasses import dataclass

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one request to a child process.

    Attributes:
        seconds: how long the answer may take.
        memory: resident bytes of the process and of those that it started.
    """

    seconds: float = 120.0
    memory: int = 8 * GIB

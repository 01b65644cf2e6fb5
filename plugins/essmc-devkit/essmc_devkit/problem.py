"""One thing that a check finds wrong, before it is known of which check and subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        message: what, one line.
        fix: what to do about it.
        status: ``warning`` if it works all the same, ``skipped`` if that could not be found out.
    """

    message: str
    fix: str = ""
    status: Literal["failed", "warning", "skipped"] = "failed"

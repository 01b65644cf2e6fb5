"""One result of one check: what every check yields, child processes send, and reports show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, TypeAlias, get_args

Status: TypeAlias = Literal["ok", "failed", "warning", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says about one subject.

    Attributes:
        check: stable dotted name of the check, e.g. ``installation.heavy-import`` or ``backbone.feature-info``.
        subject: what was checked: a distribution, ``backbones/Net``, or the name of a zoo entry.
        status: ``failed`` if something has to be mended, ``warning`` if it probably should be, ``skipped`` if the check
            could not be made.
        message: what is wrong, one line; why it was skipped.
        fix: what to do about it, one line.
    """

    check: str
    subject: str
    status: Status
    message: str = ""
    fix: str = ""

    def as_dict(self) -> dict[str, str]:
        """Returns it as plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Finding:
        """Returns the finding that `as_dict` wrote.

        Raises:
            ValueError: a field is missing, unknown, or no text; or the status is none of the four.
        """
        names = ("check", "subject", "status", "message", "fix")
        if set(data) != set(names) or not all(isinstance(value, str) for value in data.values()):
            raise ValueError(f"a finding has the texts {', '.join(names)}, not {dict(data)!r}")
        if data["status"] not in get_args(Status):
            raise ValueError(f"status is {data['status']!r}, none of {', '.join(get_args(Status))}")
        return cls(**data)  # type: ignore[arg-type]

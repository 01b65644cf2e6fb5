"""The form of what `essmc doctor` finds: sections of facts, with the problems among them."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do.

    Attributes:
        message: one line.
        fix: what to do, one line.
    """

    message: str
    fix: str


@dataclass(slots=True)
class Section:
    """One subject.

    Attributes:
        title: its heading.
        facts: values by label, in the order in which they are shown.
        problems: what is wrong and makes `essmc doctor` exit with 1.
        notes: what may be wrong, likewise with what to do.
    """

    title: str
    facts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)

    def problem(self, message: str, fix: str) -> None:
        """Adds a problem; line breaks become spaces."""
        self.problems.append(Problem(_line(message), _line(fix)))

    def note(self, message: str, fix: str) -> None:
        """Adds a note; line breaks become spaces."""
        self.notes.append(Problem(_line(message), _line(fix)))


def _line(text: str) -> str:
    return " ".join(text.split())

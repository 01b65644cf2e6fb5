"""The report of `essmc doctor` as Markdown, to be pasted into an issue."""

from __future__ import annotations

from collections.abc import Sequence

from essmc_core.installation.doctor.section import Problem, Section


def markdown(sections: Sequence[Section]) -> str:
    """Returns the report: problems first, then a table for each section."""
    problems = [problem for section in sections for problem in section.problems]
    notes = [note for section in sections for note in section.notes]
    parts = ["## essmc doctor", _listed("Problems", problems) or "No problems were found.", _listed("Notes", notes)]
    parts += [_table(section) for section in sections]
    return "\n\n".join(filter(None, parts)) + "\n"


def _listed(title: str, found: Sequence[Problem]) -> str:
    lines = [f"- {_cell(problem.message)}: {_cell(problem.fix)}" for problem in found]
    return "\n".join([f"### {title}", "", *lines]) if lines else ""


def _table(section: Section) -> str:
    rows = [f"| {_cell(label)} | {_cell(value)} |" for label, value in section.facts.items()]
    return "\n".join([f"### {section.title}", "", "| | |", "|---|---|", *rows]) if rows else ""


def _cell(text: str) -> str:
    # What packs state must not become markup, a mention or a link to an issue.
    plain = " ".join(text.split())
    for mark in "\\`|<>*_[]":
        plain = plain.replace(mark, f"\\{mark}")
    return plain.replace("@", "&#64;").replace("#", "&#35;")

"""``essmc doctor``: what this installation is made of, and what is wrong with it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.errors import EssmcError
from essmc_core.installation.doctor.diagnosis import diagnose
from essmc_core.installation.doctor.section import Problem, Section
from essmc_core.models.defaults import DISCOVERY


class ReportNotWritten(EssmcError, OSError):
    """The file of a report cannot be written."""


@click.command("doctor", epilog=examples("essmc doctor", "essmc doctor --report report.md"))
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a Markdown report to this file.")
@json_option
def doctor(report: Path | None, as_json: bool) -> int:
    """Look for what is wrong with this installation; exits with 1 if anything is.

    Looks at Python, torch and accelerators, libraries, packs, conflicts and pins, zoo entries, cache, variables and
    terminal. Credentials, user names and home folders are left out of all that is printed.
    """
    sections = list(_with_progress(diagnose(DISCOVERY)))
    if report is not None:
        _write_report(report, sections)
    if as_json:
        write_json(_as_dict(sections))
    else:
        _write(sections)
    return 1 if any(section.problems for section in sections) else 0


def _with_progress(sections: Iterable[Section]) -> Iterable[Section]:
    shows = sys.stderr.isatty()
    if shows:
        click.echo("looking at this installation", err=True, nl=False)
    for section in sections:
        if shows:
            click.echo(f"\r\033[Klooked at {section.title}", err=True, nl=False)
        yield section
    if shows:
        click.echo("\r\033[K", err=True, nl=False)


def _write(sections: list[Section]) -> None:
    width = max((len(label) for section in sections for label in section.facts), default=0)
    for section in sections:
        click.echo(section.title)
        for label, value in section.facts.items():
            click.echo(f"  {label:{width}}  {value}")
        click.echo()
    _write_found("note", [note for section in sections for note in section.notes])
    problems = [problem for section in sections for problem in section.problems]
    _write_found("problem", problems)
    count = "no problems" if not problems else "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    click.echo(f"{count} found")


def _write_found(kind: str, found: list[Problem]) -> None:
    for one in found:
        click.echo(f"{kind}: {one.message}: {one.fix}")


def _write_report(path: Path, sections: list[Section]) -> None:
    from essmc_core.foundation.atomic import write_text
    from essmc_core.installation.doctor.markdown import markdown

    try:
        write_text(path, markdown(sections))
    except OSError as error:
        reason = error.strerror or error
        raise ReportNotWritten(
            f"{path} cannot be written: {reason}", hint="choose another file for --report"
        ) from error


def _as_dict(sections: list[Section]) -> dict[str, object]:
    return {
        "sections": {section.title: section.facts for section in sections},
        "problems": [_problem(section, problem) for section in sections for problem in section.problems],
        "notes": [_problem(section, note) for section in sections for note in section.notes],
    }


def _problem(section: Section, problem: Problem) -> dict[str, str]:
    return {"section": section.title, "message": problem.message, "fix": problem.fix}

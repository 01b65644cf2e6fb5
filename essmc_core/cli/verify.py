"""``essmc verify [MODEL]``: recomputes the cost that zoo entries state."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import human, json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.models.defaults import ZOO
from essmc_core.models.verification import Verdict, licence_verdict, verify_entry, write_cost


@click.command("verify", epilog=examples("essmc verify 'tada*'", "essmc verify my_model --write"))
@click.argument("pattern", default="*")
@click.option("--write", is_flag=True, help="Write the measured cost into the entries' files.")
@json_option
def verify(pattern: str, write: bool, as_json: bool) -> int:
    """Recompute parameters and MACs of zoo entries that match PATTERN.

    Exits with 1 if any states others, or has weights and states no licence of them and of its code. Entries that are
    made of a table and state no cost are measured where PATTERN is the name of one.
    """
    verdicts: list[Verdict] = []
    # A pattern that matches nothing is reported as an unknown name.
    several = [] if ZOO.table.find(pattern) else ZOO.entries(pattern)
    for entry in several or [ZOO.entry(pattern)]:
        if several and entry.file is None and entry.params is None:
            verdicts += filter(lambda verdict: verdict.problems, [licence_verdict(entry)])
            continue
        if sys.stderr.isatty():
            click.echo(f"\r\033[Kmeasuring {entry.name}", err=True, nl=False)
        verdict = verify_entry(entry)
        if write and verdict.measured is not None and verdict.differences:
            write_cost(entry, verdict.measured)
            verdict = replace(verdict, stated=verdict.measured)
        if verdict.measured is not None or verdict.problems:
            verdicts.append(verdict)
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
    if as_json:
        write_json([{"model": v.name, "measured": v.measured, "problems": v.problems} for v in verdicts])
    else:
        rows = [(v.name, *_measured(v), "; ".join(v.problems) or "ok") for v in verdicts]
        columns = ("model", ">params", ">GMACs", Column("at", gives_way=1), Column("stated", prose=True))
        write_table(columns, rows, footer=f"{len(rows)} entries")
    return 1 if any(verdict.problems for verdict in verdicts) else 0


def _measured(verdict: Verdict) -> tuple[str, str, str]:
    measured = verdict.measured
    if measured is None:
        return "", "", ""
    return human(measured["params"]), f"{measured['gmacs']:.3f}", "×".join(map(str, measured["at"]))

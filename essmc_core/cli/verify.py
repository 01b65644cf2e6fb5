"""``essmc verify [MODEL…]``: recomputes the cost that zoo entries state, or compares their weights."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import human, json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.models.defaults import ZOO
from essmc_core.models.recipes import find_run
from essmc_core.models.verification import Verdict, licence_verdict, verify_entry, write_cost
from essmc_core.zoo.zoo import ZooEntry


@click.command(
    "verify",
    epilog=examples(
        "essmc verify 'tada*'",
        "essmc verify my_model --write",
        "essmc verify --weights motion_digits",
        "essmc verify --weights my_model --write",
        "essmc verify photos.safetensors",
    ),
)
@click.argument("patterns", nargs=-1, metavar="[PATTERN]...")
@click.option("--weights", is_flag=True, help="Fetch the weights and compare what the networks compute with them.")
@click.option("--write", is_flag=True, help="Write what was measured, or computed, into the entries' files.")
@json_option
def verify(patterns: tuple[str, ...], weights: bool, write: bool, as_json: bool) -> int:
    """Recompute parameters and MACs of zoo entries that match a PATTERN; of all without one.

    Exits with 1 if any states others, or has weights and states no licence of them and of its code. Entries that are
    made of a table and state no cost are measured where PATTERN is the name of one.

    With --weights, builds those that state a fingerprint (`check`) with their weights instead, and exits with 1 if one
    computes something else. Weights that cannot be had here are said and are no failure.

    A PATTERN may also be a file of `essmc_core.save`, or hf://owner/name: its model is compared with what it states.
    """
    files = [pattern for pattern in patterns if find_run(pattern) is not None]
    if weights or files:
        from essmc_core.cli.verify_weights import show_weights

        if write and (files or not patterns):
            raise click.UsageError("name the models to write: essmc verify --weights MODEL --write")
        names = [pattern for pattern in patterns if pattern not in files] if files else patterns or ("*",)
        return show_weights(_matching(names), files, write=write, as_json=as_json)
    return _verify_costs(_matching(patterns or ("*",)), write, as_json)


def _matching(patterns: Sequence[str]) -> list[tuple[ZooEntry, bool]]:
    """Returns the entries that match any pattern, each once, and whether it was asked for by its name.

    Raises:
        UnknownModel: a pattern, or a name, matches nothing.
    """
    found: dict[str, tuple[ZooEntry, bool]] = {}
    for pattern in patterns:
        several = [] if ZOO.table.find(pattern) else ZOO.entries(pattern)
        matching = [(entry, False) for entry in several] or [(ZOO.entry(pattern), True)]
        found |= {entry.qualified: (entry, named) for entry, named in matching}
    return list(found.values())


def _verify_costs(entries: Sequence[tuple[ZooEntry, bool]], write: bool, as_json: bool) -> int:
    verdicts: list[Verdict] = []
    for entry, named in entries:
        if not named and entry.file is None and entry.params is None:
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

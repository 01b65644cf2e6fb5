"""``essmc verify --weights [MODEL…]``: compares networks and their weights with the fingerprints of their entries."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence

import click

from essmc_core.cli.output import write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.foundation.terminal_status import status
from essmc_core.models.weights_verification import WeightsVerdict, verify_file, verify_weights
from essmc_core.zoo.zoo import ZooEntry


def show_weights(
    entries: Sequence[tuple[ZooEntry, bool]], files: Sequence[str] = (), *, write: bool, as_json: bool
) -> int:
    """Compares and prints; returns the exit status: 1 if something differs.

    Args:
        entries: which ones, each with whether it was asked for by its name, so that it is listed even if it states
            nothing.
        files: of models that were saved.
        write: write what was found into the entries' files.
        as_json: print JSON.
    """
    verdicts: list[WeightsVerdict] = []
    for file in files:
        with status(f"checking {file}"):
            verdicts.append(verify_file(file))
    for number, (entry, _) in enumerate(entries, start=1):
        if sys.stderr.isatty() and (entry.has_check or write):
            click.echo(f"\r\033[Kchecking {entry.name} ({number} of {len(entries)})", err=True, nl=False)
        verdicts.append(verify_weights(entry, write=write))
    if sys.stderr.isatty():
        click.echo("\r\033[K", err=True, nl=False)
    if as_json:
        write_json([_as_dict(verdict) for verdict in verdicts])
    else:
        asked = [*(True for _ in files), *(named for _, named in entries)]
        shown = [
            verdict for verdict, named in zip(verdicts, asked, strict=True) if named or verdict.status != "unknown"
        ]
        rows = [(verdict.name, verdict.status, verdict.reason) for verdict in shown]
        write_table(("model", "weights", Column("", prose=True)), rows, footer=_footer(verdicts))
    return 1 if any(verdict.status == "differs" for verdict in verdicts) else 0


def _as_dict(verdict: WeightsVerdict) -> dict[str, object]:
    found = None if verdict.found is None else verdict.found.to_mapping()
    return {"model": verdict.name, "status": verdict.status, "reason": verdict.reason, "found": found}


def _footer(verdicts: Sequence[WeightsVerdict]) -> str:
    counted = Counter(verdict.status for verdict in verdicts)
    return ", ".join(f"{count:,} {status}" for status, count in counted.items())

"""``essmc models [PATTERN]``: the zoo, without importing torch."""

from __future__ import annotations

from typing import Any

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import HumanNumber, human, json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.discovery.missing import explain_no_match
from essmc_core.discovery.named_pack import named_pack
from essmc_core.errors import ConfigError
from essmc_core.foundation.names import suggest_pattern
from essmc_core.models.defaults import DISCOVERY, ZOO
from essmc_core.zoo.zoo import ZooEntry

_COLUMNS = (
    Column("model"), Column("modality", gives_way=5), Column("params", right=True, gives_way=1),
    Column("MACs", right=True, gives_way=3), Column("weights", gives_way=4), Column("best result", gives_way=2),
    Column("licence", gives_way=7), Column("pack", gives_way=6),
)  # fmt: skip


@click.command(
    "models",
    epilog=examples(
        "essmc models 'tada*' --max-params 30M",
        "essmc models --modality image --pretrained",
        "essmc models --dataset k400 --json",
        "essmc models --licence 'Apache-2.0,MIT' --commercial",
    ),
)
@click.argument("pattern", default="*")
@click.option("--exclude", "-x", multiple=True, help="Pattern to leave out; may be repeated.")
@click.option("--modality", type=click.Choice(["image", "video"]))
@click.option("--dataset", help="Data set that results are given for: a name, alias or pattern.")
@click.option("--pretrained/--no-pretrained", default=None, help="Whether weights can be fetched.")
@click.option("--max-params", type=HumanNumber(), help="Largest number of parameters, e.g. 30M.")
@click.option("--max-macs", type=HumanNumber(), help="Largest multiply-accumulates of one view, e.g. 50G.")
@click.option("--pack", help="Only entries of this pack.")
@click.option("--licence", "--license", help="SPDX identifiers that code and weights are under, e.g. 'Apache-2.0,MIT'.")
@click.option("--commercial", is_flag=True, help="Only entries whose code and weights permit commercial use.")
@json_option
def models(pattern: str, exclude: tuple[str, ...], as_json: bool, **conditions: Any) -> None:
    """List zoo models that match PATTERN."""
    if conditions["pack"] is not None:
        conditions["pack"] = named_pack(conditions["pack"], DISCOVERY.packs.values())
    if conditions["licence"] is not None:
        conditions["licence"] = conditions["licence"].split(",")
    broken: dict[ZooEntry, ConfigError] = {}
    found = ZOO.entries(pattern, exclude=exclude, on_broken=broken.__setitem__, **conditions)
    entries = [entry for entry in found if _readable(entry, broken)]
    ZOO.cache.save()
    if as_json:
        write_json([_as_dict(entry) for entry in entries])
    else:
        write_table(_COLUMNS, [_row(entry) for entry in entries], footer=f"{len(entries):,} models")
    if not entries:
        click.echo(_nothing_found(pattern, exclude), err=True)
    for entry, error in broken.items():
        click.echo(f"{entry.qualified} cannot be read: {error}", err=True)


def _nothing_found(pattern: str, exclude: tuple[str, ...]) -> str:
    """Returns a message on whether the name or the conditions matched nothing, and what to do."""
    named = len(ZOO.table.records(pattern, exclude))
    if named:
        return f"{named:,} zoo models match {pattern!r}, none of them meets the conditions"
    hint = explain_no_match("zoo", pattern, DISCOVERY.packs.values()) or suggest_pattern(pattern, ZOO.names())
    return f"no zoo model matches {pattern!r}" + (f"; {hint}" if hint else "")


def _readable(entry: ZooEntry, broken: dict[ZooEntry, ConfigError]) -> bool:
    try:
        return bool(entry.facts)
    except ConfigError as error:
        broken[entry] = error
        return False


def _row(entry: ZooEntry) -> tuple[object, ...]:
    best = entry.results[0] if entry.results else None
    shown = f"{best.get('metric')} {best.get('value')} ({best.get('dataset')})" if best else ""
    weights = "yes" if entry.pretrained else ""
    return (
        ZOO.table.display_name(entry),
        entry.modality,
        human(entry.params),
        human(entry.macs),
        weights,
        shown,
        entry.licence.weights if entry.pretrained else entry.licence.code,
        entry.pack,
    )


def _as_dict(entry: ZooEntry) -> dict[str, object]:
    return {
        "name": ZOO.table.display_name(entry),
        "qualified": entry.qualified,
        "pack": entry.pack,
        "summary": entry.summary,
        "modality": entry.modality,
        "params": entry.params,
        "macs": entry.macs,
        "pretrained": entry.pretrained,
        "licence": {**entry.licence.to_dict(), "commercial": entry.licence.permits_commercial_use(entry.pretrained)},
        "results": [dict(result) for result in entry.results],
        "aliases": list(entry.listed_aliases),
        "file": entry.where.source,
        "line": entry.where.line or None,
    }

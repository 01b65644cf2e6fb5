"""``essmc list [KIND] [PATTERN]``: components, without importing any of them."""

from __future__ import annotations

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.discovery.missing import explain_no_match
from essmc_core.discovery.named_pack import named_pack
from essmc_core.foundation.names import suggest_pattern
from essmc_core.models.defaults import DISCOVERY, REGISTRIES
from essmc_core.registry.component import Component
from essmc_core.registry.registry import Registry


@click.command(
    "list",
    epilog=examples("essmc list", "essmc list backbones 'ResNet3D*'", "essmc list heads --pack classifiers --json"),
)
@click.argument("kind", required=False)
@click.argument("pattern", default="*")
@click.option("--exclude", "-x", multiple=True, help="Pattern to leave out; may be repeated.")
@click.option("--pack", help="Only components of this pack.")
@json_option
def list_components(kind: str | None, pattern: str, exclude: tuple[str, ...], pack: str | None, as_json: bool) -> None:
    """List components of KIND (backbones, heads, …) that match PATTERN; without KIND, count each kind.

    A PATTERN without wildcards matches anywhere in a name: `essmc list backbones resnet`.
    """
    wanted = None if pack is None else named_pack(pack, DISCOVERY.packs.values())
    if kind is None:
        _write_kinds(wanted, as_json)
        return
    registry = REGISTRIES[kind]
    matching = registry.table.records(pattern, exclude)
    records = [record for record in matching if wanted is None or record.pack == wanted]
    if not records:
        click.echo(_nothing_found(registry, pattern, len(matching), pack), err=True)
    if as_json:
        write_json([_as_dict(registry, record) for record in records])
        return
    rows = [(registry.table.display_name(record), record.pack, record.summary) for record in records]
    columns = (Column(registry.singular), Column("pack", gives_way=1), Column("summary", prose=True, gives_way=2))
    write_table(columns, rows, footer=f"{len(rows):,} {registry.kind}")


def _nothing_found(registry: Registry, pattern: str, matching: int, pack: str | None) -> str:
    """Returns a message on whether the name or the pack matched nothing, and what to do."""
    if matching and pattern == "*":
        return f"the pack {pack} brings no {registry.kind}"
    if matching:
        return f"{matching:,} {registry.kind} match {pattern!r}, none of them of the pack {pack}"
    packs = DISCOVERY.packs.values()
    hint = explain_no_match(registry.kind, pattern, packs) or suggest_pattern(pattern, registry)
    return f"no {registry.singular} matches {pattern!r}; {hint or f'`essmc list {registry.kind}` shows all'}"


def _write_kinds(pack: str | None, as_json: bool) -> None:
    counts = {
        registry.kind: sum(pack is None or record.pack == pack for record in registry.table) for registry in REGISTRIES
    }
    if as_json:
        write_json(counts)
        return
    write_table(("kind", ">components"), list(counts.items()), footer="essmc list KIND shows one kind")


def _as_dict(registry: Registry, record: Component) -> dict[str, object]:
    return {
        "name": registry.table.display_name(record),
        "qualified": record.qualified,
        "kind": record.kind,
        "pack": record.pack,
        "summary": record.summary,
        "lifecycle": record.lifecycle,
        "target": record.target if isinstance(record.target, str) else repr(record.target),
    }

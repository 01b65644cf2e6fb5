"""``essmc index PACK… -o FILE``: describes packs in a file, by which `essmc search` finds those not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.index.schema import Index, PackFacts
from essmc_core.installation.indexing import NotIndexed, make_index

_COLUMNS = (
    Column("pack"), Column("version", gives_way=1), Column("licence", gives_way=3), Column("lifecycle", gives_way=4),
    Column("brings", prose=True, gives_way=2),
)  # fmt: skip


@click.command(
    "index", epilog=examples("essmc index video -o index.json", "essmc index dist/*.whl ./my-pack -o index.json")
)
@click.argument("sources", nargs=-1, required=True, metavar="WHEEL|DIR|PACK...")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the index to this file.")
@json_option
def index(sources: tuple[str, ...], output: Path | None, as_json: bool) -> None:
    """Describe packs: wheels, folders with a pyproject.toml, or installed ones.

    Each is run in a process of its own. The same packs give the same bytes. ESSMC_INDEX=FILE makes an index known.
    """
    made = make_index(sources, progress=_say)
    if output is not None:
        _write(made, output)
    if as_json:
        write_json(made.model_dump(mode="json", exclude_defaults=True))
    else:
        write_table(_COLUMNS, [_row(pack) for pack in made.packs], footer=f"{len(made.packs)} packs")


def _write(made: Index, output: Path) -> None:
    from essmc_core.foundation.atomic import write_text

    try:
        write_text(output, made.to_text())
    except OSError as error:
        raise NotIndexed(f"{output} cannot be written: {error.strerror or error}", hint="choose another -o") from error


def _say(text: str) -> None:
    if sys.stderr.isatty():
        click.echo(text, err=True)


def _row(pack: PackFacts) -> tuple[str, ...]:
    return pack.distribution, pack.version, pack.licence, pack.lifecycle, brings(pack)


def brings(pack: PackFacts) -> str:
    """Returns how much of each kind a pack brings, in words."""
    counts = {kind: len(found) for kind, found in pack.components.items()}
    for kind, families in pack.families.items():
        counts[kind] = counts.get(kind, 0) + sum(family.count for family in families)
    entries = len(pack.zoo) + sum(family.count for family in pack.zoo_families)
    parts = [f"{count:,} {kind}" for kind, count in counts.items()] + ([f"{entries:,} zoo models"] if entries else [])
    if pack.commands:
        names = ", ".join(command.name for command in pack.commands)
        parts.append(f"command{'' if len(pack.commands) == 1 else 's'} {names}")
    return ", ".join(parts)

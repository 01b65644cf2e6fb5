"""``essmc packs``: the installed packs, what they provide, which are broken and why."""

from __future__ import annotations

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.discovery import Pack
from essmc_core.discovery.named_pack import named_pack
from essmc_core.foundation.version import __version__
from essmc_core.models.defaults import DISCOVERY, ZOO
from essmc_core.registry.component import CORE


@click.command("packs", epilog=examples("essmc packs", "essmc packs --traceback", "essmc packs --verify video"))
@click.argument("names", nargs=-1, metavar="[PACK]...")
@click.option("--verify", is_flag=True, help="Compare files with RECORD; say who installed them and from where.")
@click.option("--traceback", is_flag=True, help="Print the traceback of each quarantined pack.")
@click.option("--retry", is_flag=True, help="Try packs again that were left out after they took too long or crashed.")
@json_option
def packs(names: tuple[str, ...], verify: bool, traceback: bool, retry: bool, as_json: bool) -> int:
    """List installed packs, or each PACK that is named, broken ones included.

    With --verify, exits with 1 if a file is missing, changed or added, or if there is no RECORD.
    """
    if retry:
        from essmc_core.discovery.snapshot import forget
        from essmc_core.discovery.trouble import forget_all

        forget_all()
        forget()
        DISCOVERY.run()
    wanted = frozenset(named_pack(name, DISCOVERY.packs.values()) for name in names)
    if verify:
        from essmc_core.cli.packs_verify import write_verified

        return write_verified(wanted, as_json)
    found = [pack for pack in DISCOVERY.packs.values() if not wanted or pack.name in wanted]
    _write(found, traceback, as_json, with_core=not wanted or CORE in wanted)
    return 0


def _write(found: list[Pack], traceback: bool, as_json: bool, with_core: bool) -> None:
    own = Pack(name=CORE, distribution="essmc-core", version=__version__, source="")
    own.zoo_files = sum(entry.pack == CORE for entry in ZOO.table)
    listed = [own, *found] if with_core else found
    if as_json:
        write_json([_as_dict(pack) for pack in listed])
        return
    rows = [
        (pack.distribution, pack.version, pack.status, _brings(pack), f"{pack.ms:.1f}", pack.source) for pack in listed
    ]
    columns = (
        Column("pack"), Column("version", gives_way=1), Column("status"), Column("brings", prose=True, gives_way=2),
        Column("ms", right=True, gives_way=4), Column("source", gives_way=3),
    )  # fmt: skip
    write_table(columns, rows, title="Packs")
    _explain(found, traceback)
    if not found and with_core:
        click.echo("\nNo packs are installed. pip install essmc-classifiers essmc-video is a start.", err=True)


def _brings(pack: Pack) -> str:
    parts = [f"{count:,} {kind}" for kind, count in pack.components.items()]
    if pack.zoo:
        parts.append(f"{pack.zoo} zoo models")
    if pack.commands:
        parts.append(f"{'command' if len(pack.commands) == 1 else 'commands'} {', '.join(pack.commands)}")
    return ", ".join(parts)


def _explain(found: list[Pack], traceback: bool) -> None:
    for pack in found:
        if pack.status in ("quarantined", "skipped"):
            click.echo(f"\n{pack.distribution} is {pack.status}: {pack.reason}\n  {pack.remedy}")
            if traceback:
                click.echo("\n".join(f"    {line}" for line in pack.traceback.splitlines()))
        for remark in pack.remarks:
            click.echo(f"\n{pack.distribution}: {remark}")
        if pack.heavy:
            click.echo(f"\n{pack.distribution} imports {', '.join(pack.heavy)} at discovery, which slows every start.")


def _as_dict(pack: Pack) -> dict[str, object]:
    return {
        "name": pack.name,
        "distribution": pack.distribution,
        "version": pack.version,
        "source": pack.source,
        "status": pack.status,
        "components": pack.components,
        "zoo": pack.zoo,
        "commands": list(pack.commands),
        "remarks": pack.remarks,
        "changed": list(pack.changed),
        "ms": round(pack.ms, 3),
        "heavy": list(pack.heavy),
        "entry_points": list(pack.entry_points),
        "reason": pack.reason,
        "remedy": pack.remedy if pack.reason else "",
        "traceback": pack.traceback,
    }

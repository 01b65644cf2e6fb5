"""``essmc uninstall NAME…``: what goes away, who needs it, and pip of this environment."""

from __future__ import annotations

import click

from essmc_core.cli.arrivals import changes_as_dict, write_changes, write_contents
from essmc_core.cli.examples import examples
from essmc_core.cli.install import split_options
from essmc_core.cli.output import json_option, write_json
from essmc_core.discovery.named_pack import named_pack
from essmc_core.installation.inventory import Inventory, compare, take_inventory
from essmc_core.installation.needed_by import needed_by
from essmc_core.installation.pip import pip_command, run_pip
from essmc_core.installation.requirements import refuse_core
from essmc_core.models.defaults import DISCOVERY


@click.command("uninstall", epilog=examples("essmc uninstall video", "essmc uninstall video timm --yes"))
@click.argument("names", nargs=-1, required=True, metavar="NAME... [-- PIP OPTIONS]")
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@json_option
def uninstall(names: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Uninstall packs with pip, after saying what goes away and which other distributions need it."""
    wanted, options = split_options(names)
    distributions = list(dict.fromkeys(_distribution(name) for name in wanted))
    before = take_inventory(in_full=distributions)
    others = needed_by(distributions)
    if not as_json:
        _write_plan(distributions, before, others)
    if not yes:
        _ask(distributions)
    command = pip_command("uninstall")
    run_pip([*command, *(["--yes"] if command[-1] == "--no-input" else []), *options, *distributions])
    changes = compare(before, take_inventory())
    if as_json:
        write_json({**changes_as_dict(changes), "needed_by": others})
    else:
        write_changes(changes)


def _distribution(name: str) -> str:
    refuse_core(name)
    short = named_pack(name, DISCOVERY.packs.values())
    return next(pack.distribution for pack in DISCOVERY.packs.values() if pack.name == short)


def _write_plan(distributions: list[str], before: Inventory, others: dict[str, list[str]]) -> None:
    for name in distributions:
        pack = before.packs.get(name)
        version = f" {pack.facts.version}" if pack is not None else ""
        click.echo(f"{name}{version} goes away")
        if pack is not None:
            write_contents(pack.facts)
        if name in others:
            click.echo(f"  needed by {', '.join(others[name])}, which may not work without it")


def _ask(distributions: list[str]) -> None:
    try:
        agreed = click.confirm(f"Uninstall {' and '.join(distributions)}?", err=True)
    except click.Abort as error:
        raise click.UsageError("nobody answered; --yes uninstalls without asking") from error
    if not agreed:
        raise click.UsageError("nothing was uninstalled")

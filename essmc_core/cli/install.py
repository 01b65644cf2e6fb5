"""``essmc install NAME…``: pip of this environment, and what arrived."""

from __future__ import annotations

import shlex

import click

from essmc_core.cli.arrivals import changes_as_dict, write_changes
from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.index.known import KnownPacks, known_packs
from essmc_core.installation.inventory import Changes, compare, states, take_inventory
from essmc_core.installation.pip import pip_command, run_pip
from essmc_core.installation.requirements import is_place, name_of, requirement_of


@click.command(
    "install",
    epilog=examples(
        "essmc install video timm", "essmc install ./my-pack --dry-run", "essmc install video -- --no-deps"
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME... [-- PIP OPTIONS]")
@click.option("--upgrade", "-U", is_flag=True, help="Install the newest version of what is installed already.")
@click.option("--dry-run", is_flag=True, help="Show what would be run, and change nothing.")
@json_option
def install(names: tuple[str, ...], upgrade: bool, dry_run: bool, as_json: bool) -> int:
    """Install packs with pip, and say what arrived: components, zoo models, commands, licences, conflicts.

    NAME is a short name of an index (video), a distribution, a folder, a wheel or an address. Exits with 1 if a pack
    that arrived cannot be used.
    """
    wanted, options = split_options(names)
    known = known_packs(patient=True)
    for remark in known.remarks:
        click.echo(f"Warning: {remark}", err=True)
    requirements = [requirement_of(name, known) for name in wanted]
    command = [*pip_command("install"), *(["--upgrade"] if upgrade else []), *options, *requirements]
    if dry_run:
        _write_plan(command, requirements, known, as_json)
        return 0
    before, there = take_inventory(), states()
    run_pip(command)
    anew = [name for name, state in states().items() if there.get(name) != state]
    changes = compare(before, take_inventory(in_full=anew))
    if as_json:
        write_json(changes_as_dict(changes))
    else:
        write_changes(changes)
        if not (changes.arrived or changes.replaced or changes.gone):
            click.echo(_nothing_arrived(upgrade), err=True)
    return 1 if _troubled(changes) else 0


def split_options(words: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Returns names, and the options of pip, which begin with the first word that is one.

    Raises:
        UsageError: there is no name.
    """
    first = next((index for index, word in enumerate(words) if word.startswith("-")), len(words))
    if first == 0:
        raise click.UsageError("which pack? Options of pip come after the names")
    return list(words[:first]), list(words[first:])


def _write_plan(command: list[str], requirements: list[str], known: KnownPacks, as_json: bool) -> None:
    from essmc_core.cli.index import brings

    found = [known.named(name_of(requirement)) for requirement in requirements if not is_place(requirement)]
    facts = [pack for pack in found if pack is not None]
    if as_json:
        listed = [pack.model_dump(mode="json", include={"distribution", "version", "licence"}) for pack in facts]
        write_json({"command": command, "packs": listed})
        return
    click.echo(f"would run: {shlex.join(command)}")
    for pack in facts:
        click.echo(f"{pack.distribution} {pack.version} ({pack.licence}): {brings(pack)}")


def _nothing_arrived(upgrade: bool) -> str:
    more = "" if upgrade else "; --upgrade looks for newer versions"
    return f"no pack arrived or changed: they were installed already, or are no packs{more}"


def _troubled(changes: Changes) -> bool:
    return any(pack.trouble for pack in (*changes.arrived, *(after for _, after in changes.replaced)))

"""`essmc new-pack`: makes a pack that passes its own tests."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_devkit.new_pack.kinds import KINDS, kinds_from
from essmc_devkit.new_pack.making import check_free, make
from essmc_devkit.new_pack.names import names_from
from essmc_devkit.new_pack.plan import Plan, check_names_are_free, requirement, spdx
from essmc_devkit.new_pack.update_command import update_pack


@click.command(
    "new-pack",
    epilog=examples(
        "essmc new-pack cosine",
        "essmc new-pack cosine --kind backbone --with-weights",
        "essmc new-pack cosine --kind loss,metric --into packs",
        "essmc new-pack --update essmc-cosine",
    ),
)
@click.argument("name", required=False)
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help=f"What it begins with: {', '.join(KINDS)}.")
@click.option("--with-zoo", is_flag=True, help="Add a model by name, a zoo entry.")
@click.option("--with-weights", is_flag=True, help="Add the entry's weights, trained for a few seconds.")
@click.option("--requires", multiple=True, metavar="REQ", help="What it needs besides, e.g. 'torchvision>=0.22'.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where its folder goes.")
@click.option("--author", default="", help="Your name, for the metadata and the licence.")
@click.option("--email", default="", help="Your address, for the metadata.")
@click.option("--licence", "--license", default="Apache-2.0", show_default=True, help="An SPDX expression.")
@click.option(
    "--update",
    "folder",
    is_flag=False,
    flag_value=".",
    metavar="[DIR]",
    type=click.Path(path_type=Path),
    help="Bring the newest template to a pack that was made from an earlier one.",
)
@json_option
def new_pack(
    name: str | None,
    kinds: tuple[str, ...],
    with_zoo: bool,
    with_weights: bool,
    requires: tuple[str, ...],
    into: Path,
    author: str,
    email: str,
    licence: str,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Make a pack: a folder with code, tests and all that publishing takes, which works as it is.

    Without --kind it has a head. --kind and --requires may be given several times.
    """
    if folder is not None:
        update_pack(folder, as_json=as_json)
        return
    if name is None:
        raise click.UsageError("give the pack a name, e.g. `essmc new-pack cosine`")
    plan = Plan(
        names_from(name),
        kinds_from(kinds, with_weights=with_weights),
        with_zoo=with_zoo or with_weights,
        with_weights=with_weights,
        author=author.strip(),
        email=email.strip(),
        licence=spdx(licence),
        requires=[requirement(text) for text in requires],
    )
    check_free(into / plan.names.distribution)
    check_names_are_free(plan)
    made = make(plan, into, _finish(plan))
    if as_json:
        write_json(_facts(plan, made))
    else:
        _show(plan, made)


def _finish(plan: Plan) -> Callable[[Path], None]:
    def finish(folder: Path) -> None:
        if plan.with_weights:
            from essmc_devkit.new_pack.weights import make_weights

            click.echo("training the weights of the new entry …", err=True)
            make_weights(plan.names, folder)

    return finish


def _brought(plan: Plan) -> list[str]:
    names = plan.names
    brought = [
        f"{kind.registry}/{names.prefix}{kind.suffix}" for kind in map(KINDS.__getitem__, plan.kinds) if kind.registry
    ]
    brought += [f"essmc {names.short}"] if "command" in plan.kinds else []
    return [*brought, *([f"zoo/{names.entry}"] if plan.with_zoo else [])]


def _facts(plan: Plan, folder: Path) -> dict[str, object]:
    return {
        "distribution": plan.names.distribution,
        "package": plan.names.package,
        "folder": str(folder),
        "brings": _brought(plan),
        "files": sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()),
        "next": _next(folder),
    }


def _next(folder: Path) -> list[str]:
    return [f"cd {shlex.quote(str(folder))}", "pip install -e '.[test]'", "pytest && essmc check ."]


def _show(plan: Plan, folder: Path) -> None:
    click.echo(f"Made {plan.names.distribution} in {folder}: {', '.join(_brought(plan))}.")
    click.echo("Next:")
    for line in _next(folder):
        click.echo(f"  {line}")
    if (repository := _repository(folder)) is not None:
        click.echo(
            f"Note: {folder} is inside the repository {repository}. GitHub runs the workflows of a repository's own "
            "folder alone: move .github there, or the pack into a repository of its own.",
            err=True,
        )


def _repository(folder: Path) -> Path | None:
    return next((parent for parent in folder.resolve().parents if (parent / ".git").exists()), None)

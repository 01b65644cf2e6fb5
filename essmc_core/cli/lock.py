"""``essmc lock MODEL``: what pip needs to restore the packs of a model; ``--check`` compares it with what is here."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json

if TYPE_CHECKING:
    from essmc_core.installation.locking.closure import Needed


@click.command(
    "lock",
    epilog=examples(
        "essmc lock photos.yaml",
        "essmc lock work_dirs/photos -o pylock.photos.toml",
        "essmc lock photos.yaml --no-hashes -o requirements.txt",
        "essmc lock --check pylock.toml",
    ),
)
@click.argument("model", required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False),
    help="pylock.toml, pylock.NAME.toml, or NAME.txt for requirements  [default: pylock.toml]",
)  # fmt: skip
@click.option("--no-hashes", is_flag=True, help="Ask no index; write versions alone, as requirements.")
@click.option(
    "--check", "lock_file", metavar="FILE", type=click.Path(path_type=Path),
    help="Compare a lock with what is installed; exit with 1 if it differs.",
)  # fmt: skip
@json_option
def lock(model: str | None, output: Path | None, no_hashes: bool, lock_file: Path | None, as_json: bool) -> int:
    """Write what pip needs to restore the packs of MODEL: a zoo name, a file, or a work dir or file of a model.

    Files of an index are named with their hashes, which pip asks the index for, checkouts with their commit. Folders
    have neither, and are named by their path.
    """
    if lock_file is not None:
        if model is not None or output is not None or no_hashes:
            raise click.UsageError("--check compares a lock, and writes none")
        return _check(lock_file, as_json)
    if model is None:
        raise click.UsageError("name a model, or a lock with --check")
    _write(model, output or Path("requirements.txt" if no_hashes else "pylock.toml"), no_hashes, as_json)
    return 0


def _write(model: str, output: Path, no_hashes: bool, as_json: bool) -> None:
    from essmc_core.foundation.atomic import write_text
    from essmc_core.installation.locking.closure import needed_distributions
    from essmc_core.installation.locking.hashes import files_of
    from essmc_core.installation.locking.lock_file import is_pylock, pylock, requirements
    from essmc_core.models.needed import distributions_of

    as_pylock = is_pylock(output)
    if as_pylock and no_hashes:
        raise click.UsageError("a pylock has hashes; with --no-hashes the file is called NAME.txt")
    needed = needed_distributions(distributions_of(model))
    of_index = [one for one in needed if one.origin.kind in ("wheel", "unknown")]
    files = {} if no_hashes else files_of(of_index)
    write_text(output, (pylock if as_pylock else requirements)(needed, files, model))
    if as_json:
        write_json({"file": str(output), "packages": [_facts(one) for one in needed]})
        return
    click.echo(f"{output}: {len(needed)} distributions")
    local = [one.name for one in needed if one.origin.kind in ("editable", "folder")]
    if local:
        click.echo(f"note: {', '.join(local)} came from folders, which have no hash and are named by path", err=True)
    click.echo(f"restore: pip install -r {output}")


def _facts(one: Needed) -> dict[str, str]:
    return {"name": one.name, "version": one.version, "origin": one.origin.kind, "commit": one.origin.commit}


def _check(path: Path, as_json: bool) -> int:
    from essmc_core.cli.table import Column, write_table
    from essmc_core.installation.locking.comparing import compare
    from essmc_core.installation.locking.lock_file import read_lock

    found = compare(read_lock(path))
    different = [one for one in found if one.status != "same"]
    if as_json:
        write_json({"file": str(path), "same": not different, "packages": [asdict(one) for one in found]})
    elif different:
        rows = [(one.name, one.locked, one.here, one.status) for one in different]
        columns = [Column(heading) for heading in ("distribution", "locked", "here", "status")]
        write_table(columns, rows, title=str(path), footer=f"{len(different)} of {len(found)} differ")
    else:
        click.echo(f"{path}: all {len(found)} distributions are here as they were locked")
    return 1 if different else 0

"""``essmc push FILE REPO``: uploads a model to the Hugging Face Hub, or writes the folder that would be."""

from __future__ import annotations

from pathlib import Path

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json


@click.command(
    "push",
    epilog=examples(
        "essmc push photos.safetensors owner/photos",
        "essmc push work_dirs/photos owner/photos --private",
        "essmc push photos.safetensors owner/photos --dry-run out",
    ),
)
@click.argument("file")
@click.argument("repository", metavar="OWNER/NAME")
@click.option("--private", is_flag=True, default=None, help="Make a repository that only its owners see.")
@click.option("--message", help="Message of the commit.")
@click.option("--sample", metavar="FILE", help="A picture for the widget to classify.")
@click.option("--dry-run", "folder", type=click.Path(path_type=Path), help="Write what would be uploaded to a folder.")
@json_option
def push(
    file: str,
    repository: str,
    private: bool | None,
    message: str | None,
    sample: str | None,
    folder: Path | None,
    as_json: bool,
) -> None:
    """Upload FILE, of save or of training, to the Hugging Face Hub, where load and every command find it.

    A model card is written from what FILE says: how to load it, results, licences, packs. Sign in by `hf auth login`,
    or set HF_TOKEN.
    """
    from essmc_core.models.pushing import push as upload
    from essmc_core.models.pushing import write_folder

    if folder is not None:
        written = str(write_folder(file, repository, folder, sample=sample))
        if as_json:
            write_json({"folder": written})
        else:
            click.echo(f"{written} holds what would be uploaded: essmc predict {written} FILE")
        return
    address = upload(file, repository, private=private, message=message, sample=sample)
    if as_json:
        write_json({"address": address})
    else:
        click.echo(f"{address}\nnext: essmc_core.load({address!r}), essmc predict {address} FILE")

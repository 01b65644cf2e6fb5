"""``essmc convert IN OUT --to PROJECT``: weights by the names of another project."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json


@click.command(
    "convert",
    epilog=examples(
        "essmc convert photos.pth photos.safetensors --to essmc",
        "essmc convert clips.pth clips.pyth --to pytorchvideo",
    ),
)
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--to", required=True, metavar="PROJECT", help="Whose names are written: essmc, pytorchvideo, timm …")
@click.option("--ema/--no-ema", default=None, help="Take averaged or plain weights; averaged ones if there are any.")
@json_option
def convert(source: str, target: Path, to: str, ema: bool | None, as_json: bool) -> None:
    """Write the weights of IN to OUT by the names of another project; values stay as they are.

    Whose names IN has is recognised. OUT ends in .safetensors, .pth, .pt or .pyth. What PROJECT has no name for is
    listed, nothing is written then, and the exit status is 2.
    """
    from essmc_core.models import converting

    done = converting.convert(source, target, to=to, ema=ema)
    if as_json:
        write_json({**asdict(done), "path": str(done.path)})
        return
    click.echo(f"{done.path}: {done.tensors} tensors, from the names of {done.read_as} to those of {done.written_as}")

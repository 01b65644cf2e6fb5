"""``essmc export MODEL``: a model's test form as one file for other programs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import model_argument, overrides_argument, weights_options
from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json

if TYPE_CHECKING:
    from essmc_core.models.exporting import Format


@click.command(
    "export",
    epilog=examples(
        "essmc export motion_digits",
        "essmc export work_dirs/photos -o photos.onnx",
        "essmc export photos.yaml --checkpoint photos.pth",
        "essmc export motion_digits --dynamic frames -o m.pt2",
    ),
)
@model_argument
@overrides_argument
@weights_options
@click.option(
    "--format",
    type=click.Choice(["pt2", "torchscript", "onnx", "openvino"]),
    help="What to write  [default: what the file's suffix says, else pt2]",
)
@click.option("-o", "--output", help="The file  [default: the model's name with .pt2, .pt, .onnx or .xml]")
@click.option("--dynamic", help="Sizes that the file takes any of: height, width, frames, separated by commas")
@json_option
def export(
    model: str,
    overrides: tuple[str, ...],
    checkpoint: str | dict[str, Any] | None,
    use_random: bool,
    format: Format | None,
    output: str | None,
    dynamic: str | None,
    as_json: bool,
) -> None:
    """Export MODEL, a zoo name, YAML file or work dir: normalised images or clips in, probabilities out.

    The file is compared with the model on other inputs before it is put in place. `essmc predict FILE` runs it.
    """
    from essmc_core.models.exporting import export_model

    free: Any = [name.strip() for name in dynamic.split(",")] if dynamic else []
    made = export_model(
        model, output, format=format, dynamic=free, checkpoint=checkpoint, random=use_random, overrides=overrides
    )
    if as_json:
        write_json(dataclasses.asdict(made))
        return
    shape = "×".join(map(str, ("N" if made.any_batch else 1, *made.input_shape)))
    free = f", with any {' and '.join(made.dynamic)}" if made.dynamic else ""
    click.echo(f"{made.path}  {made.format}, {_size(made.bytes)}, takes {shape}{free}")
    click.echo(f"same numbers as {made.model}: largest difference {made.difference:.1g} on inputs of its own")
    if made.weights is None:
        click.echo("The weights are random.", err=True)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"

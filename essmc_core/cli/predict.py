"""``essmc predict MODEL FILE``: the classes a model sees in an image or a clip."""

from __future__ import annotations

import sys

import click

from essmc_core.cli.arguments import model_argument, overrides_argument, weights_options
from essmc_core.cli.output import json_option, write_json, write_table


@click.command("predict")
@model_argument
@click.argument("file")
@overrides_argument
@weights_options
@click.option("--topk", default=5, show_default=True, type=click.IntRange(min=1), help="How many classes to print.")
@click.option("--device", default="cpu", show_default=True, help="Where to run.")
@json_option
def predict(
    model: str,
    file: str,
    overrides: tuple[str, ...],
    checkpoint: str | None,
    use_random: bool,
    topk: int,
    device: str,
    as_json: bool,
) -> None:
    """Classify FILE, an image or a video, with MODEL, a zoo name or a YAML file."""
    from essmc_core.prediction import predict as run

    found = run(
        model, file, topk=topk, checkpoint=checkpoint, random=use_random, device=device, overrides=overrides
    )
    if as_json:
        write_json(found.to_dict())
        return
    several = len({ranked.output for ranked in found.predictions}) > 1
    rows = [
        (*((ranked.output,) if several else ()), ranked.label, f"{ranked.probability:.2f}", _bar(ranked.probability))
        for ranked in found.predictions
    ]
    headings = (*(("output",) if several else ()), "class", ">probability", "")
    write_table(headings, rows, title=f"{found.file} by {found.model}")
    if found.weights is None:
        click.echo("The weights are random: these classes mean nothing.", err=True)


def _bar(probability: float) -> str:
    return "█" * round(20 * probability) if sys.stdout.isatty() else ""

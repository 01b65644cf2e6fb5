"""``essmc predict MODEL FILE``: the classes a model sees in an image or a video."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import model_argument, overrides_argument, weights_options
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table

if TYPE_CHECKING:
    from essmc_core.prediction import Prediction, Ranked


class ViewCounts(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Temporal times spatial views, such as 10x3."""

    name = "TxS"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Returns (temporal, spatial)."""
        if isinstance(value, tuple):
            return value
        temporal, times, spatial = str(value).lower().replace("×", "x").partition("x")
        if not (times and temporal.isdecimal() and spatial.isdecimal() and int(temporal) and int(spatial)):
            self.fail(f"{value!r} is not TEMPORALxSPATIAL, e.g. 10x3", param, ctx)
        return int(temporal), int(spatial)


@click.command("predict")
@model_argument
@click.argument("file")
@overrides_argument
@weights_options
@click.option("--topk", type=click.IntRange(min=1), help="How many classes to print  [default: 5; of segments, 1]")
@click.option("--device", default="cpu", show_default=True, help="Where to run.")
@click.option("--views", type=ViewCounts(), help="Views of a video to average over  [default: the model's input.views]")
@click.option("--segments", type=float, metavar="SECONDS", help="Classify each such part of a video by itself.")
@json_option
def predict(
    model: str,
    file: str,
    overrides: tuple[str, ...],
    checkpoint: str | dict[str, Any] | None,
    use_random: bool,
    topk: int | None,
    device: str,
    views: tuple[int, int] | None,
    segments: float | None,
    as_json: bool,
) -> None:
    """Classify FILE, an image or a video, with MODEL, a zoo name or a YAML file."""
    from essmc_core.prediction import predict as run

    found = run(
        model,
        file,
        topk=topk or (5 if segments is None else 1),
        checkpoint=checkpoint,
        random=use_random,
        device=device,
        views=views,
        segments=segments,
        overrides=overrides,
    )
    if as_json:
        write_json(found.to_dict())
        return
    _write(found)
    if found.weights is None:
        click.echo("The weights are random: these classes mean nothing.", err=True)


def _write(found: Prediction) -> None:
    several = len({ranked.output for ranked in found.predictions}) > 1
    headings = (*(("output",) if several else ()), "class", ">probability", Column("", gives_way=1))
    title = f"{found.file} by {found.model}"
    if not found.segments:
        write_table(headings, _rows(found.predictions, several), title=title)
        return
    rows = [
        (f"{part.start:.2f}", f"{part.end:.2f}", *row)
        for part in found.segments
        for row in _rows(part.predictions, several)
    ]
    write_table((">start", ">end", *headings), rows, title=title)


def _rows(predictions: Sequence[Ranked], several: bool) -> list[tuple[str, ...]]:
    return [
        (*((ranked.output,) if several else ()), ranked.label, f"{ranked.probability:.2f}", _bar(ranked.probability))
        for ranked in predictions
    ]


def _bar(probability: float) -> str:
    return "█" * round(20 * probability) if sys.stdout.isatty() else ""

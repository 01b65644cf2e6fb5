"""``essmc predict MODEL FILE…``: the classes that a model predicts for images or videos."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import is_override, model_argument, weights_options
from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.foundation.terminal_status import status

if TYPE_CHECKING:
    from essmc_core.contract.engine import Precision
    from essmc_core.inputs.clip import Segments
    from essmc_core.models.prediction import OnError, Prediction, Ranked


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


class SegmentsGiven(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A length in seconds, or a file of segments."""

    name = "segments"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns seconds, or (start, end) of each segment."""
        if not isinstance(value, str):
            return value
        try:
            return float(value)
        except ValueError:
            from essmc_core.inputs.segment_list import read_segments

            return read_segments(value)


@click.command(
    "predict",
    epilog=examples(
        "essmc predict tf_efficientnet_lite0_in1k photo.jpg",
        "essmc predict work_dirs/photos pictures/ --json",
        "essmc predict motion_digits clip.mp4 --segments 1",
        "essmc predict photos.pt2 photo.jpg --topk 3",
        "essmc predict work_dirs/photos pictures/ -o rows.csv",
    ),
)
@model_argument
@click.argument("files", nargs=-1, required=True, metavar="FILE... [PATH=VALUE]...")
@weights_options
@click.option(
    "--topk", type=click.IntRange(min=1), help="How many classes to print  [default: 5; of segments and many files, 1]"
)
@click.option("--device", help="Where to run  [default: cpu]")
@click.option("--views", type=ViewCounts(), help="Views of a video to average over  [default: the model's input.views]")
@click.option(
    "--segments",
    type=SegmentsGiven(),
    metavar="SECONDS|FILE.csv",
    help="Classify each such part of a video by itself; a file has columns start and end, as of `essmc shots -o`.",
)
@click.option(
    "--check/--no-check",
    default=True,
    help="Compare what the network computes with what its entry states, once for a file  [default: check]",
)
@click.option("--engine", help="What runs the model: auto for the fastest here, or a name of `essmc list engines`")
@click.option("--precision", type=click.Choice(["fp32", "bf16", "fp16", "int8"]), default="fp32", show_default=True)
@click.option("--workers", type=click.IntRange(min=0), default=1, show_default=True, help="Files to read in advance")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl|.csv|.parquet",
    help="Write a row for each file as soon as it is known; the same command goes on after an interruption.",
)
@json_option
def predict(
    model: str,
    files: tuple[str, ...],
    checkpoint: str | dict[str, Any] | None,
    use_random: bool,
    topk: int | None,
    device: str | None,
    views: tuple[int, int] | None,
    segments: Segments | None,
    check: bool,
    engine: str | None,
    precision: Precision,
    workers: int,
    output: Path | None,
    as_json: bool,
) -> int:
    """Classify images or videos with MODEL: a zoo name, a YAML file, or a file that `essmc export` wrote.

    A work dir of training, or a checkpoint in one, is a MODEL too and brings its weights and the names of its classes.

    FILE may be a folder, for what is in it, or a list, a .txt file with a path a line. Of several files those that
    cannot be read are named, and the exit status is 2. With --json one file is an object, and several are a list.
    """
    inputs = [word for word in files if not is_override(word)]
    overrides = tuple(word for word in files if is_override(word))
    if not inputs:
        raise click.UsageError("name a file to look at: essmc predict MODEL FILE")
    from essmc_core.inputs.path_list import is_path_list
    from essmc_core.models.prediction import get_ready, predict_each
    from essmc_core.models.recipes import find_run

    several = len(inputs) > 1 or os.path.isdir(inputs[0]) or is_path_list(inputs[0])
    if output is not None:
        from essmc_core.models.many.predicting import check_output

        check_output(output)
    ready = get_ready(
        model, checkpoint=checkpoint, random=use_random, device=device, input=None, labels=None, overrides=overrides,
        knobs={}, check=check, engine=engine, precision=precision,
    )  # fmt: skip
    if output is not None:
        from essmc_core.cli.predict_rows import write_rows

        options = {"engine": engine, "precision": precision, "overrides": overrides}
        return write_rows(
            ready, inputs, output, topk=topk or 1, views=views, segments=segments, workers=workers, options=options,
            as_json=as_json,
        )  # fmt: skip
    rows = topk or (1 if several or segments is not None else 5)
    on_error: OnError = "keep" if several else "raise"
    found = []
    with _progress(several) as tick:
        for prediction in predict_each(
            ready, inputs if several else inputs[0], topk=rows, views=views, segments=segments, on_error=on_error,
            workers=workers,
        ):  # fmt: skip
            tick(prediction.file)
            found.append(prediction)
    failed = [prediction for prediction in found if prediction.error]
    if as_json:
        shown = [prediction.to_dict() for prediction in found]
        write_json(shown if several else shown[0])
    elif len(failed) < len(found):
        _write([prediction for prediction in found if not prediction.error], several)
    for prediction in failed:
        click.echo(f"Error: {prediction.error}", err=True)
    if ready.weights is not None and checkpoint is None and find_run(model) is not None:
        click.echo(f"weights: {ready.weights}", err=True)
    if ready.weights is None and use_random:
        click.echo("The weights are random: these classes mean nothing.", err=True)
    return 2 if failed else 0


@contextmanager
def _progress(several: bool) -> Iterator[Any]:
    """Shows on a terminal which of several files is being processed."""
    with status("loading", shown=several) as tell:
        counted = itertools.count(1)
        yield lambda name: tell(f"{next(counted):,} done, {os.path.basename(name)}")


def _write(found: Sequence[Prediction], several: bool) -> None:
    with_outputs = any(len({ranked.output for ranked in prediction.predictions}) > 1 for prediction in found)
    with_segments = any(prediction.segments for prediction in found)
    columns = [
        *([Column("file")] if several else []),
        *([Column("start", right=True), Column("end", right=True)] if with_segments else []),
        *([Column("output")] if with_outputs else []),
        Column("class"),
        Column("probability", right=True),
        Column("", gives_way=1),
    ]
    rows = [
        (*([prediction.file] if several else []), *row)
        for prediction in found
        for row in _rows_of(prediction, with_outputs)
    ]
    title = found[0].model if several else f"{found[0].file} by {found[0].model}"
    write_table(columns, rows, title=title, footer=f"{len(found):,} files" if several else "")


def _rows_of(prediction: Prediction, with_outputs: bool) -> list[tuple[str, ...]]:
    if not prediction.segments:
        return _rows(prediction.predictions, with_outputs)
    return [
        (f"{part.start:.2f}", f"{part.end:.2f}", *row)
        for part in prediction.segments
        for row in _rows(part.predictions, with_outputs)
    ]


def _rows(predictions: Sequence[Ranked], with_outputs: bool) -> list[tuple[str, ...]]:
    return [
        (
            *((ranked.output,) if with_outputs else ()),
            ranked.label,
            f"{ranked.probability:.2f}",
            _bar(ranked.probability),
        )
        for ranked in predictions
    ]


def _bar(probability: float) -> str:
    return "█" * round(20 * probability) if sys.stdout.isatty() else ""

"""``essmc shots VIDEO``: a table of the shots of a video."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.foundation.atomic import write_text

if TYPE_CHECKING:
    from essmc_shots.shots import Shot

HEADER = ("start", "end", "first_frame", "last_frame")


@click.command(
    "shots",
    epilog=examples(
        "essmc shots film.mp4",
        "essmc shots film.mp4 --threshold 0.3 --json",
        "essmc shots film.mp4 -o shots.csv",
    ),
)
@click.argument("video")
@click.option(
    "--threshold", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.5, show_default=True,
    help="Probability above which a frame is part of a transition.",
)  # fmt: skip
@click.option("--device", help="Where to run  [default: cpu]")
@click.option("-o", "--output", metavar="FILE.csv", help="Write the shots to this file.")
@json_option
def shots(video: str, threshold: float, device: str | None, output: str | None, as_json: bool) -> None:
    """Find the shots of VIDEO: where they begin and end, in seconds and in frames counted from 0.

    Of a gradual transition the first frame belongs to the shot before it, and the rest to none.
    """
    from essmc_shots.finding import find_shots

    with _progress() as progress:
        found = find_shots(video, threshold=threshold, device=device, progress=progress)
    if output is not None:
        write_text(Path(output), _csv(found))
    if as_json:
        write_json({"file": video, "threshold": threshold, "shots": [shot.to_dict() for shot in found]})
    elif output is None:
        _write(video, found)
    else:
        click.echo(f"{len(found):,} shots are in {output}")


def _write(video: str, found: Sequence[Shot]) -> None:
    columns = [
        *(Column(heading, right=True) for heading in ("shot", "start", "end", "first", "last")),
        Column("transition", right=True, gives_way=1),
    ]
    rows = [
        (number, f"{shot.start:.2f}", f"{shot.end:.2f}", shot.first_frame, shot.last_frame, _percent(shot.transition))
        for number, shot in enumerate(found, 1)
    ]
    write_table(columns, rows, title=f"shots of {video}", footer=f"{len(found):,} shots")


def _percent(probability: float | None) -> str:
    return "" if probability is None else f"{probability:.2f}"


def _csv(found: Sequence[Shot]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows((f"{shot.start:.6f}", f"{shot.end:.6f}", shot.first_frame, shot.last_frame) for shot in found)
    return text.getvalue()


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """Shows on a terminal how far it is."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("frames"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("frames", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

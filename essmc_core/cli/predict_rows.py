"""``essmc predict MODEL FILE… -o ROWS``: predictions of many files, written as they are made."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.output import write_json
from essmc_core.foundation.terminal_status import status

if TYPE_CHECKING:
    from essmc_core.inputs.clip import Segments
    from essmc_core.models.many.predicting import Tally
    from essmc_core.models.ready_model import ReadyModel

_LINE_EVERY_S = 30.0


def write_rows(
    ready: ReadyModel,
    inputs: Sequence[str],
    output: Path,
    *,
    topk: int,
    views: tuple[int, int] | None,
    segments: Segments | None,
    workers: int,
    options: Mapping[str, Any],
    as_json: bool,
) -> int:
    """Writes a row for each file that has none yet; returns the exit status.

    Args:
        ready: the model.
        inputs: files, folders and lists of files.
        output: where the rows go.
        topk: classes in each row.
        views: see `essmc_core.predict`.
        segments: see `essmc_core.predict`.
        workers: files to read in advance.
        options: what else the rows depend on.
        as_json: print the summary as JSON.
    """
    from essmc_core.models.many.predicting import write_predictions
    from essmc_core.models.prediction import each_input, predict_each

    def predict(paths: Any) -> Any:
        return predict_each(ready, paths, topk=topk, views=views, segments=segments, on_error="keep", workers=workers)

    question = {
        "model": ready.name,
        "weights": ready.weights,
        "topk": topk,
        "views": views,
        "segments": segments,
        "input": dataclasses.asdict(ready.spec),
        **options,
    }
    paths: Any = list(each_input(inputs, ready.spec))
    with _told() as tell:
        tally = write_predictions(paths, predict, output, question, is_ranked=topk > 1, tell=tell)
    if as_json:
        write_json({"output": output, **dataclasses.asdict(tally)})
    else:
        earlier = f", {tally.earlier:,} of them earlier" if tally.earlier else ""
        unreadable = f", {tally.unreadable:,} could not be read" if tally.unreadable else ""
        click.echo(f"{output}  {tally.done:,} files{earlier}{unreadable}")
    return 2 if tally.unreadable else 0


@contextmanager
def _told() -> Iterator[Callable[[Tally, str], object]]:
    """Shows how far it is: in one line on a terminal, elsewhere in a line every half minute."""
    begin = last = time.monotonic()
    with status("loading") as show:

        def tell(tally: Tally, path: str) -> None:
            nonlocal last
            now = time.monotonic()
            rate = (tally.done - tally.earlier) / max(1e-3, now - begin)
            left = (tally.total - tally.done) / rate
            text = f"{tally.done:,} of {tally.total:,} files, {tally.unreadable:,} unreadable"
            text += f", {rate:.1f} a second, {left:.0f} s left"
            show(f"{text}, {os.path.basename(path)}")
            if not sys.stderr.isatty() and now - last >= _LINE_EVERY_S:
                last = now
                click.echo(text, err=True)

        yield tell

"""The learning curve as a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from essmc_solvers.reporting.metrics_file import read_records

_NOT_METRICS = {
    "mode", "epoch", "iter", "total_iters", "done", "items_per_s", "seconds", "iter_time", "data_time", "memory",
}  # fmt: skip


def draw_curve(metrics: Path, picture: Path) -> bool:
    """Draws the means of each epoch, one panel a metric, training and evaluation together.

    Args:
        metrics: a ``metrics.jsonl``.
        picture: the PNG to write.

    Returns:
        Whether there was anything to draw.
    """
    records = [record for record in read_records(metrics) if record.get("done")]
    names = list(dict.fromkeys(key for record in records for key in record if key not in _NOT_METRICS))
    if not names:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(names), 3)
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4.5 * columns, 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for number, name in enumerate(names, start=1):
        axes = figure.add_subplot(rows, columns, number)
        for mode in ("train", "eval"):
            points = _points(records, mode, name)
            if points:
                axes.plot(*zip(*points, strict=True), marker="." if len(points) < 50 else None, label=mode)
        axes.set_title(name)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
        axes.legend()
    _save(figure, picture)
    return True


def _points(records: Sequence[dict[str, Any]], mode: str, name: str) -> list[tuple[int, float]]:
    return [
        (record["epoch"], record[name]) for record in records if record["mode"] == mode and record.get(name) is not None
    ]


def _save(figure: Any, picture: Path) -> None:
    # No `tempfile`: its files are for their owner alone, whatever the umask.
    temporary = picture.with_name(f".{picture.name}.{os.getpid()}.png")
    try:
        figure.savefig(temporary, dpi=120)
        os.replace(temporary, picture)
    finally:
        temporary.unlink(missing_ok=True)

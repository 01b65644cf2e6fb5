"""``essmc bench MODEL``: how fast each engine runs a model here, and whether it computes the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import model_argument, overrides_argument, weights_options
from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.foundation.terminal_status import status

if TYPE_CHECKING:
    from essmc_core.contract.engine import Precision
    from essmc_core.models.engines.report import Trial


@click.command(
    "bench",
    epilog=examples("essmc bench motion_digits", "essmc bench motion_digits --engines eager,folded"),
)
@model_argument
@overrides_argument
@weights_options
@click.option("--engines", default="all", show_default=True, help="Names, separated by commas")
@click.option("--precision", default="fp32", show_default=True, help="fp32, bf16, fp16, int8, separated by commas")
@click.option("--batch", default="1", show_default=True, help="Sizes of batches, separated by commas")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the processor  [default: PyTorch's]")
@click.option("--device", help="Where to run  [default: cpu]")
@click.option("--budget", type=click.FloatRange(min=0), default=300.0, show_default=True, help="Seconds for preparing")
@json_option
def bench(
    model: str,
    overrides: tuple[str, ...],
    checkpoint: str | dict[str, Any] | None,
    use_random: bool,
    engines: str,
    precision: str,
    batch: str,
    threads: int | None,
    device: str | None,
    budget: float,
    as_json: bool,
) -> None:
    """Run MODEL by each engine and print latency, throughput, memory and differences.

    Each engine has a process of its own, and those that compute what the model computes in float64 are timed in turn.
    Inputs are noise of the model's size; without weights of its own the model has random ones.
    """
    from essmc_core.models.engines.benchmark import benchmark

    sizes = [_size(text) for text in batch.split(",")]
    with status("loading") as tell:
        found = benchmark(
            model, None if engines == "all" else engines.split(","), _precisions(precision), sizes, threads=threads,
            device=device, checkpoint=checkpoint, random=use_random, overrides=overrides, budget_s=budget, tell=tell,
        )  # fmt: skip
    if as_json:
        write_json(found.as_dict())
        return
    for size, trials in found.trials.items():
        shape = "×".join(map(str, (size, *found.input_shape)))
        write_table(_COLUMNS, _rows(trials, size), title=f"{found.model}, {shape}, {found.threads} threads")
    if found.weights is None:
        click.echo("The weights are random.", err=True)


_COLUMNS = (
    Column("engine"),
    Column("precision"),
    Column("ms", right=True),
    Column("× eager", right=True),
    Column("items/s", right=True),
    Column("memory MB", right=True),
    Column("prepare s", right=True),
    Column("difference", right=True),
    Column("same class", right=True),
    Column("note", gives_way=1),
)


def _rows(trials: Sequence[Trial], size: int) -> list[tuple[str, ...]]:
    eager = next((one.ms for one in trials if one.engine == "eager" and one.ms), 0.0)
    rows: list[tuple[str, ...]] = []
    for one in sorted(trials, key=lambda one: (one.ms == 0, one.ms)):
        is_timed = one.status == "ok" and one.ms > 0
        is_run = one.status in ("ok", "disagrees")
        rows.append(
            (
                one.engine,
                one.precision,
                f"{one.ms:.1f}" if is_timed else "",
                f"{eager / one.ms:.2f}" if is_timed and eager else "",
                f"{1e3 * size / one.ms:.1f}" if is_timed else "",
                f"{one.memory_mb:.0f}" if is_run and one.memory_mb else "",
                f"{one.prepare_s:.1f}" if is_run else "",
                f"{one.difference:.1g}" if is_run else "",
                f"{one.agreement:.0%}" if is_run else "",
                "" if one.status == "ok" else f"{one.status}: {one.reason}",
            )
        )
    return rows


def _size(text: str) -> int:
    if not text.strip().isdecimal() or int(text) < 1:
        raise click.UsageError(f"--batch takes whole numbers of 1 or more, separated by commas, not {text!r}")
    return int(text)


def _precisions(text: str) -> list[Precision]:
    from essmc_core.contract.engine import PRECISIONS

    by_name: dict[str, Precision] = {name: name for name in PRECISIONS}
    unknown = [name for name in text.split(",") if name not in by_name]
    if unknown:
        raise click.UsageError(f"there is no precision {unknown[0]!r}; choose from {', '.join(PRECISIONS)}")
    return [by_name[name] for name in text.split(",")]

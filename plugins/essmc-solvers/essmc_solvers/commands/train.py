"""``essmc train CONFIG [path=value …]``: trains a model and leaves checkpoints, metrics and curves in a work dir."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import overrides_argument
from essmc_core.cli.examples import examples
from essmc_solvers.commands.plain_warnings import plain_warnings

if TYPE_CHECKING:
    from essmc_core.building.part import Part
    from essmc_solvers.commands.job import Job


@click.command(
    "train",
    epilog=examples(
        "essmc train motion_digits",
        "essmc train photos.yaml solver.max_epochs=20",
        "essmc train photos.yaml --resume auto",
    ),
)
@click.argument("config")
@overrides_argument
@click.option("--work-dir", type=click.Path(path_type=Path), help="Where all goes  [default: work_dirs/NAME]")
@click.option("--resume", metavar="PATH", help="Go on from a checkpoint or a folder of them; auto: from the work dir.")
@click.option(
    "--resume-changed", metavar="PATH", help="Go on likewise with settings that differ from the checkpoint's."
)
@click.option("--overwrite", is_flag=True, help="Remove an earlier run's files from the work dir.")
@plain_warnings()
def train(
    config: str,
    overrides: tuple[str, ...],
    work_dir: Path | None,
    resume: str | None,
    resume_changed: str | None,
    overwrite: bool,
) -> None:
    """Train as CONFIG says, a YAML file or a zoo name whose entry has the sections data and solver.

    PATH=VALUE changes the configuration: `solver.max_epochs=20`, `data.train.batch_size=16`.
    """
    from essmc_solvers.commands.job import read_job
    from essmc_solvers.commands.stopping import stopping_on_signals
    from essmc_solvers.errors import TrainingInterrupted

    job = read_job(config, overrides)
    _refuse_run(job, config)
    folder = work_dir or Path(job.solver.get("work_dir") or Path("work_dirs", job.name))
    if resume and resume_changed:
        raise click.UsageError("--resume and --resume-changed are two ways to go on; give one of them")
    resume = resume_changed or resume or job.solver.get("resume_from")
    solver, data = _build(job, folder, resume, bool(resume_changed))
    if hasattr(solver, "check_data"):  # solvers of other packs may check as they begin
        solver.check_data(data)
    if solver.is_main:
        for note in job.notes():
            click.echo(f"note: {note}", err=True)
    with _held(solver):
        if resume is None and solver.is_main:
            _claim(folder, overwrite or getattr(solver, "overwrite", False))
        try:
            with stopping_on_signals(solver):
                results = solver.solve(data)
        except TrainingInterrupted as interrupted:
            if solver.is_main:
                click.echo(str(interrupted), err=True)
            raise SystemExit(128 + interrupted.signal_number) from interrupted
        if solver.is_main:
            _conclude(folder, results)
    solver.accelerator.end_training()


def _refuse_run(job: Job, named: str) -> None:
    """Refuses a work dir or checkpoint as what to train: whether to go on or to start anew has to be said."""
    from essmc_core.errors import ConfigError
    from essmc_core.zoo.trained import SIDECAR

    run = job.recipe.trained
    if run is None:
        return
    folder = run.path if run.path.is_dir() else run.path.parent
    raise ConfigError(
        f"{named} is a training, not a configuration",
        hint=f"`essmc train {folder / SIDECAR}` trains anew as it was; --work-dir {folder} --resume auto goes on",
    )


def _held(solver: Any) -> AbstractContextManager[None]:
    """Keeps other runs out of the work dir from before it is looked into; solvers of other packs may not do that."""
    held: AbstractContextManager[None] = getattr(solver, "holding_work_dir", nullcontext)()
    return held


def _claim(folder: Path, overwrite: bool) -> None:
    """Refuses a folder with another run in it, or empties it of that."""
    from essmc_solvers.checkpoint.claim import claim

    claim(folder, overwrite, "--resume auto goes on with it, --overwrite removes it, --work-dir names another folder.")


def _build(job: Job, folder: Path, resume: str | None, changed: bool = False) -> tuple[Any, dict[str, Any]]:
    from essmc_core.building.construct import construct
    from essmc_core.models.factory import build_recipe
    from essmc_core.weights.random_weights import random_said_elsewhere
    from essmc_solvers.randomness import seed_everything

    given: dict[str, Any] = {"work_dir": str(folder), "resume_from": resume}
    if changed:
        given["resume_changed"] = True
    seed_everything(job.seed)
    data = {"train": job.loader("train", required=True), "eval": job.loader("eval", required=False)}
    part = job.resolved.solver
    assert part is not None, "there is data to train on"
    _require_arguments(part, given)
    # The log's first lines say what starts from random values.
    with random_said_elsewhere():
        model = build_recipe(job.recipe, job.weights, resolved=job.resolved)
    solver = construct(part, model=model, **given)
    solver.config = job.stored_config()
    solver.start_note = job.weights_note
    return solver, data


def _require_arguments(part: Part, given: Mapping[str, Any]) -> None:
    """Refuses solvers that do not take what every training gives them."""
    from essmc_core.errors import ConfigError

    signature = part.signature
    unknown = [] if signature.takes_any else [name for name in given if signature.parameter(name) is None]
    if unknown:
        raise ConfigError(
            f"{part.component.name} has no argument {unknown[0]!r}",
            where=part.where,
            hint=f"`essmc train` gives its solver {', '.join(given)}",
        )


def _conclude(folder: Path, results: dict[str, dict[str, float]]) -> None:
    from essmc_solvers.hooks.log import FILE
    from essmc_solvers.reporting.curve import draw_curve
    from essmc_solvers.text import in_words

    for mode, means in results.items():
        click.echo(f"{mode:<5}  {in_words(means)}")
    drawn = draw_curve(folder / FILE, folder / "curve.png")
    click.echo(f"checkpoints, {FILE}{' and curve.png' if drawn else ''} are in {folder}")
    click.echo("\n".join(_next_steps(folder)))


def _next_steps(folder: Path) -> list[str]:
    """Returns the commands that use what a run left in its work dir."""
    commands = (f"essmc eval {folder}", f"essmc predict {folder} FILE", f"essmc export {folder}")
    return [f"{'' if number else 'next:':<5} {command}" for number, command in enumerate(commands)]

"""``essmc eval CONFIG --checkpoint …``: the metrics of a model on a configuration's evaluation data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import checkpoint_option, overrides_argument
from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_solvers.commands.plain_warnings import plain_warnings

if TYPE_CHECKING:
    from essmc_core import TrainModule
    from essmc_solvers.commands.job import Job
    from essmc_solvers.data.class_names import KnownClasses

_SHARED = (
    "do_final_eval", "save_eval_data", "eval_metric_cfg", "extra_keys", "seed", "device", "mixed_precision",
    "split_batches",
)  # fmt: skip


@click.command(
    "eval", epilog=examples("essmc eval work_dirs/photos", "essmc eval photos.yaml --checkpoint photos.pth --json")
)
@click.argument("config")
@overrides_argument
@checkpoint_option
@click.option("--ema/--no-ema", default=None, help="Averaged or plain weights  [default: averaged if there are any]")
@click.option("--work-dir", type=click.Path(path_type=Path), help="Where evaluation data that are saved go.")
@json_option
@plain_warnings()
def evaluate(
    config: str,
    overrides: tuple[str, ...],
    checkpoint: str | dict[str, Any] | None,
    ema: bool | None,
    work_dir: Path | None,
    as_json: bool,
) -> None:
    """Evaluate as CONFIG says: a YAML file, a zoo name whose entry has a section data, or a work dir of training.

    A work dir, or a checkpoint in one, brings its configuration and its weights; --checkpoint gives others.
    """
    from essmc_core.models.recipes import build_config
    from essmc_solvers.commands.job import read_job
    from essmc_solvers.text import in_words

    job = read_job(config, overrides, evaluating=True)
    shared = {key: job.solver[key] for key in _SHARED if key in job.solver}
    data = job.loader("eval", required=True)
    model, known = _load(job, checkpoint, ema)
    settings = {"type": "EvaluationSolver", **shared, "model": model}
    if work_dir is not None:
        settings["work_dir"] = str(work_dir)
    if as_json:
        settings["logger"] = _quiet_logger()
    solver = build_config("solvers", _config(settings), prefix="solver")
    solver.known_classes = known
    results = solver.solve({"eval": data})["eval"]
    if solver.is_main:
        if as_json:
            write_json(results)
        else:
            click.echo(in_words(results))
    solver.accelerator.end_training()


def _config(settings: dict[str, Any]) -> Any:
    from essmc_core.config import Config

    return Config.from_mapping(settings)


def _quiet_logger() -> Any:
    """Returns a logger that keeps standard output free for JSON."""
    import logging

    return logging.getLogger("essmc_solvers")


def _load(
    job: Job, checkpoint: str | dict[str, Any] | None, ema: bool | None
) -> tuple[TrainModule, KnownClasses | None]:
    """Builds the model with the weights to evaluate; returns it and the names of its classes, if they are known."""
    from essmc_core.models.factory import build_recipe, build_trained
    from essmc_core.zoo.trained import trained_weights
    from essmc_core.zoo.weights_asked import weights_source
    from essmc_solvers.checkpoint.folder import best_or_newest
    from essmc_solvers.checkpoint.weights import load_for_evaluation
    from essmc_solvers.data.class_names import KnownClasses

    published = _published_classes(job)
    if checkpoint is None and job.recipe.trained is not None:
        job.recipe.trained.require_packs()
        checkpoint = str(trained_weights(job.recipe.trained.path))
        click.echo(f"weights: {checkpoint}", err=True)
    if checkpoint is None:
        source = job.weights or weights_source(job.recipe, True, None)
        return build_trained(job.recipe, source, job.resolved), _trained_classes(source) or published
    # What is said of the keys makes it a file of weights, whoever wrote it.
    path = best_or_newest(Path(checkpoint)) if isinstance(checkpoint, str) and os.path.exists(checkpoint) else None
    if path is None:
        source = weights_source(job.recipe, False, checkpoint)
        source = source if ema is None or source is None else {**source, "ema": ema}
        return build_trained(job.recipe, source, job.resolved), published
    model = build_recipe(job.recipe, resolved=job.resolved)
    trained = load_for_evaluation(model, path, ema)
    return model, KnownClasses(trained, f"the run of {path}") if trained else published


def _trained_classes(source: Mapping[str, Any] | None) -> KnownClasses | None:
    """Returns the names of classes in weights that are a checkpoint of a run, None where they are something else."""
    from essmc_core.errors import EssmcError
    from essmc_solvers.checkpoint.contents import load
    from essmc_solvers.data.class_names import KnownClasses

    path = Path(str((source or {}).get("uri", (source or {}).get("path", ""))))
    if path.suffix != ".pth" or not path.is_file():
        return None
    try:
        names = load(path).get("labels")
    except EssmcError:
        return None
    return KnownClasses(tuple(names), f"the run of {path}") if names else None


def _published_classes(job: Job) -> KnownClasses | None:
    """Returns what the configuration calls the model's classes, None where it has no `labels`."""
    from essmc_core.zoo.labels import configured_counts
    from essmc_solvers.data.class_names import KnownClasses

    labels = job.recipe.checked_labels(configured_counts(job.recipe.config))
    return KnownClasses(tuple(labels), f"{job.name} (its `labels`)", from_training=False) if labels else None

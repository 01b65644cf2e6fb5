"""``essmc validate CONFIG``: every mistake of a configuration at once, importing no torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from essmc_core.cli.arguments import model_argument, overrides_argument
from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.errors import SchemaError

if TYPE_CHECKING:
    from essmc_core.building.part import Part


@click.command(
    "validate", epilog=examples("essmc validate photos.yaml", "essmc validate tada2d_r50_k400 num_classes=51")
)
@model_argument
@overrides_argument
@json_option
def validate(model: str, overrides: tuple[str, ...], as_json: bool) -> int:
    """Check MODEL, a zoo name, YAML file or work dir, against the signatures of its components; build nothing.

    The sections data and solver of a training configuration are checked too.
    """
    from essmc_core.building.mistakes import raise_issues
    from essmc_core.models.recipes import read_training, resolve_recipe
    from essmc_core.registry.reading import read_signature
    from essmc_core.zoo.checks.data_paths import missing_data
    from essmc_core.zoo.checks.pipeline_notes import pipeline_notes, stated_input
    from essmc_core.zoo.checks.pipelines import pipeline_issues

    training = read_training(model, overrides)
    given = stated_input(training.recipe.config, training.config)
    try:
        parts = list(resolve_recipe(training.recipe, read_signature, whole=True).parts())
        if training.recipe.prefix:
            raise_issues(list(pipeline_issues(parts, given)), None)
    except SchemaError as error:
        if not as_json:
            raise
        write_json({"valid": False, "issues": [_issue(issue) for issue in error.issues]})
        return 2
    data = training.config.get("data")
    notes = _notes(parts) + pipeline_notes(data, given) + missing_data(data)
    if as_json:
        listed = [{"path": part.dotted, "component": part.component.qualified} for part in parts]
        write_json({"valid": True, "parts": listed, "notes": notes})
    else:
        click.echo("\n".join([f"{model} is valid: {len(parts)} components", *(f"note: {note}" for note in notes)]))
    return 0


def _notes(parts: Sequence[Part]) -> list[str]:
    """Returns notes on arguments of a configuration that have no effect."""
    named = [".".join(map(str, (*part.path, name))) for part in parts for name in part.retired]
    return [f"{name}: has no effect; leave it out" for name in named]


def _issue(issue: object) -> dict[str, object]:
    return {name: _plain(getattr(issue, name)) for name in ("path", "message", "where", "hint")}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str) else str(value)

"""``essmc show`` for a configuration file, a work dir of training or a checkpoint."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from essmc_core.cli.output import write_json
from essmc_core.models.recipes import find_run, read_recipe
from essmc_core.zoo.recipe import Recipe


def names_file(name: str) -> bool:
    """Returns whether a name refers to a file or folder to show."""
    return name.endswith((".yaml", ".yml")) or find_run(name) is not None


def show_file(name: str, only_yaml: bool, as_json: bool) -> None:
    """Prints a configuration with its ``_base_`` and ``zoo`` merged in."""
    recipe = read_recipe(name)
    checkpoint = None if recipe.trained is None else recipe.trained.checkpoint
    if as_json:
        stored = None if checkpoint is None else str(checkpoint)
        write_json({"name": recipe.name, "checkpoint": stored, **recipe.config.to_dict()})
        return
    text = recipe.config.dump().rstrip()
    if only_yaml:
        click.echo(text)
        return
    heading = "\n".join(f"{label:8} {value}" for label, value in _rows(recipe, checkpoint) if value)
    click.echo(f"{heading}\n\n{text}")


def _rows(recipe: Recipe, checkpoint: os.PathLike[str] | None) -> Sequence[tuple[str, str]]:
    trained, labels = recipe.trained, recipe.config.get("labels")
    weights = "" if trained is None else str(checkpoint or "none yet: no epoch is done")
    classes = f"{len(labels)}: {_some(labels)}" if isinstance(labels, (list, tuple)) else str(labels or "")
    packs = {} if trained is None else trained.packs
    return (
        ("model", recipe.name),
        ("about", str(recipe.config.get("summary") or "")),
        ("source", str(recipe.config.where() or "")),
        ("weights", weights),
        ("classes", classes),
        ("packs", ", ".join(f"{name} {version}" for name, version in packs.items())),
        ("predict", f"essmc predict {recipe.name} FILE" if trained is not None else ""),
    )


def _some(labels: Sequence[object]) -> str:
    shown = ", ".join(map(str, labels[:5]))
    return f"{shown}, …" if len(labels) > 5 else shown

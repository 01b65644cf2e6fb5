"""``essmc build MODEL [path=value …]``: builds a model and lists its components."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from essmc_core.cli.arguments import checkpoint_option, model_argument, overrides_argument
from essmc_core.cli.examples import examples
from essmc_core.cli.output import human, json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.models.defaults import DISCOVERY
from essmc_core.registry.component import Component
from essmc_core.zoo.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn


@click.command(
    "build",
    epilog=examples(
        "essmc build tada2d_r50_k400 num_classes=51",
        "essmc build motion_digits --pretrained",
        "essmc build work_dirs/photos",
    ),
)
@model_argument
@overrides_argument
@click.option("--pretrained", is_flag=True, help="Load the weights that the entry names, and say what was loaded.")
@checkpoint_option
@json_option
def build(
    model: str,
    overrides: tuple[str, ...],
    pretrained: bool,
    checkpoint: str | dict[str, Any] | None,
    as_json: bool,
) -> None:
    """Build MODEL, a zoo name or a YAML file, and show parts, shapes, parameters and MACs.

    A work dir of training, or a checkpoint, is a MODEL too and brings its weights.

    PATH=VALUE changes the configuration: `num_classes=51`, `model.head.dropout_rate=0.1`.
    """
    from essmc_core.models.factory import build_recipe
    from essmc_core.models.recipes import components_of, read_recipe, resolve_recipe
    from essmc_core.models.verification import measure_recipe
    from essmc_core.weights.random_weights import random_said_elsewhere
    from essmc_core.zoo.weights_asked import weights_source

    recipe = read_recipe(model, overrides)
    resolved = resolve_recipe(recipe)
    source = weights_source(recipe, pretrained, checkpoint)
    with random_said_elsewhere():
        built = build_recipe(recipe, source, resolved=resolved)
    facts: dict[str, object] = {
        "model": recipe.name,
        "parts": [_part(path, component) for path, component in components_of(resolved)],
        "params": sum(parameter.numel() for parameter in built.parameters()),
        "trainable": sum(parameter.numel() for parameter in built.parameters() if parameter.requires_grad),
        **measure_recipe(recipe, built),
        "weights": (built.card or {}).get("weights"),
        "pretrain": [] if source else _pretrained_parts(built),
    }
    if as_json:
        write_json(facts)
    else:
        _write(recipe, facts)


def _part(path: str, component: Component) -> dict[str, str]:
    versions = {pack.name: f"{pack.distribution} {pack.version}" for pack in DISCOVERY.packs.values()}
    return {
        "path": path or "(top)",
        "component": component.name,
        "kind": component.kind,
        "pack": versions.get(component.pack, component.pack),
    }


def _pretrained_parts(built: nn.Module) -> list[dict[str, Any]]:
    """Returns what ``pretrain`` loaded into a model, or into its parts, while they were built."""
    found = [(path or "model", vars(part).get("load_report")) for path, part in built.named_modules()]
    return [
        {"path": path, "uri": report.source, "coverage": report.coverage, "random": report.random_parts()}
        for path, report in found
        if report is not None
    ]


def _write(recipe: Recipe, facts: dict[str, object]) -> None:
    parts = facts["parts"]
    assert isinstance(parts, list)
    rows = [(part["path"], part["component"], part["pack"]) for part in parts]
    write_table(("part", "component", Column("pack", gives_way=1)), rows, title=recipe.name)
    params, trainable, macs = facts["params"], facts["trainable"], facts["macs"]
    frozen = "" if params == trainable else f", {trainable:,} of them trainable"
    lines = [f"parameters  {params:,} ({human(_number(params))}){frozen}"]
    if macs is not None:
        lines.append(f"MACs        {human(_number(macs))} at {_shape(facts['input'])}")
        lines.append(f"input       {_shape(facts['input'])}  {facts['layout']}")
        lines.extend(f"output      {key + ' ' if key else ''}{_shape(shape)}" for key, shape in _outputs(facts))
    else:
        lines.append("MACs        unknown: the configuration has no `input` section to say what goes in")
    click.echo("\n" + "\n".join([*lines, *_weights(facts)]))


def _weights(facts: dict[str, Any]) -> list[str]:
    """Returns where weights are from and what was left random, which is said every time."""
    whole, parts = facts["weights"], facts["pretrain"]
    if whole:
        random = [f"random      {whole['random']}"] if whole.get("random") else []
        return [f"weights     {whole['uri']} ({_coverage(whole)})", *random]
    if not parts:
        return ["weights     random"]
    lines = [f"weights     {part['uri']} ({_coverage(part)}, of {part['path']})" for part in parts]
    random = [f"{part['path']}: {part['random']}" for part in parts if part["random"]]
    if all(part["path"] != "model" for part in parts):
        random.append(f"all that is not in {' and '.join(part['path'] for part in parts)}")
    return [*lines, *([f"random      {'; '.join(random)}"] if random else [])]


def _coverage(weights: dict[str, Any]) -> str:
    named = f", names by {weights['key_map']}" if weights.get("key_map") else ""
    return f"coverage {weights['coverage']:.1%}{named}"


def _outputs(facts: dict[str, object]) -> list[tuple[str, object]]:
    outputs = facts["output"]
    assert isinstance(outputs, dict)
    return list(outputs.items())


def _number(value: object) -> float:
    assert isinstance(value, (int, float))
    return float(value)


def _shape(shape: object) -> str:
    assert isinstance(shape, (list, tuple))
    return "×".join(map(str, shape))

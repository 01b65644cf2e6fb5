"""``essmc validate MODEL``: every mistake of a configuration at once, importing no torch."""

from __future__ import annotations

import click

from essmc_core.cli.arguments import model_argument, overrides_argument
from essmc_core.cli.output import json_option, write_json
from essmc_core.errors import SchemaError


@click.command("validate")
@model_argument
@overrides_argument
@json_option
def validate(model: str, overrides: tuple[str, ...], as_json: bool) -> int:
    """Check MODEL, a zoo name or a YAML file, against the signatures of its components; build nothing."""
    from essmc_core.factory import resolved_parts
    from essmc_core.recipe import read_recipe

    try:
        parts = resolved_parts(read_recipe(model, overrides))
    except SchemaError as error:
        if not as_json:
            raise
        write_json({"valid": False, "issues": [_issue(issue) for issue in error.issues]})
        return 2
    if as_json:
        write_json({"valid": True, "parts": [{"path": path, "component": c.qualified} for path, c in parts]})
    else:
        click.echo(f"{model} is valid: {len(parts)} components")
    return 0


def _issue(issue: object) -> dict[str, object]:
    return {name: _plain(getattr(issue, name)) for name in ("path", "message", "where", "hint")}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, str) else str(value)

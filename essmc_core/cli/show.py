"""``essmc show NAME``: signature, docs and origin of a component or zoo model, read without importing it."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import json_option, write_json
from essmc_core.cli.show_file import names_file, show_file
from essmc_core.errors import UnknownComponent, UnknownModel
from essmc_core.foundation.names import did_you_mean
from essmc_core.models.defaults import DISCOVERY, REGISTRIES, ZOO
from essmc_core.registry.component import LOCAL, Component
from essmc_core.zoo.zoo import ZooEntry

if TYPE_CHECKING:
    from essmc_core.config import Config


@click.command(
    "show",
    epilog=examples(
        "essmc show tada2d_r50_k400", "essmc show ImageFolder", "essmc show motion_digits --yaml > my.yaml"
    ),
)
@click.argument("name")
@click.option("--kind", help="Which kind is meant, where several have the name.")
@click.option("--yaml", "only_yaml", is_flag=True, help="Print only the YAML, ready to edit.")
@json_option
def show(name: str, kind: str | None, only_yaml: bool, as_json: bool) -> None:
    """Show the signature, docs, pack, source and YAML of component or zoo model NAME.

    NAME may also be a YAML file, or a work dir or checkpoint of training.
    """
    if kind is None and names_file(name):
        show_file(name, only_yaml, as_json)
        return
    components = [REGISTRIES[kind].component(name)] if kind else REGISTRIES.find_everywhere(name)
    if not components:
        _show_entry(_entry(name), only_yaml, as_json)
        return
    if len(components) > 1 and only_yaml:
        kinds = " or ".join(f"--kind {component.kind}" for component in components)
        raise click.UsageError(f"{name!r} is a component of several kinds; say {kinds}")
    if as_json:
        write_json([_component_dict(component) for component in components])
        return
    for component in components:
        stub = REGISTRIES[component.kind].stub(component.qualified).rstrip()
        click.echo(stub if only_yaml else _component_text(component))


def _entry(name: str) -> ZooEntry:
    try:
        return ZOO.entry(name)
    except UnknownModel as error:
        known = [known for registry in REGISTRIES for known in registry.table.all_names()] + ZOO.table.all_names()
        hints = [hint for registry in REGISTRIES if (hint := REGISTRIES.explain(registry.kind, name))]
        suggestion = did_you_mean(name, known)
        raise UnknownComponent(
            f"no component and no zoo model is called {name!r}" + (f"; {suggestion}" if suggestion else ""),
            hint=hints[0] if hints else "`essmc list KIND` and `essmc models` show what is there",
        ) from error


def _provenance(pack_name: str) -> str:
    if pack_name == LOCAL:
        return "your own code"
    for pack in DISCOVERY.packs.values():
        if pack.name == pack_name:
            return f"{pack.distribution} {pack.version} ({pack.source})"
    return "essmc-core"


def _component_text(component: Component) -> str:
    registry = REGISTRIES[component.kind]
    signature = registry.describe(component.qualified)
    bound = ", ".join(f"{key}={value!r}" for key, value in component.bound.items())
    rows = [
        ("kind", registry.singular),
        ("name", f"{registry.table.display_name(component)}  ({component.qualified})"),
        ("pack", _provenance(component.pack)),
        ("source", signature.source),
        ("fixed", bound),
        ("aliases", ", ".join((*component.aliases, *component.deprecated))),
        ("status", component.lifecycle),
    ]
    parts = [_heading(rows), f"{signature.name}{_wrapped(signature.text)}"]
    parts.extend([signature.doc.rstrip()] if signature.doc else [])
    parts.append("YAML:\n" + textwrap.indent(registry.stub(component.qualified).rstrip(), "  "))
    return "\n\n".join(parts) + "\n"


def _heading(rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"{label:8} {value}" for label, value in rows if value)


def _wrapped(signature: str) -> str:
    """Returns the signature, with one parameter per line if it is long."""
    if len(signature) < 90:
        return signature
    depth, start, parts = 0, 1, []
    for index, char in enumerate(signature[1:-1], start=1):
        depth += (char in "([{") - (char in ")]}")
        if char == "," and depth == 0:
            parts.append(signature[start:index].strip())
            start = index + 1
    parts.append(signature[start:-1].strip())
    return "(\n" + "".join(f"    {part},\n" for part in parts) + ")"


def _component_dict(component: Component) -> dict[str, object]:
    registry = REGISTRIES[component.kind]
    signature = registry.describe(component.qualified)
    return {
        "kind": component.kind,
        "name": component.name,
        "qualified": component.qualified,
        "pack": _provenance(component.pack),
        "summary": component.summary,
        "file": signature.file,
        "line": signature.line,
        "doc": signature.doc,
        "bound": dict(component.bound),
        "lifecycle": component.lifecycle,
        "parameters": [
            {
                "name": parameter.name,
                "annotation": parameter.annotation_text if parameter.annotation != "" else None,
                "required": parameter.required,
                "default": None if parameter.required else str(parameter.default),
                "doc": parameter.doc,
            }
            for parameter in signature.parameters
        ],
        "yaml": registry.stub(component.qualified),
    }


def _what_training_takes(entry: ZooEntry) -> str:
    """Returns a comment on the weights from which training with the printed file starts."""
    if not entry.pretrained:
        return ""
    if entry.config.get("pretrained") is False:
        return "# `essmc train` starts from random values; pretrained: true starts from the weights below.\n"
    return "# `essmc train` starts from the weights below; pretrained: false starts from random values.\n"


def _to_start_from(entry: ZooEntry) -> Config:
    """Returns an entry's configuration independent of its location: the path of its labels is relative to the pack."""
    labels, where = entry.config.get("labels"), entry.config.where("labels")
    folder = entry.source.folder
    if not isinstance(labels, str) or "::" in labels or where is None or folder is None:
        return entry.config
    file = os.path.relpath(Path(where.source).parent / labels, folder)
    return entry.config.with_overrides({"labels": f"{entry.pack}::{Path(file).as_posix()}"})


def _licence_text(entry: ZooEntry) -> str:
    licence = entry.licence
    stated = [f"{part} {text}" for part, text in licence.to_dict().items() if text]
    stated += [f"{part} not stated" for part in licence.missing(entry.pretrained)]
    known = "" if licence.permits_commercial_use(entry.pretrained) else "not known to be "
    return ", ".join([*stated, f"commercial use {known}permitted"]) if stated else ""


def _check_text(entry: ZooEntry) -> str:
    if not entry.pretrained:
        return ""
    if not entry.has_check:
        return "unknown: the entry does not state what the network computes with its weights"
    return f"essmc verify --weights {ZOO.table.display_name(entry)}"


def _show_entry(entry: ZooEntry, only_yaml: bool, as_json: bool) -> None:
    config = entry.config
    if as_json:
        write_json(
            {
                "name": entry.name,
                "pack": _provenance(entry.pack),
                "file": entry.where.source,
                **config.to_dict(),
                **({"check": "unknown"} if entry.pretrained and not entry.has_check else {}),
            }
        )
        return
    text = config.dump().rstrip()
    if only_yaml:
        click.echo(_what_training_takes(entry) + _to_start_from(entry).dump().rstrip())
        return
    rows = [
        ("model", f"{ZOO.table.display_name(entry)}  ({entry.qualified})"),
        ("about", entry.summary),
        ("pack", _provenance(entry.pack)),
        ("source", str(config.where() or entry.where)),
        ("licence", _licence_text(entry)),
        ("check", _check_text(entry)),
        ("build", f"essmc build {entry.name} " + " ".join(f"{knob}=…" for knob in entry.section("knobs"))),
    ]
    click.echo(f"{_heading(rows)}\n\n{text}")

"""``essmc inspect FILE``: what a file of weights holds and which network it is of, without torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from essmc_core.cli.examples import examples
from essmc_core.cli.output import human, json_option, write_json
from essmc_core.cli.table import Column, write_table
from essmc_core.models.recognition import Elsewhere, Nearest, Recognition, look_at
from essmc_core.weights.checkpoint_parts import Part
from essmc_core.weights.contents.files import WORDS, read_contents
from essmc_core.weights.contents.groups import Group, grouped_tree, lines
from essmc_core.weights.contents.stored import StoredTensor
from essmc_core.weights.contents.summary import Summary, distinct, is_buffer, summarise
from essmc_core.weights.described_file import checked_description, read_description
from essmc_core.weights.fetching import locate

_LARGEST = 5
_LONGEST_VALUE = 100
_MOST_GROUPS = 60
_MOST_NETWORKS = 4
_OF_WEIGHTS = ("safetensors", "torch zip", "torch legacy")


@click.command(
    "inspect",
    epilog=examples("essmc inspect weights.safetensors", "essmc inspect epoch-10.pth --depth 3 --json"),
)
@click.argument("file", metavar="FILE")
@click.option("--depth", type=click.IntRange(min=1), default=2, show_default=True, help="Levels of the tree of names.")
@json_option
def inspect(file: str, depth: int, as_json: bool) -> None:
    """Say what FILE holds: tensors by groups, their types and sizes, and the state of training beside them.

    FILE is a path or URI of safetensors, of torch.save, of a TorchScript or exported program or of an ONNX network, or
    a work dir of training. Values are not read, and nothing in the file is run. Exits with 2 if it holds no weights,
    and says what it is.
    """
    path = locate(file).path
    summary = summarise(read_contents(path))
    if as_json:
        write_json(_as_json(summary, depth))
        return
    for label, value in _facts(summary):
        click.echo(f"{label:11}{value}")
    if summary.parts:
        tensors = summary.parts[0].tensors
        click.echo()
        rows = [(name, count, human(numel)) for name, count, numel in lines(grouped_tree(tensors, depth))]
        columns = (Column("group"), Column("tensors", right=True), Column("elements", right=True))
        write_table(columns, rows[:_MOST_GROUPS])
        if len(rows) > _MOST_GROUPS:
            click.echo(f"… and {len(rows) - _MOST_GROUPS} more groups; --json lists them all")
        click.echo()
        said = _description(summary)
        for label, value in _recognition_lines(_recognised(summary)) if said is None else [_rebuilt(summary, said)]:
            click.echo(f"{label:11}{value}")


def _description(summary: Summary) -> dict[str, Any] | None:
    """Returns what a file of `save` or a checkpoint says of its model, None for other files."""
    contents = summary.contents
    if contents.kind == "safetensors":
        return read_description(contents.path)
    content = contents.content
    return checked_description(content.get("card"), contents.path) if isinstance(content, Mapping) else None


def _rebuilt(summary: Summary, said: Mapping[str, Any]) -> tuple[str, str]:
    return "model", f"{said.get('model', 'a model')}: essmc_core.load({str(summary.contents.path)!r}) rebuilds it"


def _facts(summary: Summary) -> list[tuple[str, str]]:
    contents = summary.contents
    rows = [("file", str(contents.path)), ("kind", f"{WORDS[contents.kind]}, {_size(contents.nbytes)}")]
    if summary.program:
        is_script = contents.kind == "torchscript"
        how = "" if is_script else ", pickled whole: it opens where that class is installed, with weights_only=False"
        rows.append(("program", f"{summary.program.removeprefix('__torch__.')}{how}"))
    rows += [("holds" if number == 0 else "", _part_line(part)) for number, part in enumerate(summary.parts)]
    if not summary.parts:
        rows.append(("holds", "no tensors under names"))
    count, nbytes = summary.optimizer
    if count:
        rows.append(("optimizer", f"{_count(count)}, {_size(nbytes)}"))
    if summary.beside:
        rows.append(("beside", ", ".join(f"{key} {_shown(value)}" for key, value in summary.beside.items())))
    if summary.others:
        rows.append(("also", ", ".join(summary.others)))
    rows += [("metadata" if number == 0 else "", f"{key}: {_shown(value)}")
             for number, (key, value) in enumerate(contents.metadata.items())]  # fmt: skip
    if summary.parts:
        tensors = summary.parts[0].tensors
        rows.append(("types", ", ".join(f"{name} ({count})" for name, count in _dtypes(tensors).items())))
        for number, (name, tensor) in enumerate(_largest(tensors)):
            shape = "×".join(map(str, tensor.shape))
            rows.append(("largest" if number == 0 else "", f"{name}  {shape}  {_size(tensor.nbytes)}"))
    return rows


def _part_line(part: Part) -> str:
    place = f"under {'.'.join(part.path)!r}" if part.path else "at the top"
    averaged = ", averaged" if part.averaged else ""
    numbers = _numbers(part)
    buffers = f", {numbers['buffers']} buffers" if numbers["buffers"] else ""
    tied = f", {numbers['tied']} of them tied" if numbers["tied"] else ""
    return (
        f"{_count(numbers['tensors'])} {place}{averaged}{tied}: {human(numbers['parameters'])} parameters{buffers}, "
        f"{_size(numbers['bytes'])}"
    )


def _numbers(part: Part) -> dict[str, int]:
    once = distinct(part.tensors)
    buffers = [tensor for name, tensor in once if is_buffer(name, tensor)]
    numel = sum(tensor.numel for _, tensor in once)
    return {
        "tensors": len(part.tensors),
        "tied": len(part.tensors) - len(once),
        "parameters": numel - sum(tensor.numel for tensor in buffers),
        "buffers": len(buffers),
        "bytes": sum(tensor.nbytes for _, tensor in once),
    }


def _dtypes(tensors: Mapping[str, StoredTensor]) -> dict[str, int]:
    return dict(Counter(f"{tensor.note} {tensor.dtype}".strip() for tensor in tensors.values()).most_common())


def _largest(tensors: Mapping[str, StoredTensor]) -> list[tuple[str, StoredTensor]]:
    return sorted(distinct(tensors), key=lambda pair: -pair[1].nbytes)[:_LARGEST]


def _recognised(summary: Summary) -> Recognition:
    if not summary.parts or summary.contents.kind not in _OF_WEIGHTS:
        return Recognition([], [])
    shapes = {name: tensor.shape for name, tensor in summary.parts[0].tensors.items()}
    return look_at(str(summary.contents.path), shapes)


def _recognition_lines(recognition: Recognition) -> list[tuple[str, str]]:
    found = recognition.networks
    if recognition.elsewhere:
        return [row for one in recognition.elsewhere for row in _rows_elsewhere(one)]
    if not found:
        rows = [("network", "not recognised: no network that is known has exactly these names and shapes")]
        return rows + [row for near in recognition.nearest[:_MOST_NETWORKS] for row in _near_rows(near)]
    rows = []
    if len(found) > 1:
        rows.append(("network", f"names and shapes are those of {len(found)} networks, and do not tell them apart:"))
    for number, one in enumerate(found[:_MOST_NETWORKS]):
        classes = f", {' + '.join(map(str, one.classes))} classes" if one.classes else ""
        fits = f"{_called(one.backbone)}: all {one.tensors} tensors, by the names of {one.project}{classes}"
        rows.append(("network" if number == 0 and len(found) == 1 else "", fits))
        rows += [("", f"  zoo: {_some(one.entries)}")] if one.entries else []
        rows += [("", f"  {line}") for line in (one.command, one.python) if line]
        rows += [("", f"  shapes do not tell, and assumed are: {', '.join(one.untold)}")] if one.untold else []
    if len(found) > _MOST_NETWORKS:
        others = ", ".join(str(one.backbone["type"]) for one in found[_MOST_NETWORKS:])
        rows.append(("", f"  and {others}"))
    return rows


def _called(backbone: Mapping[str, Any]) -> str:
    arguments = ", ".join(f"{key}={value!r}" for key, value in backbone.items() if key != "type")
    return f"{backbone['type']}({arguments})" if arguments else str(backbone["type"])


def _rows_elsewhere(one: Elsewhere) -> list[tuple[str, str]]:
    arguments = ", ".join(f"{key}={value!r}" for key, value in one.arguments.items())
    rows = [("network", f"{one.architecture} of {one.project} ({arguments}): essmc has no network of this layout")]
    return rows + ([("", f"  {one.advice}")] if one.advice else [])


def _near_rows(near: Nearest) -> list[tuple[str, str]]:
    rows = [("nearest", f"{_called(near.backbone)}, by the names of {near.project}: {near.tensors} tensors are equal")]
    for names, what in ((near.missing, "lacks"), (near.unknown, "has besides")):
        rows += [("", f"  the file {what} {_some(names)}")] if names else []
    shapes = tuple(f"{name} is {list(file)}, not {list(wanted)}" for name, file, wanted in near.other)
    return rows + ([("", f"  {_some(shapes)}")] if shapes else [])


def _some(entries: tuple[str, ...]) -> str:
    rest = f" and {len(entries) - _MOST_NETWORKS} more" if len(entries) > _MOST_NETWORKS else ""
    return ", ".join(entries[:_MOST_NETWORKS]) + rest


def _count(tensors: int) -> str:
    return "1 tensor" if tensors == 1 else f"{tensors} tensors"


def _size(nbytes: int) -> str:
    """Returns a number of bytes in abbreviated form: ``97.5 MB``."""
    return f"{human(nbytes)}B" if nbytes >= 1000 else f"{nbytes} B"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"


def _as_json(summary: Summary, depth: int) -> dict[str, Any]:
    contents = summary.contents
    recognition = _recognised(summary)
    return {
        "file": str(Path(contents.path)),
        "kind": contents.kind,
        "bytes": contents.nbytes,
        "program": summary.program or None,
        "metadata": dict(contents.metadata),
        "description": _description(summary),
        "beside": dict(summary.beside),
        "others": list(summary.others),
        "optimizer": {"tensors": summary.optimizer[0], "bytes": summary.optimizer[1]},
        "code": list(contents.opaque),
        "networks": [asdict(one) for one in recognition.networks],
        "elsewhere": [asdict(one) for one in recognition.elsewhere],
        "nearest": [asdict(one) for one in recognition.nearest],
        "parts": [_part_as_json(part, depth) for part in summary.parts],
    }


def _part_as_json(part: Part, depth: int) -> dict[str, Any]:
    return {
        "path": list(part.path),
        "averaged": part.averaged,
        **_numbers(part),
        "dtypes": _dtypes(part.tensors),
        "largest": [name for name, _ in _largest(part.tensors)],
        "groups": [_group_as_json(group) for group in grouped_tree(part.tensors, depth)],
        "state_dict": {
            name: {"shape": list(tensor.shape), "dtype": tensor.dtype, "bytes": tensor.nbytes,
                   "buffer": is_buffer(name, tensor)}
            for name, tensor in part.tensors.items()
        },
    }  # fmt: skip


def _group_as_json(group: Group) -> dict[str, Any]:
    inside = [_group_as_json(inner) for inner in group.groups.values()]
    return {"name": group.name, "tensors": group.tensors, "elements": group.numel, "groups": inside}

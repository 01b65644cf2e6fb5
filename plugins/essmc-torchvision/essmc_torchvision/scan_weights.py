"""Reads torchvision's enumerations of weights from its source files, without importing it.

Of each module only the enumerations are run, and the constants that they name. Where they name transforms, what is
recorded is which one with which arguments.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.foundation.source_statements import needed_statements
from essmc_torchvision.index import ModelName

_TRANSFORMS = ("ImageClassification", "VideoClassification")
_ENUMERATION = re.compile(r"\w+_Weights")


@dataclass(frozen=True, slots=True)
class Weights:
    """One of torchvision's weights.

    Attributes:
        name: model and member, e.g. ``resnet50.IMAGENET1K_V2``.
        module: as of `ModelName`.
        line: where its enumeration states it.
        stated: ``url``, ``transform`` with its arguments, and of ``meta`` what an entry needs.
    """

    name: str
    module: str
    line: int
    stated: Mapping[str, Any]


class _Interpolation:
    """In the place of torchvision's enumeration of interpolations, whose values are their names in lower case."""

    def __getattr__(self, name: str) -> str:
        return name.lower()


class _Stated(dict[str, Any]):
    """In the place of torchvision's record of weights: its arguments."""


def scan_weights(models_folder: Path, models: list[ModelName]) -> list[Weights]:
    """Returns the weights of classifiers, in the order of the source.

    Args:
        models_folder: the ``torchvision/models`` folder.
        models: the classifiers.
    """
    defaults = _transform_defaults(models_folder.parent / "transforms" / "_presets.py")
    found = []
    by_module: dict[str, list[str]] = {}
    for model in models:
        by_module.setdefault(model.module, []).append(model.name)
    for module, names in by_module.items():
        path = models_folder.joinpath(*module.split(".")[2:]).with_suffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        enumerations = _enumerations(tree, models_folder)
        for name, enumeration in _builders(tree, names):
            for member, line, record in _members(tree, enumerations[enumeration], enumeration):
                stated = _plain(record, defaults)
                found.append(Weights(f"{name}.{member}", module, line, {"name": f"{name}.{member}", **stated}))
    return found


def _enumerations(tree: ast.Module, models_folder: Path) -> dict[str, type]:
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and _ENUMERATION.fullmatch(node.name)]
    namespace: dict[str, Any] = {
        "WeightsEnum": object,
        "Weights": lambda **stated: _Stated(stated),
        # The name of a transform stands for it, and `partial` for its arguments.
        "partial": lambda transform, **arguments: {"transform": transform, **arguments},
        "InterpolationMode": _Interpolation(),
        **{name: name for name in _TRANSFORMS},
        **_constants(models_folder / "_meta.py"),
    }
    for statement in needed_statements(tree.body, names, list(namespace)):
        # What comes of torch is an annotation, which nothing needs here.
        if _is_foreign(statement):
            continue
        exec(compile(ast.Module([statement], []), "torchvision", "exec"), namespace)
    return {name: namespace[name] for name in names}


def _is_foreign(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.level > 0 or (statement.module or "").partition(".")[0] not in sys.stdlib_module_names
    return isinstance(statement, ast.Import)


def _constants(path: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)
    return {name: value for name, value in namespace.items() if name.endswith("_CATEGORIES")}


def _builders(tree: ast.Module, names: list[str]) -> Iterator[tuple[str, str]]:
    """Yields each model with the enumeration that its builder's argument ``weights`` is annotated with."""
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef):
            continue
        registered = [name for name in names if name == node.name or f'"{name}"' in _decorators(node)]
        for argument in node.args.kwonlyargs:
            annotation = "" if argument.annotation is None else ast.unparse(argument.annotation)
            found = _ENUMERATION.search(annotation)
            if registered and argument.arg == "weights" and found:
                yield registered[0], found[0]


def _decorators(node: ast.FunctionDef) -> str:
    return " ".join(ast.unparse(one).replace("'", '"') for one in node.decorator_list)


def _members(tree: ast.Module, enumeration: type, name: str) -> Iterator[tuple[str, int, _Stated]]:
    """Yields the members of an enumeration with their line; a second name of one, such as ``DEFAULT``, is none."""
    node = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    lines = {one.targets[0].id: one.lineno for one in node.body  # type: ignore[attr-defined]
             if isinstance(one, ast.Assign)}  # fmt: skip
    seen: set[int] = set()
    for member, record in vars(enumeration).items():
        if isinstance(record, _Stated) and id(record) not in seen:
            seen.add(id(record))
            yield member, lines.get(member, node.lineno), record


def _transform_defaults(path: Path) -> dict[str, dict[str, Any]]:
    """Returns the defaults of the arguments of transforms."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef) and node.name in _TRANSFORMS:
            init = next(one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
            pairs = zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True)
            found[node.name] = {one.arg: _default(value) for one, value in pairs if value is not None}
    return found


def _default(value: ast.expr) -> Any:
    return value.attr.lower() if isinstance(value, ast.Attribute) else ast.literal_eval(value)


def _plain(record: _Stated, defaults: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    transform = {**defaults[record["transforms"]["transform"]], **record["transforms"]}
    transform.pop("antialias", None)
    meta = record["meta"]
    (dataset, metrics), *_ = meta["_metrics"].items()
    kept = {key: meta[key] for key in ("num_params", "_ops", "recipe", "license", "min_size", "_docs") if key in meta}
    return {
        "url": record["url"], "transform": transform, "classes": len(meta["categories"] or ()), "dataset": dataset,
        "metrics": {name: value for name, value in metrics.items() if value == value}, **kept,
    }  # fmt: skip

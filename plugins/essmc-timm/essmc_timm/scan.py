"""Reads the names of timm's models from its source files, without importing it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from essmc_timm.model_names import Index

_EXPORTED_MODULE = re.compile(r"^from \.(\w+) import \*", re.MULTILINE)
_MODEL = re.compile(r"^@register_model\b[^\n]*\n(?:@[^\n]*\n)*def (\w+)", re.MULTILINE)
_DEPRECATIONS = re.compile(r"^register_model_deprecations\(.*?^\}?\)", re.MULTILINE | re.DOTALL)


def scan(models_folder: Path) -> Index:
    """Reads every model module that timm imports.

    Args:
        models_folder: the ``timm/models`` folder.

    Returns:
        The index; its names are those of ``timm.list_models()``.
    """
    models: dict[str, tuple[str, ...]] = {}
    deprecated: dict[str, str] = {}
    # Only modules the package imports register anything; private ones and leftovers of older versions do not.
    for module in _EXPORTED_MODULE.findall(_read(models_folder / "__init__.py")):
        source = _read(models_folder / f"{module}.py")
        if names := _MODEL.findall(source):
            models[module] = tuple(names)
        deprecated.update(_deprecations(source))
    return _without_duplicates(models, deprecated)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _deprecations(source: str) -> Iterator[tuple[str, str]]:
    """Yields (old name, ``arch`` or ``arch.tag``); names removed without a successor are left out."""
    for call in _DEPRECATIONS.findall(source):
        expression = ast.parse(call, mode="eval").body
        assert isinstance(expression, ast.Call)
        for old, new in ast.literal_eval(expression.args[1]).items():
            if new:
                yield old, new


def _without_duplicates(models: dict[str, tuple[str, ...]], deprecated: dict[str, str]) -> Index:
    """Keeps each name once, in the module that registers it last, as timm does."""
    owner = {name: module for module, names in models.items() for name in names if name not in deprecated}
    unique = {
        module: tuple(dict.fromkeys(name for name in names if owner.get(name) == module))
        for module, names in models.items()
    }
    return Index(models={module: names for module, names in unique.items() if names}, deprecated=deprecated)

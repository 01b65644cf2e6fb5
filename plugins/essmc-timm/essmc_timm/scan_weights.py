"""Reads what timm states of its pretrained weights from its source files, without importing it.

A module of timm's states them in ``default_cfgs``. Only the statements that make this dictionary are run: its
assignments, and whatever they name, functions and constants of the module. They are written with literals, and import
nothing but constants.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_core.errors import ConfigError
from essmc_core.foundation.licences import UNKNOWN, canonical_licence
from essmc_core.foundation.source_statements import needed_statements
from essmc_timm.model_names import Index, Weights

_STATED, _MAKER = "default_cfgs", "generate_default_cfgs"


def scan_weights(models_folder: Path, index: Index) -> list[Weights]:
    """Returns the weights of every model.

    Args:
        models_folder: the ``timm/models`` folder.
        index: the names of its models.
    """
    record = _pretrained_cfg(models_folder)
    found = []
    for module, names in index.models.items():
        path = models_folder / f"{module}.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        lines = _lines(tree)
        for key, stated in _default_cfgs(tree, models_folder).items():
            architecture, _, tag = key.partition(".")
            tag = tag.strip("*")
            name = f"{architecture}.{tag}" if tag else architecture
            facts = dict(stated) if isinstance(stated, Mapping) else dict(vars(stated))
            if architecture in names and any(facts.get(place) for place in ("url", "file", "hf_hub_id")):
                if facts.get("hf_hub_id") == "timm/":
                    facts["hf_hub_id"] = f"timm/{name}"
                own = {"name": name, "licence": spdx(facts.get("license"))}
                whole = {place: value for place, value in {**record, **facts, **own}.items() if value is not None}
                found.append(Weights(name, module, lines.get(key, 1), whole))
    return found


def _pretrained_cfg(models_folder: Path) -> dict[str, Any]:
    """Returns timm's defaults for what weights do not state, from the dataclass of them."""
    tree = ast.parse((models_folder / "_pretrained.py").read_text(encoding="utf-8"))
    record = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "PretrainedCfg")
    return {
        node.target.id: ast.literal_eval(node.value)
        for node in record.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None
    }


def _default_cfgs(tree: ast.Module, models_folder: Path) -> dict[str, Any]:
    """Runs the statements that make a module's dictionary of weights; empty if it has none."""
    statements = needed_statements(tree.body, [_STATED], [_MAKER])
    if not statements:
        return {}
    namespace: dict[str, Any] = {_MAKER: lambda stated: stated}
    for statement in statements:
        if isinstance(statement, (ast.Import, ast.ImportFrom)):
            namespace.update(_imported(statement, models_folder))
        else:
            exec(compile(ast.Module([statement], []), "timm", "exec"), namespace)
    return dict(namespace[_STATED])


def _imported(statement: ast.Import | ast.ImportFrom, models_folder: Path) -> dict[str, Any]:
    """Returns what an import binds: of the standard library, or a constant of timm's."""
    if isinstance(statement, ast.Import) or statement.module in sys.stdlib_module_names:
        namespace: dict[str, Any] = {}
        exec(compile(ast.Module([statement], []), "timm", "exec"), namespace)
        return namespace
    constants: dict[str, Any] = {}
    source = (models_folder.parent / "data" / "constants.py").read_text(encoding="utf-8")
    exec(compile(source, "timm/data/constants.py", "exec"), constants)
    wanted = {alias.name: alias.asname or alias.name for alias in statement.names}
    return {bound: constants[name] for name, bound in wanted.items() if name in constants}


def _lines(tree: ast.Module) -> dict[str, int]:
    """Returns the line of each text that is a key of a dictionary: of the weights, among others."""
    return {
        key.value: key.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


@functools.cache
def spdx(stated: str | None) -> str:
    """Returns timm's word for a licence as an SPDX expression: those that are not in its list are a LicenseRef."""
    if not stated or stated.casefold() in (UNKNOWN, "other"):
        return UNKNOWN
    try:
        return canonical_licence(stated)
    except ConfigError:
        return f"LicenseRef-{stated}"

"""What a pack's source says without being run: functions that look like hooks, and imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from essmc_core.discovery.remarks import HOOKS
from essmc_core.foundation.names import nearest
from essmc_devkit.installation.pack_under_test import PackUnderTest


@dataclass(frozen=True, slots=True)
class HookLike:
    """A function that is a hook or is probably meant as one.

    Attributes:
        module: name of its module.
        name: its own.
        line: where it is.
        marked: whether a decorator's name says hookimpl.
        meant: the hook whose name it has or resembles.
    """

    module: str
    name: str
    line: int
    marked: bool
    meant: str


@dataclass(frozen=True, slots=True)
class Import:
    """An import that the module cannot do without.

    Attributes:
        name: dotted name of what is imported.
        place: ``package/module.py:3``.
    """

    name: str
    place: str


@lru_cache(maxsize=4096)
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return ast.Module([], [])


def hook_like(pack: PackUnderTest) -> Iterator[HookLike]:
    """Yields functions at the top of modules, and methods of classes there, that are or resemble hooks."""
    for module, path in pack.modules():
        for node in _functions(_tree(path)):
            marked = any("hookimpl" in ast.unparse(one).lower() for one in node.decorator_list)
            meant = node.name if node.name in HOOKS else "".join(nearest(node.name, HOOKS, count=1))
            if marked or (meant and node.name.startswith("register")):
                yield HookLike(module, node.name, node.lineno, marked, meant)


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in tree.body:
        inner = node.body if isinstance(node, ast.ClassDef) else [node]
        yield from (one for one in inner if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef))


def imports(pack: PackUnderTest) -> Iterator[Import]:
    """Yields absolute imports; those of type checkers, and those whose failure is handled, are left out."""
    for _, path in pack.modules():
        for node in _needed(_tree(path)):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            place = f"{pack.shown(path)}:{node.lineno}"
            if isinstance(node, ast.Import):
                yield from (Import(alias.name, place) for alias in node.names)
            elif not node.level and node.module:
                yield Import(node.module, place)


def written_versions(pack: PackUnderTest) -> Iterator[tuple[str, str]]:
    """Yields where modules write a version as a text, and that version."""
    for _, path in pack.modules():
        for node in _tree(path).body:
            names = [one.id for one in getattr(node, "targets", ()) if isinstance(one, ast.Name)]
            value = getattr(node, "value", None)
            if "__version__" in names and isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield f"{pack.shown(path)}:{node.lineno}", value.value


def _needed(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from _needed(other)
        elif isinstance(child, ast.Try) and any(_handles_import_errors(one) for one in child.handlers):
            for other in (*child.orelse, *child.finalbody):
                yield from _needed(other)
        else:
            yield child
            yield from _needed(child)


def _handles_import_errors(handler: ast.ExceptHandler) -> bool:
    written = "" if handler.type is None else ast.unparse(handler.type)
    return not written or any(name in written for name in ("ImportError", "ModuleNotFoundError", "Exception"))

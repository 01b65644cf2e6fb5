"""Whether what a module does while it is imported and asked depends on nothing but its own text.

Such a module registers the same whenever it is asked, so what it registered may be remembered instead. The judgement is
a list of what is allowed: any import, attribute or built-in function that is not in it makes a module one that is
always imported.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Iterator

from essmc_core.registry.kinds import BUILT_IN, SYNONYMS

_IMPORTS = {
    "__future__": None,
    "typing": None,
    "collections.abc": None,
    "pathlib": {"Path", "PurePath"},
    "essmc_core": {"hookimpl"},
    "essmc_core.discovery.hooks": {"hookimpl", "StagedCommands", "StagedRegistries", "StagedRegistry", "StagedZoo"},
}
_BUILT_INS = frozenset((
    "range", "len", "enumerate", "zip", "sorted", "reversed", "list", "tuple", "dict", "set", "frozenset", "str",
    "int", "float", "bool", "min", "max", "sum", "any", "all", "map", "filter", "isinstance", "None", "True", "False",
    "__file__", "__name__", "__doc__",
))  # fmt: skip
_ATTRIBUTES = frozenset((
    "hookimpl", "register", "add_kind", "add_directory", "add_template", "add_lazy", "parent", "joinpath",
    "with_name", "items", "keys", "values", "get", "fromkeys", "format", "lower", "upper", "title", "capitalize",
    "strip", "lstrip", "rstrip", "removeprefix", "removesuffix", "replace", "split", "partition", "rpartition",
    "join", "append", "extend", "startswith", "endswith", "name", "stem", "update",
    *BUILT_IN, *SYNONYMS,
))  # fmt: skip
_SYNTAX = (
    ast.Module, ast.Expr, ast.Constant, ast.Import, ast.ImportFrom, ast.alias, ast.Assign, ast.AnnAssign, ast.AugAssign,
    ast.FunctionDef, ast.arguments, ast.arg, ast.Lambda, ast.Return, ast.Pass, ast.For, ast.If, ast.IfExp, ast.Continue,
    ast.Break, ast.Name, ast.expr_context, ast.Attribute, ast.Call, ast.keyword, ast.Starred, ast.List, ast.Tuple,
    ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.comprehension, ast.JoinedStr,
    ast.FormattedValue, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop,
    ast.cmpop, ast.Subscript, ast.Slice,
)  # fmt: skip


def is_constant(source: str, beside: Collection[str] = ()) -> bool:
    """Returns whether a module's effects depend on its text alone.

    Args:
        source: the module's text.
        beside: names of modules that are constant if this one is; it may import anything from them.
    """
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    # A name of a function of Python that is not in the list stays forbidden when it is also bound.
    known = _BUILT_INS | {name for name in _bound_names(nodes) if not hasattr(builtins, name)}
    return all(_is_allowed(node, known, beside) for node in nodes)


def _is_allowed(node: ast.AST, known: Collection[str], beside: Collection[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in known
    if isinstance(node, ast.Attribute):
        return node.attr in _ATTRIBUTES and isinstance(node.ctx, ast.Load)
    if isinstance(node, ast.Import):
        return all(alias.name == "essmc_core" or alias.name in beside for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        return _may_import_from(node, beside)
    return isinstance(node, _SYNTAX)


def _may_import_from(node: ast.ImportFrom, beside: Collection[str]) -> bool:
    module = node.module or ""
    # A relative import is not resolved here.
    if node.level or any(alias.name == "*" for alias in node.names):
        return False
    if module in _IMPORTS:
        names = _IMPORTS[module]
        return names is None or all(alias.name in names for alias in node.names)
    return module in beside


def _bound_names(nodes: list[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef):
            yield node.name
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]

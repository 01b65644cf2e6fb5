"""Which statements at the top of a module make some of its names, so that these can be run without the module."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator


def needed_statements(body: list[ast.stmt], names: Collection[str], given: Collection[str] = ()) -> list[ast.stmt]:
    """Returns the statements that names depend on, in their order.

    Args:
        body: the statements of a module.
        names: what is wanted. A statement that changes one of these, such as ``table.update(...)``, counts as well.
        given: names that exist already; what makes them is left out.
    """
    wanted, taken = set(names), set[int]()
    while True:
        new = [
            number
            for number, statement in enumerate(body)
            if number not in taken and wanted & set(_bound(statement, names)) - set(given)
        ]
        if not new:
            return [body[number] for number in sorted(taken)]
        taken.update(new)
        wanted.update(name.id for number in new for name in ast.walk(body[number]) if isinstance(name, ast.Name))


def _bound(statement: ast.stmt, names: Collection[str]) -> Iterator[str]:
    """Yields the names that a statement binds, and those of ``names`` that it changes."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        yield from (name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name))
    elif isinstance(statement, (ast.Expr, ast.For, ast.If)):
        yield from (name.id for name in ast.walk(statement) if isinstance(name, ast.Name) and name.id in names)

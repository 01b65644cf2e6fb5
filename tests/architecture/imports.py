"""All imports of the distributions, read from their source: those inside functions and under TYPE_CHECKING too."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKS = {path.name.replace("-", "_"): path for path in sorted((ROOT / "plugins").iterdir()) if path.is_dir()}
DISTRIBUTIONS = {"essmc_core": ROOT, **PACKS}
Graph = Mapping[str, set[str]]


def modules_of(package: str) -> dict[str, Path]:
    """Returns the modules of a distribution, by dotted name."""
    root = DISTRIBUTIONS[package]
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = list(path.relative_to(root).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported_names(module: str, path: Path) -> list[str]:
    """Returns what a module imports, as ``package.module.name``, wherever in the module the import stands."""
    above = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = above[: len(above) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def imports_of(package: str) -> dict[str, set[str]]:
    """Returns the modules of a distribution that each of its modules imports."""
    known = modules_of(package)
    graph = {}
    for module, path in known.items():
        named = (_module(name, known) for name in imported_names(module, path))
        graph[module] = {other for other in named if other is not None and other != module}
    return graph


def _module(name: str, known: Mapping[str, Path]) -> str | None:
    while name and name not in known:
        name = name.rpartition(".")[0]
    return name or None


def room(module: str) -> str:
    """Returns the entry of a listing that a module stands in; the distribution's own name for its top."""
    return module.split(".")[1] if "." in module else module


def between_rooms(graph: Graph) -> dict[str, set[str]]:
    """Returns the rooms that each room imports from."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for module, imported in graph.items():
        rooms[room(module)] |= {room(other) for other in imported} - {room(module)}
    return dict(rooms)


def circle(graph: Graph) -> list[str]:
    """Returns the names along one circle, empty where there is none."""
    done: set[str] = set()
    for start in graph:
        found = _walk(start, graph, [], done)
        if found:
            return found
    return []


def _walk(node: str, graph: Graph, path: list[str], done: set[str]) -> list[str]:
    if node in path:
        return [*path[path.index(node) :], node]
    if node in done:
        return []
    for other in sorted(graph.get(node, ())):
        found = _walk(other, graph, [*path, node], done)
        if found:
            return found
    done.add(node)
    return []


def arrows(graph: Graph) -> Iterable[tuple[str, str]]:
    """Yields every pair of one that imports and one that is imported."""
    return ((name, other) for name, imported in graph.items() for other in imported)

"""What is deprecated is listed for users, and goes when its version comes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from packaging.version import Version

from essmc_core import __version__
from essmc_core.foundation import deprecation
from tests.architecture.imports import DISTRIBUTIONS, ROOT, modules_of

HELPERS = ("deprecated", "renamed_argument", "moved")


def removals(source: str) -> Iterator[tuple[int, str]]:
    """Yields line and version of each use of the helpers."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
            name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if name in HELPERS and "removal" in given:
                version = given["removal"]
                assert isinstance(version, ast.Constant) and isinstance(version.value, str), f"line {node.lineno}"
                yield node.lineno, version.value


def overdue(source: str, version: str) -> list[int]:
    return [line for line, removal in removals(source) if Version(removal) <= Version(version)]


def sources() -> Iterator[tuple[Path, str]]:
    for package in DISTRIBUTIONS:
        for path in modules_of(package).values():
            if path != Path(deprecation.__file__):
                yield path, path.read_text(encoding="utf-8")


def test_nothing_stays_beyond_its_version():
    late = {str(path): lines for path, text in sources() if (lines := overdue(text, __version__))}
    assert late == {}, "remove these, and their lines in docs/compatibility.md"


def test_the_list_for_users_has_as_many_lines_as_there_are_uses():
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"\n## What is deprecated now\n(.*?)(?:\n## |\Z)", page, re.DOTALL)
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    listed = sorted(row.rsplit("|", 2)[1].strip() for row in rows)
    assert listed == sorted(removal for _, text in sources() for _, removal in removals(text))


def test_what_is_overdue_is_found():
    source = '@deprecated(instead="x", removal="0.4")\ndef f(): ...\n__getattr__ = m.moved("a", {}, removal="0.10")\n'
    assert overdue(source, "0.3.9") == []
    assert overdue(source, "0.4.0") == [1]
    assert overdue(source, "0.11") == [1, 3]

"""The plan of the house: no import goes in a circle, and none from a lower layer to a higher one."""

from __future__ import annotations

import re
import sys

import pytest

from tests.architecture.imports import (
    DISTRIBUTIONS,
    PACKS,
    ROOT,
    arrows,
    between_rooms,
    circle,
    imported_names,
    imports_of,
    modules_of,
    room,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LAYERS = (
    "location", "errors", "foundation", "config", "contract", "signatures", "registry", "weights", "building", "inputs",
    "zoo", "index", "discovery", "models", "installation", "cli",
)  # fmt: skip
"""The rooms of essmc_core from the ground up; docs/design.md draws the same."""
UNNAMED = {"__init__.py", "__main__.py", "py.typed", "__pycache__"}
MOST_ROOMS, MOST_ARROWS = 20, 87


@pytest.mark.parametrize("package", DISTRIBUTIONS)
def test_no_import_goes_in_a_circle(package):
    assert circle(imports_of(package)) == []


@pytest.mark.parametrize("package", DISTRIBUTIONS)
def test_no_folders_import_each_other(package):
    rooms = between_rooms(imports_of(package))
    # What a distribution exports at its top comes from everywhere below it.
    rooms.pop(package, None)
    assert circle(rooms) == []


def test_the_core_imports_downwards_alone():
    graph = imports_of("essmc_core")
    rank = {name: number for number, name in enumerate(LAYERS)}
    upwards = [
        f"{module} imports {other}"
        for module, other in arrows(graph)
        if room(module) in rank and rank[room(module)] < rank.get(room(other), len(rank))
    ]
    assert upwards == []


def test_the_listing_of_the_core_shows_its_layers():
    entries = {path.name for path in (ROOT / "essmc_core").iterdir()} - UNNAMED
    assert {name.removesuffix(".py") for name in entries} == set(LAYERS)
    assert len(entries) <= 16
    rooms = between_rooms(imports_of("essmc_core"))
    assert len(rooms) <= MOST_ROOMS
    assert sum(map(len, rooms.values())) <= MOST_ARROWS


def test_the_picture_in_the_design_has_the_same_layers():
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    (picture,) = re.findall(r"<!-- layers, from the ground up -->\n(.*?)\n\n", text, re.DOTALL)
    assert tuple(re.findall(r"^\| `([a-z]+)(?:/|\.py)` \|", picture, re.MULTILINE)) == LAYERS


@pytest.mark.parametrize("package", PACKS)
def test_packs_import_what_they_depend_on(package):
    table = tomllib.loads((PACKS[package] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = {re.split(r"[^\w-]", line)[0].replace("-", "_") for line in table["dependencies"]}
    for module, path in modules_of(package).items():
        ours = {name.partition(".")[0] for name in imported_names(module, path)} & set(DISTRIBUTIONS)
        assert ours <= {package, *stated}, module


def test_packs_import_modules_that_are_theirs_to_import():
    text = (ROOT / "docs" / "packs.md").read_text(encoding="utf-8")
    (section,) = re.findall(r"\n## What a pack may import\n(.*?)(?:\n## |\Z)", text, re.DOTALL)
    listed = set(re.findall(r"`(essmc_core(?:\.\w+)*(?:\.\*)?)`", section))
    known = set(modules_of("essmc_core"))
    assert {name.removesuffix(".*") for name in listed} <= known, "the list names modules that are there"
    taken = set()
    for package in PACKS:
        for module, path in modules_of(package).items():
            for name in imported_names(module, path):
                if name.partition(".")[0] == "essmc_core":
                    taken.add(_home(name, known))
    allowed = {name for name in known if name in listed or f"{name.rpartition('.')[0]}.*" in listed}
    assert sorted(taken - allowed) == []
    assert sorted(name for name in listed if not name.endswith(".*") and name not in taken | {"essmc_core"}) == []


def _home(name: str, known: set[str]) -> str:
    while name not in known:
        name = name.rpartition(".")[0]
    return name


def test_a_circle_and_an_arrow_upwards_are_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert circle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert between_rooms({"p.a.x": {"p.b.y", "p.a.z"}, "p.b.y": set()}) == {"a": {"b"}, "b": set()}

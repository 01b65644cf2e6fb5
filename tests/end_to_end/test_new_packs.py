"""Packs of all kinds pass their tests, linters and `essmc check` the moment they are made, away from the checkout."""

from __future__ import annotations

import json
import zipfile

import pytest

from essmc_devkit.new_pack.kinds import KINDS
from tests.end_to_end.reader import Reader, build_wheels, link_libraries

OURS = ("essmc-classifiers", "essmc-data", "essmc-devkit", "essmc-solvers", "essmc-timm")
PACKS = {"owl": f"--kind {','.join(KINDS)} --with-weights --author Ada --licence MIT", "jay": "--with-zoo"}
"""Of all kinds; and with an entry whose parts are those of other packs."""
LEFT_TO_CHECK = "not onnx and not export and not new_processes"
"""What takes long and is the same in the pack's tests and in `essmc check` runs once."""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Has the devkit and the new packs installed, all from wheels."""
    folder = tmp_path_factory.mktemp("new-packs")
    made = Reader(folder / "work", link_libraries(folder / "libraries"), build_wheels(folder / "wheels", *OURS))
    made.type("pip install -q essmc-devkit essmc-classifiers essmc-solvers essmc-timm")
    for name, options in PACKS.items():
        made.type(f"essmc new-pack {name} {options}")
    made.type(f"pip install -q {' '.join(f'./essmc-{name}[test]' for name in PACKS)}")
    return made


def test_a_pack_of_all_kinds_passes_its_own_tests(reader: Reader) -> None:
    shown = reader.type(f"pytest -q essmc-owl -k '{LEFT_TO_CHECK}'").stdout
    assert " passed" in shown


def test_essmc_check_finds_nothing(reader: Reader) -> None:
    reader.type("python -m build --wheel -o dist essmc-owl")
    findings = json.loads(reader.type("essmc check dist/essmc_owl-0.1.0-py3-none-any.whl --json").stdout)
    assert [finding for finding in findings if finding["status"] in ("failed", "warning")] == []
    assert sum(finding["status"] == "ok" for finding in findings) >= 150


def test_linters_find_nothing(reader: Reader) -> None:
    reader.type("ruff check essmc-* && ruff format --check essmc-*")


def test_what_the_entries_cost_is_as_stated(reader: Reader) -> None:
    for name in PACKS:
        (verified,) = json.loads(reader.type(f"essmc verify {name}_tiny --json").stdout)
        assert verified["problems"] == []


def test_the_wheel_holds_entry_labels_weights_and_licence(reader: Reader) -> None:
    reader.type("python -m build --wheel -o built essmc-owl")
    (wheel,) = (reader.cwd / "built").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    for name in ("zoo/owl_tiny.yaml", "zoo/owl_tiny.txt", "weights/owl_tiny.safetensors", "py.typed"):
        assert f"essmc_owl/{name}" in names
    assert "essmc_owl-0.1.0.dist-info/licenses/LICENSE" in names
    assert not [name for name in names if name.startswith(("tests", "src"))]

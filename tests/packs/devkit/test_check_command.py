"""``essmc check`` as it is typed: folders are built, wheels unpacked, and the exit status says what failed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from essmc_devkit.command import check
from tests.packs.devkit.broken_packs import SOUND

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the sound pack's folder."""
    return Path(shutil.copytree(SOUND, tmp_path / "pack", ignore=shutil.ignore_patterns("__pycache__")))


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(check, [*arguments, "--fast"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def failed(*arguments: str) -> dict[str, dict[str, Any]]:
    status, text = run(*arguments, "--json")
    found = {one["check"]: one for one in json.loads(text) if one["status"] == "failed"}
    assert status == bool(found)
    return found


def test_a_sound_folder_is_in_order_and_stays_as_it_is(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    status, text = run(str(folder))
    assert status == 0
    assert text.splitlines()[-1] == "23 findings: 23 ok"
    assert sorted(folder.rglob("*")) == before


def test_data_files_that_the_build_leaves_out_are_named(folder: Path) -> None:
    with open(folder / "pyproject.toml", "a", encoding="utf-8") as file:
        file.write('exclude = ["*.txt"]\n')
    found = failed(str(folder))
    assert set(found) == {"installation.package-data"}
    assert "lacks essmc_sound/zoo/sound_tiny.txt" in found["installation.package-data"]["message"]


def test_a_folder_that_cannot_be_built_is_one_finding(folder: Path) -> None:
    text = (folder / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(text.replace('"hatchling>=1.27"', '"no-such-tool"'), encoding="utf-8")
    found = failed(str(folder))
    assert set(found) == {"installation.build"}
    assert "no-such-tool" in found["installation.build"]["message"]
    assert found["installation.build"]["fix"]


def test_a_wheel_that_is_none_is_one_finding(tmp_path: Path) -> None:
    wheel = tmp_path / "essmc_odd-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"no archive")
    assert set(failed(str(wheel))) == {"installation.install"}


def test_strict_counts_warnings(folder: Path) -> None:
    (folder / "essmc_sound" / "py.typed").unlink()
    assert run(str(folder))[0] == 0
    status, text = run(str(folder), "--strict")
    assert status == 1
    (line,) = (line for line in text.splitlines() if line.startswith("warning"))
    assert "has no py.typed" in line and "→ put an empty file py.typed into essmc_sound" in line

"""Every command and snippet of the README runs and shows what the README says it shows."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.pages import reader_environment, run_commands

README = Path(__file__).parents[2] / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def _blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


@pytest.fixture(scope="module")
def example_pack(tmp_path_factory) -> Path:
    """The README's pack, installed by pip into a folder of its own."""
    source = tmp_path_factory.mktemp("source")
    lines = 0
    for language in ("toml", "python"):
        for text in _blocks(language):
            name = re.match(r"# (\S+\.\w+)\n", text)
            if name:
                path = source / name[1]
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
                lines += len(text.splitlines()) - 1
    assert 20 < lines < 30, "the README says under 30 lines"
    target = tmp_path_factory.mktemp("target")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", target]
    subprocess.run([*map(str, command), str(source)], check=True, timeout=120)
    return target


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """What the README's first command leaves behind."""
    folder = tmp_path_factory.mktemp("trained")
    command = _blocks("bash")[0].split("&&")[-1].split()
    assert command[:2] == ["essmc", "train"]
    subprocess.run(command, check=True, cwd=folder, env=reader_environment(), timeout=600)
    return folder / "work_dirs"


@pytest.mark.parametrize("block", _blocks("console"), ids=lambda block: block.splitlines()[0][2:])
def test_commands_run_in_their_order_and_show_what_the_readme_shows(block, example_pack, tmp_path, request):
    import skimage.data

    photo = Path(skimage.data.__file__).with_name("chelsea.png")
    (tmp_path / "chelsea.png").write_bytes(photo.read_bytes())
    if "work_dirs/" in block:
        shutil.copytree(request.getfixturevalue("trained"), tmp_path / "work_dirs")
    run_commands(block, tmp_path, reader_environment(example_pack))


def test_python_snippet_runs(tmp_path):
    snippets = [text for text in _blocks("python") if not text.startswith("# essmc_")]
    assert snippets
    for text in snippets:
        subprocess.run([sys.executable, "-c", text], check=True, cwd=tmp_path, timeout=300)


def test_the_set_up_commands_are_exactly_two():
    assert [text.strip() for text in _blocks("bash")] == [
        "pip install . ./plugins/* && essmc demo && essmc train motion_digits",
        "pip install '.[test]' ./plugins/* && pytest",
    ]


def test_every_variable_of_the_table_is_read_by_the_code():
    root = README.parent
    files = [path for folder in ("essmc_core", "plugins") for path in (root / folder).rglob("*.py")]
    sources = "".join(path.read_text(encoding="utf-8") for path in files)
    variables = re.findall(r"^\| `(ESSMC_\w+)=", README.read_text(), re.MULTILINE)
    assert len(variables) == 12
    assert set(variables) == set(re.findall(r'"(ESSMC_[A-Z_]+)"', sources))

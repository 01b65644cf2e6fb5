"""A pack is made as a whole or not at all, whatever is in the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from essmc_devkit.new_pack.kinds import KINDS
from essmc_devkit.new_pack.making import FolderRefused, FolderTaken, make
from essmc_devkit.new_pack.names import names_from
from essmc_devkit.new_pack.plan import Plan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

HEAD = Plan(names_from("sparrow"), ("head",))


def files_of(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_pack_of_one_head_has_what_publishing_takes_and_nothing_of_other_kinds(tmp_path):
    folder = make(HEAD, tmp_path)
    assert folder == tmp_path / "essmc-sparrow"
    assert files_of(folder) == [
        ".copier-answers.yml",
        ".github/workflows/ci.yml",
        ".github/workflows/publish.yml",
        ".gitignore",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src/essmc_sparrow/__init__.py",
        "src/essmc_sparrow/head.py",
        "src/essmc_sparrow/plugin.py",
        "src/essmc_sparrow/py.typed",
        "tests/test_head.py",
        "tests/test_pack.py",
    ]
    assert os.listdir(tmp_path) == ["essmc-sparrow"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_brings_its_module_and_its_tests(kind, tmp_path):
    folder = make(Plan(names_from("sparrow"), (kind,)), tmp_path)
    module = {"solver-hook": "hook"}.get(kind, kind)
    files = files_of(folder)
    assert f"src/essmc_sparrow/{module}.py" in files
    assert f"tests/test_{module}.py" in files
    plugin = (folder / "src/essmc_sparrow/plugin.py").read_text()
    assert plugin.count("@hookimpl") == 1
    compile(plugin, "plugin.py", "exec")


def test_nothing_of_the_template_is_left_unfilled(tmp_path):
    asked = Plan(
        names_from("sparrow"), tuple(KINDS), True, True, 'Ada "the" Lovelace', "a@b.org", "MIT", ["einops>=0.8"]
    )
    folder = make(asked, tmp_path)
    for path in folder.rglob("*"):
        assert "{" not in path.name and "jinja" not in path.name
        if path.is_file() and ".github" not in path.parts:
            assert "{{" not in path.read_text() and "{%" not in path.read_text()
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert project["authors"] == [{"name": 'Ada "the" Lovelace', "email": "a@b.org"}]
    assert project["entry-points"]["essmc"] == {"sparrow": "essmc_sparrow.plugin"}
    assert "einops>=0.8" in project["dependencies"]
    workflow = (folder / ".github/workflows/ci.yml").read_text()
    assert "${{ matrix.python }}" in workflow and "essmc check" in workflow


@pytest.mark.parametrize(
    ("licence", "text"),
    [
        ("Apache-2.0", "Apache License"),
        ("MIT", "Permission is hereby granted"),
        ("BSD-3-Clause", "Redistribution and use"),
        ("MPL-2.0", "SPDX-License-Identifier: MPL-2.0"),
    ],
)
def test_the_licence_is_stated_and_its_text_is_there(licence, text, tmp_path):
    folder = make(Plan(names_from("sparrow"), ("loss",), author="Ada", licence=licence), tmp_path)
    assert text in (folder / "LICENSE").read_text()
    assert tomllib.loads((folder / "pyproject.toml").read_text())["project"]["license"] == licence
    assert (licence == "Apache-2.0") == ("Ada" not in (folder / "LICENSE").read_text())


def test_what_is_there_already_stays_as_it_is(tmp_path):
    folder = make(HEAD, tmp_path)
    (folder / "README.md").write_text("mine")
    with pytest.raises(FolderTaken, match="--update"):
        make(HEAD, tmp_path)
    assert (folder / "README.md").read_text() == "mine"
    (tmp_path / "other" / "essmc-sparrow").mkdir(parents=True)
    with pytest.raises(FolderTaken, match="another name"):
        make(HEAD, tmp_path / "other")
    (tmp_path / "dangling").mkdir()
    (tmp_path / "dangling" / "essmc-sparrow").symlink_to("nowhere")
    with pytest.raises(FolderTaken):
        make(HEAD, tmp_path / "dangling")
    assert sorted(os.listdir(tmp_path / "other")) == sorted(os.listdir(tmp_path / "dangling")) == ["essmc-sparrow"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderRefused, match="--into"):
        make(HEAD, tmp_path / "file" / "packs")
    if os.getuid() != 0:  # to root, every folder can be written to
        (tmp_path / "shut").mkdir(mode=0o500)
        with pytest.raises(FolderRefused, match="Permission denied"):
            make(HEAD, tmp_path / "shut")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_what_fails_or_is_interrupted_midway_leaves_nothing(error, tmp_path):
    def interrupt(folder):
        assert (folder / "pyproject.toml").is_file()
        raise error

    with pytest.raises(error):
        make(HEAD, tmp_path / "new" / "packs", interrupt)
    assert os.listdir(tmp_path) == []


def test_it_says_what_it_made_and_what_comes_next(python):
    done = python.essmc("new-pack", "My Sparrow", "--kind", "loss", "--kind", "command", "--into", "packs")
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "Made essmc-my-sparrow in packs/essmc-my-sparrow: losses/MySparrowLoss, essmc my-sparrow.",
        "Next:",
        "  cd packs/essmc-my-sparrow",
        "  pip install -e '.[test]'",
        "  pytest && essmc check .",
    ]
    facts = json.loads(python.essmc("new-pack", "wren", "--json").stdout)
    assert facts["distribution"] == "essmc-wren"
    assert facts["brings"] == ["heads/WrenHead"]
    assert "pyproject.toml" in facts["files"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "give the pack a name"),
        (("core",), "no pack may be called 'core'"),
        (("wren", "--kind", "hed"), "did you mean 'head'"),
        (("wren", "--licence", "mine"), "no SPDX licence expression"),
        (("wren", "--requires", "torchvision => 1"), "no requirement that pip reads"),
        (("video",), "is installed already"),
        (("--update", "."), "was not made by `essmc new-pack`"),
    ],
)
def test_a_mistake_is_one_message_with_exit_status_2_and_leaves_nothing(arguments, said, python):
    done = python.essmc("new-pack", *arguments, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert os.listdir(python.cwd) == []


def test_inside_a_repository_it_makes_a_folder_there_and_touches_nothing_else(python):
    for command in (["git", "init", "-q"], ["git", "add", "--all"]):
        subprocess.run(command, cwd=python.cwd, check=True)
    said = python.essmc("new-pack", "wren").stderr
    assert f"inside the repository {python.cwd}" in said and "move .github there" in said
    shown = subprocess.run(["git", "status", "--short"], cwd=python.cwd, check=True, capture_output=True, text=True)
    assert shown.stdout == "?? essmc-wren/\n"
    assert not (python.cwd / "essmc-wren" / ".git").exists()


def test_ctrl_c_leaves_nothing(python):
    command = [sys.executable, "-m", "essmc_core", "new-pack", "wren", "--with-weights"]
    process = subprocess.Popen(
        command, cwd=python.cwd, env=python.environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    assert "training" in process.stderr.readline()
    time.sleep(0.5)
    assert os.listdir(python.cwd) != []
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(timeout=60) == 130
    assert os.listdir(python.cwd) == []

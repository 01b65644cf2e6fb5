"""A later template's changes come to a pack; what its author changed stays."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from essmc_devkit.new_pack import templates, updating
from essmc_devkit.new_pack.names import names_from
from essmc_devkit.new_pack.plan import Plan
from essmc_devkit.new_pack.rendering import TEMPLATE, VERSION, render
from essmc_devkit.new_pack.replacing import replace_files
from essmc_devkit.new_pack.updating import NotUpdatable, Update, update

HEAD, CI = "src/essmc_sparrow/head.py", ".github/workflows/ci.yml"


@pytest.fixture
def known(tmp_path: Path) -> dict[str, Path]:
    """The template, and a later one: lines of two files changed, a file added, one removed, one question more."""
    later = tmp_path / "later"
    shutil.copytree(TEMPLATE, later)
    replace(later / "project" / CI, "checkout@v4", "checkout@v9")
    replace(later / "project/src/{{ package }}/head.py.jinja", "Returns raw scores", "Returns scores before softmax")
    (later / "project/SECURITY.md.jinja").write_text("Write to {{ contact }}.\n")
    (later / "project/CHANGELOG.md.jinja").unlink()
    with open(later / "copier.yml", "a") as file:
        file.write("contact: {type: str, default: the author}\n")
    return {"1": TEMPLATE, "2": later}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    folder = tmp_path / "essmc-sparrow"
    render(TEMPLATE, folder, Plan(names_from("sparrow"), ("head",)).answers(), "1")
    return folder


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_both_the_templates_changes_and_the_authors_are_there(pack, known):
    replace(pack / HEAD, "self.fc = nn.Linear", "self.layer = nn.Linear")
    replace(pack / "pyproject.toml", 'version = "0.1.0"', 'version = "3.2.1"')
    (pack / "src/essmc_sparrow/mine.py").write_text("mine = 1\n")
    (pack / "README.md").unlink()
    before = content(pack)
    assert update(pack, known) == Update(
        "1", "2", (".copier-answers.yml", CI, "SECURITY.md", HEAD), removed=("CHANGELOG.md",)
    )
    head = (pack / HEAD).read_text()
    assert "self.layer = nn.Linear" in head and "Returns scores before softmax" in head
    assert "checkout@v9" in (pack / CI).read_text()
    assert (pack / "SECURITY.md").read_text() == "Write to the author.\n"
    assert not (pack / "README.md").exists(), "what the author removed does not come back"
    answers = yaml.safe_load((pack / ".copier-answers.yml").read_text())
    assert (answers["_commit"], answers["_src_path"], answers["contact"]) == ("2", "essmc-devkit", "the author")
    after = content(pack)
    assert {name for name in before if before[name] != after.get(name)} == {
        ".copier-answers.yml", CI, HEAD, "CHANGELOG.md",
    }  # fmt: skip
    assert update(pack, known) == Update("2", "2")
    assert content(pack) == after, "the newest template changes nothing"


@pytest.mark.slow
def test_lines_that_both_changed_are_marked_with_both(pack, known):
    replace(pack / HEAD, "Returns raw scores", "Gives raw scores")
    assert update(pack, known).conflicts == (HEAD,)
    head = (pack / HEAD).read_text()
    assert "Gives raw scores" in head and "Returns scores before softmax" in head and "<<<<<<<" in head


@pytest.mark.slow
def test_a_pack_within_a_repository_is_updated_from_an_archive_whatever_state_that_is_in(pack, known, tmp_path):
    repository = pack.parent
    subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    replace(pack / HEAD, "self.fc", "self.layer")
    archive = shutil.make_archive(str(tmp_path / "1"), "zip", TEMPLATE)
    update(pack, {"1": Path(archive), "2": known["2"]})
    assert "checkout@v9" in (pack / CI).read_text()
    assert not (pack / ".git").exists()
    shown = subprocess.run(["git", "log"], cwd=repository, capture_output=True, check=False)
    assert shown.returncode != 0, "nothing was committed"


def test_a_pack_of_a_later_devkit_is_refused(pack, known):
    before = content(pack)
    with pytest.raises(NotUpdatable, match="pip install -U essmc-devkit"):
        update(pack, {"7": TEMPLATE, "8": known["2"]})
    assert content(pack) == before


@pytest.mark.parametrize("text", ["- a list", "{", "\0"])
def test_a_file_of_answers_that_cannot_be_read_is_named(text, pack, known):
    (pack / ".copier-answers.yml").write_text(text)
    with pytest.raises(NotUpdatable, match=r"\.copier-answers\.yml"):
        update(pack, known)


def test_an_update_that_is_interrupted_changes_nothing(pack, known, monkeypatch):
    before = content(pack)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(updating, "_copier_update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        update(pack, known)
    assert content(pack) == before


def test_files_are_replaced_all_or_none(tmp_path):
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    (tmp_path / "folder").mkdir()
    before = content(tmp_path)
    with pytest.raises(OSError, match="folder"):
        replace_files(tmp_path, {"a": b"new", "new": b"new", "folder": b"no file"}, ["b"])
    assert content(tmp_path) == before
    replace_files(tmp_path, {"a": b"new"}, ["b"])
    assert content(tmp_path) == {"a": b"new"}


def test_all_versions_before_the_current_one_are_kept():
    assert list(templates.versions()) == [str(number) for number in range(1, int(VERSION) + 1)]


def test_a_version_that_was_released_stays_as_it_was(tmp_path):
    kept = templates.HISTORY / f"{VERSION}.zip"
    if not kept.is_file():
        # No devkit with this template was released: the archive is made with the release.
        templates.copy_template(templates.keep(tmp_path / "history"), tmp_path / "kept")
    else:
        templates.copy_template(kept, tmp_path / "kept")
    templates.copy_template(TEMPLATE, tmp_path / "current")
    assert content(tmp_path / "kept") == content(tmp_path / "current"), (
        "raise VERSION in essmc_devkit.new_pack.rendering"
    )
    assert os.listdir(tmp_path / "kept") != []


def test_the_command_says_what_it_did(pack, python):
    done = python.essmc("new-pack", "--update", str(pack))
    assert done.stdout == f"{pack} has the newest template, version {VERSION}.\n"

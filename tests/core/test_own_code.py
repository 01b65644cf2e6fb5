"""The user's own code: which module a file becomes, what is refused, who has agreed, and that every process has it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from essmc_core.errors import ConfigError
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.recipes import read_recipe
from essmc_core.registry import own_code, trusted_code
from essmc_core.registry.own_code import OwnCodeError, import_own_code
from essmc_core.registry.trusted_code import UntrustedCode, require_trust, trust

HEAD = '''
from essmc_core import HEADS

@HEADS.register()
class {name}:
    """{name} of the user."""
'''


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """An empty project as the current folder; what a test registers and imports goes with it."""
    before, path = set(sys.modules), list(sys.path)
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "cache"))
    for variable in (own_code.VARIABLE, trusted_code.VARIABLE):
        # Set, so that what the code under test sets is put back.
        monkeypatch.setenv(variable, "")
    yield project
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", None)):
            del sys.modules[name]
    for registry in REGISTRIES:
        registry.table.remove_where(lambda record: record.pack == "local" and record.name.startswith("Mine"))


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_is_a_module_that_registers_once(own):
    file = write(own / "mine_heads.py", HEAD.format(name="MineHead"))
    first, second = import_own_code(file), import_own_code("mine_heads.py")
    assert first is second is sys.modules["mine_heads"]
    assert REGISTRIES["heads"]["MineHead"] is first.MineHead
    assert REGISTRIES["heads"].component("MineHead").pack == "local"


def test_a_file_in_a_package_is_a_module_of_it_and_its_neighbours_are_importable(own):
    write(own / "lib/mine_package/__init__.py", "")
    write(own / "lib/mine_package/inner/__init__.py", "")
    write(own / "lib/mine_package/inner/sizes.py", "SIZE = 7\n")
    file = write(
        own / "lib/mine_package/inner/heads.py", "from mine_package.inner.sizes import SIZE\nfrom . import sizes\n"
    )
    module = import_own_code(file)
    assert (module.__name__, module.SIZE) == ("mine_package.inner.heads", 7)
    assert sys.path[-1] == str(own / "lib")
    assert import_own_code(own / "lib/mine_package").__name__ == "mine_package"


def test_a_module_is_named_as_it_is_imported(own, monkeypatch):
    write(own / "src/mine_module.py", "VALUE = 3\n")
    monkeypatch.syspath_prepend(own / "src")
    assert import_own_code("mine_module").VALUE == 3


@pytest.mark.parametrize(
    ("place", "text", "said"),
    [
        ("gone.py", None, "there is no code at"),
        ("folder", None, "there is no code at"),
        ("mine_notes.ipynb", "{}", "there is no code at"),
        ("no_such_module", None, "neither a file nor a module 'no_such_module'"),
        ("json.py", "", "a module of Python"),
        ("torch.py", "", "torch/__init__.py already"),
        ("mine-heads.py", "", "cannot be imported as 'mine-heads'"),
        ("mine_wrong.py", "x = 1\ndef f(:\n", "SyntaxError"),
        ("mine_exit.py", "import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("mine_missing.py", "import mine_helper_of_no_one\n", "No module named 'mine_helper_of_no_one'"),
    ],
)
def test_what_cannot_be_imported_is_one_error(place, text, said, own):
    (own / "folder").mkdir()
    if text is not None:
        write(own / place, text)
    given = f"./{place}" if place in ("folder", "mine_notes.ipynb") else place
    with pytest.raises(OwnCodeError, match=said.replace(".", r"\.")) as caught:
        import_own_code(given)
    assert caught.value.hint


def test_an_error_names_the_line_of_the_users_file(own):
    file = write(own / "mine_raises.py", "import json\n\njson.loads('{')\n")
    with pytest.raises(OwnCodeError, match=rf"JSONDecodeError: .*\({file}:3\)"):
        import_own_code(file)
    assert "mine_raises" not in sys.modules


def test_the_script_that_runs_is_not_imported_a_second_time(own, monkeypatch):
    file = write(own / "mine_script.py", "raise RuntimeError\n")
    monkeypatch.setattr(sys.modules["__main__"], "__file__", str(file), raising=False)
    assert import_own_code(file) is sys.modules["__main__"]


@pytest.mark.parametrize("value", [3, ["a.py", 4], [""], {"a": "b.py"}])
def test_code_is_a_file_or_a_list_of_files(value, own):
    with pytest.raises(ConfigError, match="`code` must be a file or a list of files"):
        read_recipe({"code": value, "model": {"type": "VideoClassifier"}})


class TestConfigurations:
    def test_code_is_relative_to_its_file_and_shared_with_processes(self, own, monkeypatch):
        write(own / "sub/mine_code.py", HEAD.format(name="MineSub"))
        write(own / "sub/my.yaml", "code: mine_code.py\nmodel: {type: MineSub}\n")
        read_recipe("sub/my.yaml")
        assert "MineSub" in REGISTRIES["heads"]
        assert os.environ[own_code.VARIABLE].split(os.pathsep)[-1] == str(own / "sub/mine_code.py")

    def test_code_from_elsewhere_is_asked_for_once_and_again_when_it_changes(self, own):
        away = own.parent / "away"
        code = write(away / "mine_away.py", HEAD.format(name="MineAway"))
        write(away / "my.yaml", "code: mine_away.py\nmodel: {type: MineAway}\n")
        with pytest.raises(UntrustedCode, match=r"my\.yaml:1.*outside the current folder"):
            read_recipe(away / "my.yaml")
        assert "MineAway" not in REGISTRIES["heads"]
        trust(code)
        require_trust(code)
        code.write_text(HEAD.format(name="MineOther"), encoding="utf-8")
        with pytest.raises(UntrustedCode):
            require_trust(code)

    def test_agreeing_by_variable_is_remembered(self, own, monkeypatch):
        package = write(own.parent / "away/mine_package/__init__.py", "").parent
        monkeypatch.setenv(trusted_code.VARIABLE, "1")
        require_trust(package)
        monkeypatch.setenv(trusted_code.VARIABLE, "0")
        require_trust(package)
        write(package / "more.py", "x = 1\n")
        with pytest.raises(UntrustedCode):
            require_trust(package)

    def test_a_link_out_of_the_project_is_elsewhere(self, own):
        code = write(own.parent / "away/mine_linked.py", "")
        (own / "mine_linked.py").symlink_to(code)
        with pytest.raises(UntrustedCode):
            require_trust(own / "mine_linked.py")

    def test_a_single_file_runs_no_code_and_a_work_dir_does(self, own):
        write(own / "mine_code.py", HEAD.format(name="MineStored"))
        config = {"code": "mine_code.py", "model": {"type": "VideoClassifier"}}
        torch.save({"config": config, "state_dict": {"x": torch.zeros(1)}}, own / "net.pth")
        read_recipe("net.pth")
        assert "MineStored" not in REGISTRIES["heads"]
        write(own / "run/run.yaml", f"code: {own / 'mine_code.py'}\nmodel: {{type: VideoClassifier}}\n")
        read_recipe("run")
        assert "MineStored" in REGISTRIES["heads"]
        write(own / "moved/run.yaml", f"code: {own / 'gone.py'}\nmodel: {{type: VideoClassifier}}\n")
        read_recipe("moved")

    def test_a_broken_record_of_what_was_agreed_to_agrees_to_nothing(self, own):
        code = write(own.parent / "away/mine_away.py", "")
        trust(code)
        (own.parent / "cache" / trusted_code.AGREED).write_text("{", encoding="utf-8")
        with pytest.raises(UntrustedCode):
            require_trust(code)


@pytest.mark.slow
class TestCommands:
    def test_every_process_has_it_and_a_failure_is_said_once(self, own, python):
        write(own / "mine_heads.py", HEAD.format(name="MineHead"))
        write(own / "mine_broken.py", "1 / 0\n")
        python.cwd = own
        listed = json.loads(python.essmc("list", "heads", "--json", "--code", "mine_heads.py").stdout)
        assert [row["pack"] for row in listed if row["name"] == "MineHead"] == ["local"]
        asked = "import essmc_core; print('MineHead' in essmc_core.HEADS)"
        assert python.run(asked, ESSMC_CODE="mine_heads.py").stdout.split() == ["True"]
        failed = python.essmc("list", "--code", "mine_broken.py", check=False)
        assert failed.returncode == 2 and "ZeroDivisionError" in failed.stderr and "mine_broken.py:1" in failed.stderr
        told = python.essmc("packs", ESSMC_CODE="mine_broken.py")
        assert "Warning" in told.stderr and "ZeroDivisionError" in told.stderr

    def test_a_project_names_its_code(self, own, python):
        write(own / "mine_heads.py", HEAD.format(name="MineHead"))
        write(own / "pyproject.toml", '[tool.essmc]\ncode = ["mine_heads.py"]\n')
        (own / "deeper").mkdir()
        python.cwd = own / "deeper"
        assert "MineHead" in python.essmc("list", "heads").stdout
        write(own / "pyproject.toml", "[tool.essmc]\ncode = 3\n")
        failed = python.essmc("list", "heads", check=False)
        assert failed.returncode == 2 and "pyproject.toml: `code` must be" in failed.stderr

    def test_trust_on_the_command_line(self, own, python):
        away = own.parent / "away"
        write(away / "mine_away.py", HEAD.format(name="MineAway"))
        write(away / "my.yaml", "code: mine_away.py\nmodel: {type: VideoClassifier}\n")
        python.cwd = own
        failed = python.essmc("show", str(away / "my.yaml"), check=False)
        assert failed.returncode == 2 and "--trust" in failed.stderr
        python.essmc("show", str(away / "my.yaml"), "--trust")
        python.essmc("show", str(away / "my.yaml"))

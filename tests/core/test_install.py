"""``essmc install`` and ``essmc uninstall``: what pip is told, what arrived, what went away, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from essmc_core.cli.arrivals import write_changes
from essmc_core.errors import MissingDependency, UnknownPack
from essmc_core.index.known import KnownPacks
from essmc_core.index.schema import PackFacts
from essmc_core.installation import pip
from essmc_core.installation.inventory import Changes, InstalledPack
from essmc_core.installation.requirements import NotInstallable, requirement_of

KNOWN = KnownPacks(
    tuple(
        PackFacts.model_validate(
            {"distribution": name, "name": short, "components": {"heads": [{"name": f"{short}Head"}]}}
        )
        for name, short in (("essmc-timm", "timm"), ("essmc-video", "video"), ("other-brand", "other-brand"))
    )
)


@pytest.mark.parametrize(
    ("name", "requirement"),
    [
        ("video", "essmc-video"),
        ("essmc_video", "essmc-video"),
        ("video>=0.2,<1", "essmc-video<1,>=0.2"),
        ("video[extra]==1.0", "essmc-video[extra]==1.0"),
        ("other-brand", "other-brand"),
        ("essmc-not-listed", "essmc-not-listed"),
        ("./video", "./video"),
        ("dist/essmc_x-1.0-py3-none-any.whl", "dist/essmc_x-1.0-py3-none-any.whl"),
        ("essmc_x-1.0.tar.gz", "essmc_x-1.0.tar.gz"),
        ("https://h.example/x.whl", "https://h.example/x.whl"),
        ("git+https://h.example/essmc-core-tools.git@v1", "git+https://h.example/essmc-core-tools.git@v1"),
        ("essmc-x @ https://h.example/x.whl", "essmc-x @ https://h.example/x.whl"),
    ],
)
def test_what_pip_is_told(name, requirement):
    assert requirement_of(name, KNOWN) == requirement


@pytest.mark.parametrize(
    "name",
    [
        "core", "essmc-core", "essmc_core>=1", "Essmc.Core", "essmc-core @ https://h.example/x.whl",
        "dist/essmc_core-0.1.0-py3-none-any.whl", "https://h.example/essmc-core-0.1.tar.gz",
        "git+https://h.example/essmc-core.git@v1", "git+https://h.example/x#egg=essmc-core",
        str(Path(__file__).parents[2]),
    ],
)  # fmt: skip
def test_the_core_is_refused_under_any_name(name):
    with pytest.raises(NotInstallable, match="does not change itself"):
        requirement_of(name, KNOWN)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("vidoe", UnknownPack, "no index lists a pack called 'vidoe'; did you mean 'video'"),
        ("numpy", UnknownPack, "no index lists a pack called 'numpy'"),
        ("timmHead", UnknownPack, "timmHead is no pack; essmc-timm brings something of this name"),
        ("a b", NotInstallable, "'a b' is no name of a pack"),
    ],
)
def test_names_that_no_index_lists_are_not_given_to_pip(name, error, message):
    with pytest.raises(error) as caught:
        requirement_of(name, KNOWN)
    assert message in str(caught.value)


def test_uv_stands_in_for_pip_and_without_both_there_is_one_message(monkeypatch):
    monkeypatch.setattr(pip, "find_spec", lambda name: None)
    monkeypatch.setattr(pip.shutil, "which", lambda name: "/bin/uv")
    assert pip.pip_command("install") == ["/bin/uv", "pip", "install", "--python", sys.executable]
    with pytest.raises(MissingDependency, match="building wheels needs pip"):
        pip.pip_command("wheel")
    monkeypatch.setattr(pip.shutil, "which", lambda name: None)
    with pytest.raises(MissingDependency, match="neither pip nor uv") as caught:
        pip.pip_command("uninstall")
    assert "ensurepip" in caught.value.hint


PLUGIN = """
from pathlib import Path
from essmc_core import hookimpl

@hookimpl
def register_components(registries):
    for name in {names}:
        registries.heads.register(name, "{package}.net:Head")

@hookimpl
def register_zoo(zoo):
    zoo.add_directory(Path(__file__).parent / "zoo")

@hookimpl
def register_commands(cli):
    cli.add_lazy("{package}", "{package}.net:run", help="Run.")
"""
ENTRY = f"""
model: {{type: X}}
weights: {{uri: https://h.example/w.pt, sha256: {"0" * 64}}}
licence: {{code: MIT, weights: CC-BY-NC-4.0}}
"""


def wheel(folder: Path, name: str, version: str, names: list[str], *, requires: str = "", broken: bool = False) -> str:
    """Writes a wheel by hand and returns its path."""
    package = name.replace("-", "_")
    info = f"{package}-{version}.dist-info"
    source = "raise RuntimeError('boom')" if broken else PLUGIN.format(names=names, package=package)
    files = {
        f"{package}/__init__.py": "", f"{package}/plugin.py": source, f"{package}/zoo/{package}_net.yaml": ENTRY,
        f"{info}/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: MIT\n"
        f"Requires-Dist: essmc-core>=0.1\n{requires}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[essmc]\nx = {package}.plugin\n",
    }  # fmt: skip
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    path = folder / f"{package}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return str(path)


class Environment:
    """A virtual environment of its own, which sees what is installed here as well."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        here = {sysconfig.get_paths()["purelib"], *(path for path in sys.path if path.endswith("site-packages"))}
        lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in sorted(here))
        self.site = folder / "lib" / version / "site-packages"
        (self.site / "base.pth").write_text(lines)

    def essmc(self, *arguments: str, answer: str = "", **extra: str) -> subprocess.CompletedProcess[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ESSMC_", "PYTHON", "PIP_"))}
        return subprocess.run(
            [str(self.python), "-m", "essmc_core", *arguments],
            input=answer, capture_output=True, text=True, cwd=self.folder, timeout=300,
            env={**kept, "PIP_NO_INDEX": "1", "COLUMNS": "200", **extra},
        )  # fmt: skip


@pytest.mark.slow
def test_a_pack_comes_changes_and_goes(tmp_path):
    environment = Environment(tmp_path / "environment")
    first = wheel(tmp_path, "essmc-acme", "1.0", ["Old", "Kept"])
    second = wheel(tmp_path, "essmc-acme", "1.1", ["New", "Kept"])
    rival = wheel(tmp_path, "essmc-rival", "1.0", ["Kept"], requires="Requires-Dist: essmc-acme\n")
    sad = wheel(tmp_path, "essmc-sad", "1.0", [], broken=True)

    done = environment.essmc("install", first)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "installed essmc-acme 1.0 (MIT)",
        "  heads: Kept, Old",
        "  zoo models: essmc_acme_net",
        "  commands: essmc essmc_acme",
        "  licences of its zoo models: code MIT (1); weights CC-BY-NC-4.0 (1)",
    ]
    again = environment.essmc("install", first)
    assert again.returncode == 0 and "no pack arrived or changed" in again.stderr

    failed = environment.essmc("install", "essmc-acme==9")
    assert failed.returncode == 2 and "pip failed" in failed.stderr and "No matching distribution" in failed.stderr

    changed = environment.essmc("install", second, rival, sad, "--json")
    assert changed.returncode == 1, "one that arrived cannot be used"
    found = json.loads(changed.stdout)
    (replaced,) = found["replaced"]
    assert [replaced[when]["version"] for when in ("before", "after")] == ["1.0", "1.1"]
    assert replaced["after"]["brings"]["heads"] == ["Kept", "New"]
    assert [pack["distribution"] for pack in found["installed"]] == ["essmc-rival", "essmc-sad"]
    assert [pack["trouble"] for pack in found["installed"]] == ["", "RuntimeError: boom"]
    assert found["conflicts"] == {"heads/Kept": ["acme/Kept", "rival/Kept"]}

    refused = environment.essmc("uninstall", "acme", answer="n\n")
    assert refused.returncode == 2 and "nothing was uninstalled" in refused.stderr
    assert "needed by essmc-rival" in refused.stdout and "  heads: Kept, New" in refused.stdout
    assert "nobody answered; --yes" in environment.essmc("uninstall", "acme").stderr
    gone = environment.essmc("uninstall", "acme", "rival", "essmc-sad", "--yes")
    assert gone.returncode == 0, gone.stderr
    names = ["essmc-acme 1.1", "essmc-rival 1.0", "essmc-sad 1.0"]
    assert gone.stdout.splitlines()[-3:] == [f"uninstalled {name}" for name in names]
    assert not list(environment.site.glob("essmc_*"))


def test_a_pack_that_arrived_broken_is_told(capsys):
    pack = InstalledPack(PackFacts(distribution="essmc-sad", name="sad", version="1"), "RuntimeError: boom")
    write_changes(Changes((pack,), (), ((pack, pack),), {"heads/H": ("a/H", "b/H")}))
    told = "  it cannot be used: RuntimeError: boom; `essmc packs --traceback sad` shows where"
    assert capsys.readouterr().out.splitlines() == [
        "installed essmc-sad 1", told, "changed essmc-sad 1", told,
        "conflict: H (heads) is offered by a/H and b/H: write one of these, or pin: [tool.essmc.pins] H = \"a\"",
    ]  # fmt: skip


def test_a_dry_run_shows_the_command_and_what_the_index_says(python):
    done = python.essmc("install", "video>=0.1", "--upgrade", "--dry-run", "--", "--no-deps", ESSMC_PACKS="")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("would run: ") and lines[0].endswith("--upgrade --no-deps 'essmc-video>=0.1'")
    assert lines[1].startswith("essmc-video 0.1.0 (Apache-2.0): ") and "backbones" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("uninstall", "core"), "does not change itself"),
        (("uninstall", "nowhere", "--yes"), "no pack is called 'nowhere'"),
        (("install", "--", "--no-deps"), "which pack?"),
    ],
)
def test_what_is_refused_changes_nothing(python, arguments, message):
    done = python.essmc(*arguments, check=False, ESSMC_PACKS="")
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr

"""`essmc lock`: what a model needs here, written for pip in two forms, and compared with what is installed."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from pathlib import Path

import pytest

from essmc_core.discovery.origin import Origin
from essmc_core.foundation.toml_file import read_toml
from essmc_core.installation.locking import closure
from essmc_core.installation.locking.closure import Needed, needed_distributions
from essmc_core.installation.locking.comparing import compare
from essmc_core.installation.locking.errors import LockError
from essmc_core.installation.locking.hashes import IndexFile
from essmc_core.installation.locking.lock_file import Locked, pylock, read_lock, requirements
from essmc_core.models.needed import distributions_of

SHA = "0" * 63 + "1"
NEEDED = [
    Needed("a-wheel", "1.0", Origin("wheel", "pip")),
    Needed("an-sdist", "2.0", Origin("wheel", "pip")),
    Needed("archived", "3.0", Origin("archive", "pip", "https://h.example/archived.zip", digest=f"sha256={SHA}")),
    Needed("checkout", "4.0", Origin("vcs", "pip", "git+https://h.example/c.git", "f" * 40, "v4")),
    Needed("editable", "5.0", Origin("editable", "pip", 'file:///src/say%20"hi"')),
    Needed("folder", "6.0", Origin("folder", "pip", "file:///src/folder")),
]
FILES = {
    "a-wheel": IndexFile("https://h.example/a_wheel-1.0-py3-none-any.whl", SHA),
    "an-sdist": IndexFile("file:///my%20files/an_sdist-2.0.tar.gz", SHA),
}


def install(site: Path, name: str, version: str, *requires: str) -> None:
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = [f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in requires)]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")


def test_all_that_is_required_is_found_with_the_markers_and_extras_of_this_environment(tmp_path, monkeypatch):
    install(
        tmp_path,
        "top-one",
        "1.0",
        "middle[fast]>=1",
        "never; python_version < '3'",
        "no requirement at all !",
        "top-one[more]",
    )
    install(tmp_path, "middle", "2.0", "low", "quick; extra == 'fast'", "slow; extra == 'slow'")
    install(tmp_path, "low", "0.1", "middle")
    install(tmp_path, "quick", "3.0rc1")
    monkeypatch.syspath_prepend(tmp_path)
    found = needed_distributions(["Top_One"])
    assert [(one.name, one.version) for one in found] == [
        ("low", "0.1"), ("middle", "2.0"), ("quick", "3.0rc1"), ("top-one", "1.0"),
    ]  # fmt: skip


def test_what_is_required_and_not_installed_is_an_error(tmp_path, monkeypatch):
    install(tmp_path, "top-one", "1.0", "essmc-of-nobody>=1")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(LockError, match="essmc-of-nobody, which top-one requires, is not installed"):
        needed_distributions(["top-one"])


def test_a_model_needs_the_packs_of_all_its_parts_and_that_of_its_entry():
    assert distributions_of("r2d3d_18_mosi_hmdb51") == ["essmc-classifiers", "essmc-core", "essmc-video"]
    assert {"essmc-motion", "essmc-data", "essmc-solvers"} <= set(distributions_of("motion_digits"))


def test_a_pylock_is_what_the_standard_says(tmp_path):
    path = tmp_path / "pylock.toml"
    path.write_text(pylock(NEEDED, FILES, 'my "model".yaml'), encoding="utf-8")
    found = read_toml(path)
    assert (found["lock-version"], found["tool"]) == ("1.0", {"essmc": {"model": 'my "model".yaml'}})
    assert found["requires-python"] == f"=={sys.version_info[0]}.{sys.version_info[1]}.*"
    wheel, sdist, archived, checkout, editable, folder = found["packages"]
    assert wheel["wheels"] == [
        {"name": "a_wheel-1.0-py3-none-any.whl", "url": FILES["a-wheel"].url, "hashes": {"sha256": SHA}}
    ]
    assert sdist["sdist"] == {
        "name": "an_sdist-2.0.tar.gz", "path": "/my files/an_sdist-2.0.tar.gz", "hashes": {"sha256": SHA}
    }  # fmt: skip
    assert archived["archive"] == {"url": "https://h.example/archived.zip", "hashes": {"sha256": SHA}}
    assert checkout["vcs"] == {
        "type": "git", "url": "https://h.example/c.git", "commit-id": "f" * 40, "requested-revision": "v4"
    }  # fmt: skip
    assert editable["directory"] == {"path": '/src/say "hi"', "editable": True} and "version" not in editable
    assert folder["directory"] == {"path": "/src/folder", "editable": False}
    standard = pytest.importorskip("packaging.pylock")
    standard.Pylock.from_dict(found).validate()


@pytest.mark.parametrize("name", ["pylock.toml", "pylock.photos.toml", "photos.txt"])
def test_what_was_written_is_read_again(tmp_path, name):
    write = requirements if name.endswith(".txt") else pylock
    (tmp_path / name).write_text(write(NEEDED, FILES, "x"), encoding="utf-8")
    by_name = {one.name: one for one in read_lock(tmp_path / name)}
    assert by_name.keys() == {one.name for one in NEEDED}
    assert by_name["a-wheel"].version == "1.0" and by_name["editable"].version == "5.0"
    assert by_name["checkout"].commit == "f" * 40


def test_requirements_have_hashes_where_all_have_one_as_pip_wants_it():
    both = NEEDED[:2]
    assert requirements(both, FILES, "x").splitlines()[1:] == [
        f"a-wheel==1.0 --hash=sha256:{SHA}", f"an-sdist==2.0 --hash=sha256:{SHA}",
    ]  # fmt: skip
    text = requirements(NEEDED, FILES, "x")
    assert "--hash" not in text and "Without hashes" in text
    assert f"checkout @ git+https://h.example/c.git@{'f' * 40}" in text
    assert f"archived @ https://h.example/archived.zip#sha256={SHA}" in text


def test_a_file_without_hash_cannot_be_in_a_pylock():
    with pytest.raises(LockError, match="a-wheel has no hash"):
        pylock(NEEDED[:1], {}, "x")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("lock.toml", "", "pip reads no lock called"),
        ("pylock.toml", "packages = 3", "no lock"),
        ("pylock.toml", "[[packages]]\nversion = '1'", "has no name"),
        ("pylock.toml", "[[", "not TOML"),
        ("gone.txt", None, "cannot be read"),
        ("wrong.txt", "torch==2\nnot a requirement ===\n", "wrong.txt:2"),
    ],
)
def test_what_is_no_lock_is_told(tmp_path, name, text, said):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(LockError, match=said):
        read_lock(tmp_path / name)


def test_comparing(monkeypatch):
    here = {
        "same": Needed("same", "1.0.0", Origin("wheel")),
        "newer": Needed("newer", "2.0", Origin("wheel")),
        "checkout": Needed("checkout", "1.0", Origin("vcs", commit="b" * 40)),
    }
    monkeypatch.setattr("essmc_core.installation.locking.comparing.installed_version", here.get)
    locked = [Locked("same", "1.0"), Locked("newer", "1.0"), Locked("checkout", "1.0", "a" * 40), Locked("gone", "3")]
    assert [(one.here, one.status) for one in compare(locked)] == [
        ("1.0.0", "same"), ("2.0", "another version"), ("b" * 40, "another commit"), ("", "not installed"),
    ]  # fmt: skip
    assert closure.installed_version("essmc-of-nobody") is None


@pytest.mark.slow
def test_the_command_locks_a_pack_of_an_index_by_its_hash(tmp_path, site, python):
    site.add("essmc-tiny", components={"models.TinyNet": "essmc_tiny.parts:Net"}, files={"parts.py": PARTS})
    index = tmp_path / "index"
    index.mkdir()
    archive = index / "essmc_tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        info = "essmc_tiny-1.0.dist-info"
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.4\nName: essmc-tiny\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    (python.cwd / "tiny.yaml").write_text("model: {type: TinyNet}\n")
    code = """
    import json
    from dataclasses import asdict
    from essmc_core.installation.locking.closure import needed_distributions
    from essmc_core.installation.locking.hashes import files_of
    (tiny,) = [one for one in needed_distributions(["essmc-tiny"]) if one.name == "essmc-tiny"]
    print(json.dumps({name: asdict(file) for name, file in files_of([tiny]).items()}))
    """
    alone = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"}
    found = python.json(code, **alone)
    assert found == {
        "essmc-tiny": {"url": archive.as_uri(), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    }
    archive.unlink()
    refused = python.essmc("lock", "tiny.yaml", check=False, **alone)
    assert refused.returncode == 2 and "--no-hashes" in refused.stderr and "Traceback" not in refused.stderr
    assert not (python.cwd / "pylock.toml").exists()
    written = json.loads(python.essmc("lock", "tiny.yaml", "--no-hashes", "--json", **alone).stdout)
    assert "essmc-tiny==1.0" in (python.cwd / written["file"]).read_text()
    same = python.essmc("lock", "--check", written["file"])
    assert "as they were locked" in same.stdout
    path = python.cwd / written["file"]
    path.write_text(path.read_text().replace("essmc-tiny==1.0", "essmc-tiny==0.9"))
    other = python.essmc("lock", "--check", written["file"], check=False)
    assert other.returncode == 1 and "another version" in other.stdout


PARTS = """
from essmc_core import TrainModule

class Net(TrainModule):
    def __init__(self):
        super().__init__()
    def forward_train(self, x):
        return x
    def forward_test(self, x):
        return x
"""

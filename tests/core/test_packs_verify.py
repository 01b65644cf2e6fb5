"""``essmc packs --verify``: files that differ from RECORD, installers and origins."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from pathlib import Path

import pytest

from essmc_core.discovery.origin import origin_of
from essmc_core.installation.record import compare_with_record


def row_of(path: Path, site: Path) -> str:
    data = path.read_bytes()
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
    return f"{path.relative_to(site).as_posix()},sha256={digest},{len(data)}"


def record(site: Path, package: str) -> Path:
    """Writes the RECORD of a distribution as an installer would, and returns its .dist-info."""
    (info,) = site.glob(f"{package}-*.dist-info")
    files = [path for folder in (site / package, info) for path in sorted(folder.rglob("*")) if path.is_file()]
    rows = [row_of(path, site) for path in files if path.name != "RECORD"]
    (info / "RECORD").write_text("\n".join([*rows, f"{info.name}/RECORD,,", ""]))
    return info


@pytest.fixture
def info(site):
    site.add("essmc-a", files={"net.py": "x = 1\n", "labels.txt": "cat\n"})
    return record(site.folder, "essmc_a")


def faults(info):
    return [(difference.fault, difference.path) for difference in compare_with_record(info)]


def test_what_was_just_installed_differs_in_nothing(info):
    assert faults(info) == []


def test_missing_changed_and_extra_files_are_named(info):
    package = info.parent / "essmc_a"
    (package / "net.py").write_text("x = 2\n")
    (package / "labels.txt").unlink()
    (package / "deep").mkdir()
    (package / "deep" / "patch.py").write_text("")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "net.cpython-311.pyc").write_bytes(b"")
    assert faults(info) == [
        ("extra", "essmc_a/deep/patch.py"),
        ("missing", "essmc_a/labels.txt"),
        ("changed", "essmc_a/net.py"),
    ]


def test_another_length_and_another_kind_of_file_are_changes(info):
    package = info.parent / "essmc_a"
    (package / "net.py").write_text("x = 1234\n")
    (package / "labels.txt").unlink()
    os.mkfifo(package / "labels.txt")
    found = {difference.path: difference.detail for difference in compare_with_record(info)}
    assert found == {"essmc_a/net.py": "9 bytes instead of 6", "essmc_a/labels.txt": "no longer a regular file"}


def test_files_of_another_distribution_in_the_same_package_are_not_extra(info, site):
    (site.folder / "essmc_a" / "other.py").write_text("")
    site.add("essmc-b")
    other = record(site.folder, "essmc_b")
    assert faults(info) == [("extra", "essmc_a/other.py")]
    with open(other / "RECORD", "a") as file:
        file.write(row_of(site.folder / "essmc_a" / "other.py", site.folder) + "\n")
    assert faults(info) == []


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (None, "there is none, so nothing can be compared"),
        ("essmc_a/net.py\n", "line 1 is not `path,hash,size`"),
        ("\n,,\n", "line 2 is not `path,hash,size`"),
        ("essmc_a/net.py,crc=0,\n", "its hash is 'crc', which is not known"),
    ],
)
def test_a_record_that_cannot_be_read_is_a_difference(info, text, detail):
    (info / "RECORD").unlink()
    if text is not None:
        (info / "RECORD").write_text(text)
    details = [difference.detail for difference in compare_with_record(info) if difference.fault == "unreadable"]
    assert details == [detail]


def test_a_record_of_other_bytes_or_odd_names_is_a_difference(info):
    (info / "RECORD").write_bytes(b"\xff\xfe,,\n")
    assert faults(info) == [("unreadable", f"{info.name}/RECORD")]
    (info / "RECORD").write_text("a\0b.py,sha256=x,1\n")
    assert [fault for fault, _ in faults(info)] in (["missing"], ["unreadable"])


def test_scripts_of_a_target_folder_are_found_in_its_own_bin(info):
    (info.parent / "bin").mkdir()
    script = info.parent / "bin" / "essmc-a"
    script.write_text("#!python\n")
    row = row_of(script, info.parent).replace("bin/essmc-a", "../../bin/essmc-a")
    with open(info / "RECORD", "a") as file:
        file.write(row + "\n")
    assert faults(info) == []
    script.write_text("#!pythom\n")
    assert faults(info) == [("changed", "../../bin/essmc-a")]


@pytest.mark.parametrize(
    ("stated", "text"),
    [
        (None, "wheel by uv"),
        ({"url": "file:///x/y%20z", "dir_info": {"editable": True}}, "editable /x/y z by uv"),
        ({"url": "file:///x/y", "dir_info": {}}, "folder /x/y by uv"),
        (
            {
                "url": "https://a:b@h.example/r",
                "vcs_info": {"vcs": "git", "commit_id": "0123", "requested_revision": "v1"},
            },
            "vcs git+https://h.example/r at 0123 (v1) by uv",
        ),
        (
            {"url": "https://h.example/x.whl", "archive_info": {"hashes": {"sha256": "ab"}}},
            "archive https://h.example/x.whl sha256=ab by uv",
        ),
        (
            {"url": "https://h.example/x.whl", "archive_info": {"hash": "sha256=cd"}},
            "archive https://h.example/x.whl sha256=cd by uv",
        ),
        (
            {"url": "https://h.example/x.whl", "archive_info": {}},
            "archive https://h.example/x.whl without a hash by uv",
        ),
        ([1, 2], "unknown by uv"),
        ("{", "unknown by uv"),
    ],
)
def test_installer_and_origin(tmp_path, stated, text):
    (tmp_path / "INSTALLER").write_text("uv\n")
    if stated is not None:
        (tmp_path / "direct_url.json").write_text(stated if isinstance(stated, str) else json.dumps(stated))
    assert origin_of(tmp_path).text == text


@pytest.mark.parametrize(
    "url", ["https://u:p@ss@host.example/x.whl", "https://host.example/x.whl?token=abc", "https://host.example/x.whl"]
)
def test_no_part_of_a_password_or_token_is_shown(tmp_path, url):
    (tmp_path / "direct_url.json").write_text(json.dumps({"url": url, "archive_info": {"hashes": {"sha256": "00ff"}}}))
    origin = origin_of(tmp_path)
    assert origin.public == origin.text == "archive https://host.example/x.whl sha256=00ff"


def test_the_command_exits_with_1_where_something_differs(site, python):
    for name in ("essmc-a", "essmc-b"):
        site.add(name, "raise SystemExit('broken')" if name == "essmc-b" else None)
        record(site.folder, name.replace("-", "_"))
    only = {"ESSMC_PACKS": "a,b"}
    assert "as installed" in python.essmc("packs", "--verify", "a", "b", **only).stdout
    (site.folder / "essmc_b" / "plugin.py").write_text("")
    done = python.essmc("packs", "--verify", "essmc-b", check=False, **only)
    assert done.returncode == 1
    assert "changed: essmc_b/plugin.py" in done.stdout and "--force-reinstall --no-deps essmc-b==1.0" in done.stdout
    (found,) = json.loads(python.essmc("packs", "--verify", "b", "--json", check=False, **only).stdout)
    assert found["distribution"] == "essmc-b" and found["origin"]["kind"] == "unknown"
    assert [(d["fault"], d["path"]) for d in found["differences"]] == [("changed", "essmc_b/plugin.py")]
    (site.folder / "essmc_b-1.0.dist-info" / "direct_url.json").write_text(
        '{"url": "https://h.example/r", "vcs_info": {"vcs": "git", "commit_id": "0123"}}'
    )
    again = python.essmc("packs", "--verify", "b", check=False, **only).stdout
    assert "vcs git+https://h.example/r at 0123" in again
    assert "--no-deps 'essmc-b @ git+https://h.example/r@0123'" in again
    unknown = python.essmc("packs", "--verify", "c", check=False, **only)
    assert unknown.returncode == 2 and "no pack is called 'c'" in unknown.stderr

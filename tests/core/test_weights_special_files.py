"""Paths that are no plain files, and names that look like something else: one clear error each, at once."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from essmc_core.errors import WeightsCorrupt, WeightsError, WeightsNotFound
from essmc_core.weights import fetch, load_pretrained
from essmc_core.weights.read import read_weights

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs fifos and devices")
DIGESTS: list[str | None] = [None, "0" * 64]


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe.pth")
    return folder / "pipe.pth"


def dangling(folder: Path) -> Path:
    (folder / "link.pth").symlink_to(folder / "nowhere.pth")
    return folder / "link.pth"


def circle(folder: Path) -> Path:
    (folder / "a.pth").symlink_to("b.pth")
    (folder / "b.pth").symlink_to("a.pth")
    return folder / "a.pth"


def bound(folder: Path) -> Path:
    # Names of sockets are short.
    path = Path(os.path.relpath(folder / "s.pth")) if len(str(folder)) > 80 else folder / "s.pth"
    socket.socket(socket.AF_UNIX).bind(str(path))
    return path


CASES: dict[str, tuple[Any, type[Exception], str]] = {
    "a fifo": (fifo, WeightsCorrupt, "named pipe"),
    "a link to a fifo": (lambda folder: _link(fifo(folder)), WeightsCorrupt, "named pipe"),
    "zeros without end": (lambda folder: "/dev/zero", WeightsCorrupt, "character device"),
    "nothing without end": (lambda folder: "file:///dev/null", WeightsCorrupt, "character device"),
    "a socket": (bound, WeightsCorrupt, "a socket"),
    "a folder": (lambda folder: folder, WeightsNotFound, "directory without checkpoints"),
    "a dangling link": (dangling, WeightsNotFound, r"link to .*nowhere\.pth"),
    "links in a circle": (circle, WeightsNotFound, "cannot be reached"),
    "nobody's home": (lambda folder: "~nouser/w.pth", WeightsNotFound, "~nouser"),
    "a long name": (lambda folder: "x" * 5000, WeightsNotFound, "too long"),
    "a long path": (lambda folder: "/".join(["y" * 100] * 60), WeightsNotFound, "too long"),
    "a null character": (lambda folder: "w\0.pth", WeightsNotFound, "null"),
    "below a file": (lambda folder: __file__ + "/w.pth", WeightsNotFound, "no weights file"),
    "an address that is none": (lambda folder: "http://[bad/w.pth", WeightsNotFound, "no address"),
    "a file address that is none": (lambda folder: "file://[bad/w.pth", WeightsNotFound, "no address"),
}


def _link(path: Path) -> Path:
    link = path.with_name("to_pipe.pth")
    link.symlink_to(path)
    return link


@pytest.mark.parametrize("sha256", DIGESTS)
@pytest.mark.parametrize("case", list(CASES))
def test_what_is_no_plain_file_is_refused_at_once(tmp_path: Path, case: str, sha256: str | None) -> None:
    make, kind, message = CASES[case]
    path = make(tmp_path)
    with pytest.raises(kind, match=message) as caught:
        load_pretrained(nn.Linear(2, 2), {"uri": str(path), "sha256": sha256})
    assert isinstance(caught.value, WeightsError) and len(str(caught.value)) < 1000


def test_an_empty_file_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "w.pth").touch()
    with pytest.raises(WeightsCorrupt, match="an empty file"):
        load_pretrained(nn.Linear(2, 2), tmp_path / "w.pth")


def test_a_work_dir_whose_best_checkpoint_is_a_fifo_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "best.pth")
    os.mkfifo(tmp_path / "epoch-00001.pth")
    with pytest.raises(WeightsCorrupt, match="named pipe"):
        fetch(tmp_path)
    with pytest.raises(WeightsCorrupt, match="named pipe"):
        read_weights(tmp_path / "best.pth")


@pytest.mark.parametrize(
    "name", ["2024-05-01T10:30:00.pth", "~take.pth", "data:x.pth", "~", "C:w.pth", "a?b#c.pth", "s3:/x.pth", "%7Ew.pth"]
)
def test_a_local_file_is_a_local_file_whatever_it_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    state = nn.Linear(2, 2).state_dict()
    Path(name).parent.mkdir(exist_ok=True)
    torch.save(state, name)
    for path in (name, tmp_path / name, str(tmp_path / name)):
        model = nn.Linear(2, 2)
        load_pretrained(model, path)
        assert torch.equal(model.weight, state["weight"])


def test_a_home_folder_is_still_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.pth").write_bytes(b"x")
    assert fetch("~/w.pth") == tmp_path / "w.pth"

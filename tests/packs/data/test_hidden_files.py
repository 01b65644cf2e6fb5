"""What is no class and no item: hidden files, leftovers of systems, empty folders; and folders that are splits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from essmc_core import DATASETS
from essmc_core.errors import ConfigError
from essmc_core.inputs.media_files import is_hidden
from essmc_data.datasets.image_folder import ImageFolder
from essmc_data.datasets.video_folder import VideoFolder
from essmc_data.errors import DatasetNotFound
from essmc_data.files.listing import list_files
from essmc_data.readers.frames_folder import FramesReader

JUNK = (
    ".ipynb_checkpoints/x{}", "__MACOSX/a/x{}", ".Trash-1000/files/x{}", "a/._1{}", "a/.hidden/x{}", "@eaDir/x{}",
    "a/@eaDir/1{}", "$RECYCLE.BIN/x{}", "b/Thumbs.db", "b/desktop.ini", "lost+found/x{}",
    "System Volume Information/x{}",
)  # fmt: skip


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


@pytest.mark.parametrize(("kind", "suffix"), [(ImageFolder, ".png"), (VideoFolder, ".mp4")])
def test_leftovers_are_no_classes_and_no_items(tmp_path: Path, kind: Any, suffix: str) -> None:
    # The data's own folder may have any name.
    root = touch(tmp_path / ".cache" / "lost+found", f"a/1{suffix}", f"b/1{suffix}")
    touch(root, *(name.format(suffix) for name in JUNK))
    found = kind(str(root))
    assert found.classes == ("a", "b")
    samples = [(sample.path, sample.label) if kind is VideoFolder else sample for sample in found.samples]
    assert samples == [(f"a/1{suffix}", 0), (f"b/1{suffix}", 1)]


def test_names_that_only_look_alike_stay() -> None:
    for name in ("a.b/c.png", "my__MACOSX/1.png", "thumbs.db.png", "a/Thumbs.dbx", "eaDir/1.png"):
        assert not is_hidden(name)
    assert is_hidden("a/THUMBS.DB") and is_hidden("__macosx/x")


def test_folders_on_remote_stores_are_read_alike(tmp_path: Path) -> None:
    import fsspec

    store = fsspec.filesystem("memory")
    for name in ("a/1.png", "__MACOSX/a/1.png", ".git/1.png", "a/._1.png"):
        store.pipe_file(f"/hidden-test/{name}", b"x")
    try:
        assert list_files("memory://hidden-test", (".png",)) == ["a/1.png"]
    finally:
        store.rm("/hidden-test", recursive=True)


def test_frames_are_counted_without_leftovers(tmp_path: Path) -> None:
    touch(tmp_path, "1.jpg", "2.jpg", "._1.jpg", "Thumbs.db")
    assert len(FramesReader(str(tmp_path), 10.0)) == 2


def test_empty_folders_and_files_beside_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    root = touch(tmp_path, "a/1.png", "b/1.heic", "c/1.png", "loose.png")
    (tmp_path / "empty").mkdir()
    with caplog.at_level(logging.WARNING, "essmc_data"):
        found = ImageFolder(str(root))
    assert found.classes == ("a", "c")
    told = " ".join(record.getMessage() for record in caplog.records)
    assert "no classes: b, empty" in told and "left out: loose.png" in told
    assert ImageFolder(str(root), classes=["c", "b", "a"]).samples == [("a/1.png", 2), ("c/1.png", 0)]


def test_folders_of_splits_are_not_classes(tmp_path: Path) -> None:
    root = touch(tmp_path, "train/a/1.png", "val/a/1.png")
    with pytest.raises(DatasetNotFound, match="splits"):
        ImageFolder(str(root))
    assert len(ImageFolder(str(root), classes=["train", "val"])) == 2


def test_classes_are_distinct_names_and_differences_are_told(tmp_path: Path) -> None:
    root = touch(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(ConfigError, match="twice: a"):
        ImageFolder(str(root), classes=["a", "b", "a"])
    with pytest.raises(ConfigError, match="one text"):
        ImageFolder(str(root), classes="ab")
    with pytest.raises(ConfigError, match=r"not among the classes: b; classes without a folder: c"):
        ImageFolder(str(root), classes=["a", "c"])
    other = touch(tmp_path / "other", "b/1.png", "c/1.png")
    with pytest.raises(ConfigError, match=r"one alone has [ac], another [ac]"):
        DATASETS.build({
            "type": "ConcatDataset",
            "datasets": [
                {"type": "ImageFolder", "root_dir": str(folder), "suffixes": [".png"]}
                for folder in (touch(tmp_path / "one", "a/1.png", "b/1.png"), other)
            ],
        })  # fmt: skip


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png")
    (tmp_path / "a" / "back").symlink_to(tmp_path)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert list_files(str(tmp_path), (".png",)) == ["a/1.png", "b/1.png"]

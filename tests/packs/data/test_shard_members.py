"""Shards as others write them: companions, second pictures, dots, leftovers, names as labels, damage."""

from __future__ import annotations

import bz2
import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from essmc_core.errors import ConfigError
from essmc_data.datasets.shards import WebDataset
from essmc_data.errors import DatasetNotFound, UnreadableInput

LOAD = ["LoadImageFromFile"]


def png(red: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), (red, 0, 0)).save(written, "PNG")
    return written.getvalue()


def npy() -> bytes:
    written = io.BytesIO()
    np.save(written, np.arange(99.0))
    return written.getvalue()


RED, DARK, NPY = png(255), png(9), npy()
WAV = bytes(range(256))
Files = list[tuple[str, bytes]]


def tar(files: Files) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return written.getvalue()


def read(folder: Path, content: Files | bytes, name: str = "s.tar", **arguments: Any) -> list[tuple[Any, ...]]:
    (folder / name).write_bytes(content if isinstance(content, bytes) else tar(content))
    dataset = WebDataset(str(folder / name), pipeline=LOAD, **arguments)
    items = [item for item in dataset if "img" in item]
    return [
        (item["meta"]["key"], int(item["gt_label"]) if "gt_label" in item else None, item["img"].getpixel((0, 0))[0])
        for item in items
    ]


ONE = [("0", 3, 255)]


@pytest.mark.parametrize(
    ("files", "arguments"),
    [
        ([("0.png", RED), ("0.npy", NPY), ("0.cls", b"3")], {}),
        ([("0.png", RED), ("0.wav", WAV), ("0.cls", b"3")], {}),
        ([("0.png", RED), ("0.seg.png", DARK), ("0.cls", b"3")], {}),
        ([("0.seg.png", DARK), ("0.png", RED), ("0.cls", b"3\n")], {}),
        ([("./0.png", RED), ("./0.cls", b" 3.0 ")], {}),
        ([("0.PNG", RED), ("0.CLS", b"3")], {}),
        ([("._0.png", b"\0\5\x16\7"), ("0.png", RED), ("._0.cls", b"\0\5"), ("0.cls", b"3")], {}),
        ([("__MACOSX/0.png", DARK), (".DS_Store", b"x"), ("0.png", RED), ("0.cls", b"3")], {}),
        ([("README", b"words"), ("0.png", RED), ("0.cls", b"3")], {}),
        ([("0.png", RED), ("0.json", b'{"label": 3}')], {}),
        ([("0.png", RED), ("0.json", b'{"label": 3.0, "caption": "x"}')], {}),
        ([("0.png", RED), ("0.json", b"{broken"), ("0.cls", b"3")], {}),
        ([("0.png", RED), ("0.json", b'{"label": 3}'), ("0.cls", b"3")], {}),
        ([("0.png", RED), ("0.cls", b"cat")], {"classes": ["a", "b", "c", "cat"]}),
        ([("0.png", RED), ("0.json", b'{"kind": "cat"}')], {"classes": ["a", "b", "c", "cat"], "label_key": "kind"}),
        ([("0.png", RED), ("0.jpg", DARK), ("0.cls", b"3")], {"media": "png"}),
        ([("0.rgb.png", RED), ("0.depth.png", DARK), ("0.cls", b"3")], {"media": ".rgb.png"}),
    ],
)
def test_only_what_is_needed_must_be_understood(tmp_path: Path, files: Files, arguments: dict[str, Any]) -> None:
    assert read(tmp_path, files, **arguments) == ONE


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ([("0.jpg", RED), ("0.png", DARK), ("0.cls", b"3")], "several pictures or videos: jpg, png"),
        ([("0.png", RED), ("0.mp4", b"x"), ("0.cls", b"3")], "several pictures or videos: png, mp4"),
        ([("0.png", RED), ("0.png", DARK), ("0.cls", b"3")], "two files .png"),
        ([("0.png", RED), ("0.PNG", DARK), ("0.cls", b"3")], "two files .png"),
        ([("v1.0 take.png", RED), ("v1.0 take.cls", b"3")], "dots_in_keys: true"),
        ([("0.cls", b"3")], "label alone"),
        ([("0.png", RED), ("0.cls", b"cat")], "names need `classes`"),
        ([("0.png", RED), ("0.cls", "\u00b2".encode())], "the label"),
        ([("0.png", RED), ("0.cls", b"\xff\xfe")], "the label"),
        ([("0.png", RED), ("0.cls", b"-1")], "the label '-1'"),
        ([("0.png", RED), ("0.cls", b"9" * 30)], "the label"),
        ([("0.png", RED), ("0.json", b"{broken")], "cannot be understood"),
        ([("0.png", RED), ("0.json", b"[" * 99999)], "cannot be understood"),
        ([("0.png", RED), ("0.json", b'{"label": [1, 2]}')], "the label"),
        ([("0.png", RED), ("0.json", b'{"label": true}')], "the label"),
        ([("0.png", RED), ("0.json", b'{"label": NaN}')], "the label"),
        ([("0.png", RED), ("0.json", b'{"label": 1}'), ("0.cls", b"3")], "several labels: 3, 1"),
        ([("0.png", b"no picture"), ("0.cls", b"3")], "that can be read"),
        ([("0.txt", b"words")], "img_path"),
    ],
)
def test_a_sample_that_makes_no_sense_obeys_on_error(tmp_path: Path, bad: Files, says: str) -> None:
    with pytest.raises(UnreadableInput) as caught:
        read(tmp_path, bad)
    told = str(caught.value)
    assert says in told and "s.tar" in told
    good = [("9.png", RED), ("9.cls", b"1")]
    assert read(tmp_path, [*bad, *good], on_error="skip") == [("9", 1, 255)]


def test_names_of_given_classes_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UnreadableInput, match="not one of 2 classes"):
        read(tmp_path, [("0.png", RED), ("0.cls", b"2")], classes=["a", "b"])
    with pytest.raises(UnreadableInput, match="'cow', which is not one of 2 classes"):
        read(tmp_path, [("0.png", RED), ("0.cls", b"cow")], classes=["a", "b"])
    with pytest.raises(ConfigError, match="could mean both"):
        read(tmp_path, [], classes=["1", "0"])
    with pytest.raises(ConfigError, match="no suffix"):
        read(tmp_path, [], media="cls")


def test_dots_and_folders_in_keys(tmp_path: Path) -> None:
    dotted = [("v1.0 take.png", RED), ("v1.0 take.cls", b"3"), ("v1.1 take.png", DARK), ("v1.1 take.cls", b"4")]
    assert read(tmp_path, dotted, dots_in_keys=True) == [("v1.0 take", 3, 255), ("v1.1 take", 4, 9)]
    folders = [("a.b/0.png", RED), ("a.b/0.cls", b"3"), ("c/0.png", DARK), ("c/0.cls", b"4")]
    assert read(tmp_path, folders) == [("a.b/0", 3, 255), ("c/0", 4, 9)]


def test_bytes_are_kept_for_whom_asks(tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(tar([("0.png", RED), ("0.npy", NPY), ("0.txt", b"words")]))
    (item,) = WebDataset(str(tmp_path / "s.tar"), keep=["npy"], pipeline=LOAD)
    assert np.load(io.BytesIO(item["meta"]["npy"])).tolist() == list(range(99))
    assert item["meta"]["txt"] == "words"
    (bare,) = WebDataset(str(tmp_path / "s.tar"), pipeline=LOAD)
    assert "npy" not in bare["meta"]


def test_files_that_stand_apart_are_no_samples_of_half(tmp_path: Path) -> None:
    apart = [("0.png", RED), ("1.png", RED), ("0.cls", b"3"), ("1.cls", b"4")]
    with pytest.raises(UnreadableInput, match="neighbours"):
        read(tmp_path, apart)
    # A sample that is cut in two by the end of a shard.
    (tmp_path / "0.tar").write_bytes(tar([("0.png", RED), ("0.cls", b"3"), ("1.png", RED)]))
    (tmp_path / "1.tar").write_bytes(tar([("1.cls", b"4"), ("2.png", DARK), ("2.cls", b"5")]))
    dataset = WebDataset(str(tmp_path / "{0..1}.tar"), pipeline=LOAD, on_error="skip")
    assert [item["meta"]["key"] for item in dataset if "img" in item] == ["0", "2"] and dataset.bad_inputs == 2


def test_links_are_no_files(tmp_path: Path) -> None:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        member = tarfile.TarInfo("0.png")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(UnreadableInput, match="link"):
        read(tmp_path, written.getvalue())


FOUR = [(f"{number}.{suffix}", RED if suffix == "png" else b"3") for number in range(4) for suffix in ("png", "cls")]


@pytest.mark.parametrize("cut", [100, 512, 700, 1024, 2048, 2200, 4096, 5000, 8192])
def test_a_shard_that_is_cut_anywhere_is_told(tmp_path: Path, cut: int) -> None:
    whole = tar(FOUR)
    assert len(whole) > 8192
    arguments = {"on_error": "skip"}
    assert read(tmp_path, whole, **arguments) == [(str(number), 3, 255) for number in range(4)]
    (tmp_path / "s.tar").write_bytes(whole[:cut])
    dataset = WebDataset(str(tmp_path / "s.tar"), on_error="skip")
    found = [item for item in dataset if "key" in item["meta"]]
    assert dataset.bad_inputs == (0 if cut == 8192 and len(found) == 4 else 1)
    assert [item["meta"]["key"] for item in found] == [str(number) for number in range(len(found))]
    assert all("gt_label" in item for item in found)


def test_a_damaged_header_is_no_end(tmp_path: Path) -> None:
    whole = bytearray(tar(FOUR))
    place = 4 * 512  # the header of the second picture
    assert whole[place : place + 5] == b"1.png"
    whole[place + 148 : place + 156] = b"!!!!!!!!"
    with pytest.raises(UnreadableInput, match=r"s\.tar is damaged"):
        read(tmp_path, bytes(whole))
    assert read(tmp_path, bytes(whole), on_error="skip") in ([], [("0", 3, 255)])


@pytest.mark.parametrize(("name", "pack"), [("s.tar.gz", gzip.compress), ("s.tgz", gzip.compress),
                                            ("s.tar.bz2", bz2.compress)])  # fmt: skip
def test_compressed_shards_and_their_damage(tmp_path: Path, name: str, pack: Any) -> None:
    whole = pack(tar(FOUR))
    assert len(read(tmp_path, whole, name)) == 4
    for damaged in (whole[: len(whole) // 2], whole[:60] + bytes(40) + whole[100:], b"\x1f\x8b" + bytes(50)):
        with pytest.raises(UnreadableInput, match="damaged"):
            read(tmp_path, damaged, name)


def test_ranges_and_addresses(tmp_path: Path) -> None:
    from essmc_data.datasets.shards import expand_shards

    assert expand_shards("https://host/a.tar?signature=b") == ["https://host/a.tar?signature=b"]
    assert expand_shards("s-{08..10}.tar") == ["s-08.tar", "s-09.tar", "s-10.tar"]
    with pytest.raises(DatasetNotFound, match="empty"):
        expand_shards("s-{3..1}.tar")

"""Annotation files of published datasets: their names, and lines that do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from essmc_data.datasets.hmdb51 import HMDB51_CLASSES, Hmdb51
from essmc_data.datasets.ssv2 import SSV2
from essmc_data.datasets.ucf101 import UCF101
from essmc_data.errors import DatasetNotFound

LABELS = {"Pushing something": "1", "Holding something": "0"}
TRAIN = [{"id": "7", "template": "Pushing [something]"}]


def ssv2(folder: Path, pattern: str, labels: Any = None, train: Any = None, mode: Any = "train") -> SSV2:
    for part, content in (
        ("labels", LABELS if labels is None else labels),
        ("train", TRAIN if train is None else train),
    ):
        path = folder / pattern.format(part)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return SSV2("/v", str(folder), mode=mode)


@pytest.mark.parametrize(
    "pattern",
    ["something-something-v2-{}.json", "{}.json", "20bn-something-something-v2-{}.json", "labels/{}.json"],
)
def test_ssv2_is_read_under_all_its_published_names(tmp_path: Path, pattern: str) -> None:
    found = ssv2(tmp_path, pattern)
    assert [(sample.path, sample.label) for sample in found.samples] == [("7.webm", 1)]
    assert found.classes == ("Holding something", "Pushing something")


@pytest.mark.parametrize(
    ("labels", "train", "says"),
    [
        ({"a": "0", "b": "0"}, None, "0 to 1"),
        ({"a": "1", "b": "2"}, None, "0 to 1"),
        ({"a": "x"}, None, "0 to 0"),
        (["a"], None, "mapping"),
        (None, {"id": 1}, "list"),
        (None, [{"template": "Pushing [something]"}], "entry 0"),
        (None, ["7"], "entry 0"),
        (None, [{"id": "7", "template": 3}], "entry 0"),
        (None, [{"id": "7", "template": "Eating [something]"}], "Eating something"),
        (None, [{"id": "7"}], "no template"),
        ("{", None, "not JSON"),
        (None, "[" * 100000, "not JSON"),
    ],
)
def test_ssv2_refuses_what_does_not_fit(tmp_path: Path, labels: Any, train: Any, says: str) -> None:
    with pytest.raises(DatasetNotFound, match=says):
        ssv2(tmp_path, "{}.json", labels, train)


def test_ssv2_names_the_files_that_it_looks_for(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"something-something-v2-labels\.json.*labels\.json"):
        SSV2("/v", str(tmp_path))


@pytest.mark.parametrize("line", ["a.avi 12", "a.avi ²", "a.avi", "a.avi -1", "1"])
def test_hmdb51_refuses_lines_with_their_number(tmp_path: Path, line: str) -> None:
    for name in HMDB51_CLASSES:
        (tmp_path / f"{name}_test_split1.txt").write_text("#20 x.avi 1\r\n" + (line if name == "catch" else ""))
    with pytest.raises(DatasetNotFound, match=r"catch_test_split1\.txt:2"):
        Hmdb51("/v", str(tmp_path))


@pytest.mark.parametrize(
    ("classes", "says"),
    [
        ("² A\n", "txt:1"),
        ("0 A\n1 B\n", "1 to 2"),
        ("1 A\n1 B\n", "1 to 2"),
        ("1 A\n2 A\n", "twice"),
        ("A 1\n", "txt:1"),
    ],
)
def test_ucf101_refuses_numbers_that_are_none(tmp_path: Path, classes: str, says: str) -> None:
    (tmp_path / "classInd.txt").write_text(classes)
    (tmp_path / "testlist01.txt").write_text("A/v_a.avi\n")
    with pytest.raises(DatasetNotFound, match=says):
        UCF101("/v", str(tmp_path))

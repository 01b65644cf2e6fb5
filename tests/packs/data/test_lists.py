"""List files: every shape that people have is read right, or refused with its line and what is understood."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from essmc_core.errors import ConfigError
from essmc_data.datasets.video_csv import VideoCsv
from essmc_data.errors import DatasetNotFound, ListError
from essmc_data.lists.labels import whole_number

NUMBERS = [(f"c{number}.mp4", number) for number in range(12)]


def read(folder: Path, text: str | bytes, **arguments: Any) -> VideoCsv:
    path = folder / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return VideoCsv(str(path), **arguments)


def samples(folder: Path, text: str | bytes, **arguments: Any) -> list[tuple[str, Any]]:
    return [(sample.path, sample.label) for sample in read(folder, text, **arguments).samples]


def lines(pattern: str, head: str = "") -> str:
    return head + "".join(pattern.format(number) + "\n" for number in range(12))


@pytest.mark.parametrize(
    "text",
    [
        lines('"c{0}.mp4","{0}"'),
        lines('"c{0}.mp4" "{0}"'),
        lines("c{0}.mp4\t{0}"),
        lines("c{0}.mp4;{0}"),
        lines("c{0}.mp4, {0}"),
        lines("c{0}.mp4  {0}  "),
        lines("c{0}.mp4,{0}.0"),
        lines("c{0}.mp4,{0}."),
        lines("c{0}.mp4,{0},"),
        lines("c{0}.mp4,{0}.0", "path,label\n"),
        lines("c{0}.mp4,{0}", "video_name,label\n"),
        lines("c{0}.mp4,{0}", "filepath,label_id\n"),
        lines("{0},c{0}.mp4,{0}", ",path,label\n"),
        lines("{0},c{0}.mp4,{0},train", "Unnamed: 0,Path,Label,split\n"),
        lines("{0},{0},c{0}.mp4,{0}", "Unnamed: 0.1,Unnamed: 0,path,label\n"),
        lines("{0},{0},c{0}.mp4,{0}", "level_0,index,path,label\n"),
        lines("c{0}.mp4 {0}", "# path label\n\n#\n"),
        lines("c{0}.mp4 {0}", "path label\n"),
        lines("{0};c{0}.mp4", "label;path\n"),
        lines("c{0}.mp4,{0}").replace("\n", "\r\n"),
        lines("c{0}.mp4,{0}").replace("\n", "\r"),
        lines("c{0}.mp4,{0}").rstrip("\n"),
        "\ufeff" + lines("c{0}.mp4,{0}", "path,label\n"),
        lines("c{0}.mp4\t{0}").encode("utf-16"),
    ],
)
def test_forms_that_say_the_same_are_read_the_same(tmp_path: Path, text: str | bytes) -> None:
    assert samples(tmp_path, text) == NUMBERS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Smith, J/c2.mp4 2\nSmith, J/c10.mp4 10\n", [("Smith, J/c2.mp4", 2), ("Smith, J/c10.mp4", 10)]),
        ('"Smith, J/c2.mp4",2\nb.mp4,0\n', [("Smith, J/c2.mp4", 2), ("b.mp4", 0)]),
        ('"say ""hi"".mp4",1\n"b.mp4",0\n', [('say "hi".mp4', 1), ("b.mp4", 0)]),
        ('say "hi".mp4,1\n', [('say "hi".mp4', 1)]),
        ("a b.mp4 3\n", [("a b.mp4", 3)]),
        ('"a b.mp4" run\nc.mp4 eat\n', [("a b.mp4", 1), ("c.mp4", 0)]),
        ("a.mp4,riding a bike\nb.mp4,eating, slowly\n".replace("eating, slowly", '"eating, slowly"'),
         [("a.mp4", 1), ("b.mp4", 0)]),
        ("d/c0,run\nd/c1,eat\n", [("d/c0", 1), ("d/c1", 0)]),
        ("path\nSmith, J/a b.mp4\n", [("Smith, J/a b.mp4", None)]),
        ('"#shorts.mp4" 1\n', [("#shorts.mp4", 1)]),
        ("a\u2028b.mp4,1\n", [("a\u2028b.mp4", 1)]),
    ],
)  # fmt: skip
def test_marks_in_paths_stay(tmp_path: Path, text: str, expected: list[tuple[str, Any]]) -> None:
    assert samples(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("d/c0 120 0\nd/c1 98 1\n", 1, "total_frames"),
        ("c0.mp4 1 4\nc1.mp4 2 3\n", 1, "multi_label"),
        ("0,c0.mp4,3\n1,c1.mp4,4\n", 1, "index, path, label"),
        ("Smith, J/c0.mp4,0\n", 1, "quotes"),
        ("label,path\n0,c0.mp4\n1\n", 3, "1 column where the header has 2"),
        ("c0.mp4,0\nc1.mp4,1,2\n", 2, "3 columns"),
        ("c0.mp4 ²\nc1.mp4 1\n", 1, "'²' is neither"),
        ("c0.mp4 ²\nc1.mp4 ³\n", 1, "'²' is neither"),
        ("c0.mp4,٣\nc1.mp4,1\n", 1, "neither"),
        ("c0.mp4,1.5\nc1.mp4,2.5\n", 1, "'1.5' is neither"),
        ("c0.mp4,1e3\n", 1, "neither"),
        ("c0.mp4,0x1f\n", 1, "neither"),
        ("c0.mp4,nan\nc1.mp4,1\n", 1, "'nan' is neither"),
        ("c0.mp4,1\nc1.mp4,inf\n", 2, "'inf' is neither"),
        ("c0.mp4,1_000\n", 1, "neither"),
        ("path,label\nc0.mp4,1|4\n", 2, "multi_label"),
        ("c0.mp4,-1\n", 1, "label -1"),
        ("c0.mp4,99999999\n", 1, "no number of a class"),
        ("c0.mp4,99999999999999999999999\n", 1, "neither"),
        ("path,label\nc0.mp4,1\nc1.mp4,\n", 3, "no label"),
        ("path,label\nc0.mp4,1\n,2\n", 3, "No path"),
        ("foo,bar\nc0.mp4,0\nc1.mp4,1\n", 1, "Known are path"),
        ("foo,bar\na.mp4,run\nb.mp4,eat\n", 1, "Known are path"),
        ("clip.id,act\na.mp4,run\nb.mp4,eat\n", 1, "Known are path"),
        ("foo,label\nc0.mp4,0\n", 1, "no column of paths"),
        ("path,weather\nc0.mp4,0\n", 1, "unknown column 'weather'"),
        ("path,label,label_id\nc0.mp4,run,0\n", 1, "two columns of labels"),
        ("path,file,label\na,b,0\n", 1, "two columns of paths"),
        ("a.mp4,0\nb.mp4,run\n", 2, "'run' is a name, and '0' at 1"),
        ("#shorts.mp4 1\n", 1, "begins with #"),
        ("'c0.mp4','0'\n", 1, "quotes of another kind"),
        ("“c0.mp4”,“0”\n", 1, "quotes of another kind"),
        ('"c0.mp4,0\n', 1, "not closed"),
        ('"c0.mp4"x,0\n', 1, "closing quote"),
        ("0,c0.mp4\n1,c1.mp4\n", 1, "not a label"),
        ("a.mp4,b.mp4\n", 1, "not a label"),
        ("a.mp4\n", 1, "1 column"),
        ("c0.mp4,1\nc0.mp4,2\n", 2, "another label at line 1"),
        ("d/a,b 1\n", 1, "can be read with a"),
        ("a.mp4\0,1\n", 1, "zero byte"),
        ("path,label\n", 1, "nothing below"),
        ("path,total_frames,label\nd/c0,many,0\n", 2, "no number of frames"),
        ("label,youtube_id,time_start,time_end,split\nrun,abc,nan,15,train\n", 2, "whole seconds"),
        ("label,youtube_id,time_start,time_end,split\nrun,abc,5,inf,train\n", 2, "whole seconds"),
        ("label,youtube_id,split\nrun,abc,train\n", 2, "whole seconds"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ListError) as caught:
        read(tmp_path, text)
    assert f"list.csv:{line}:" in str(caught.value) and says in str(caught.value), str(caught.value)
    assert isinstance(caught.value, DatasetNotFound)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("playing guitar", "riding bike"),
        ("class 10", "class 3"),
        ("pull/push", "push/pull rope"),
        ("down/up", "yes/no"),
    ],
)
def test_names_of_several_words_are_labels(tmp_path: Path, mark: str, first: str, second: str) -> None:
    text = f"v/a.mp4{mark}{second}\nv/b.mp4{mark}{first}\n"
    data = read(tmp_path, text)
    assert data.classes == (first, second)
    assert [(sample.path, sample.label) for sample in data.samples] == [("v/a.mp4", 1), ("v/b.mp4", 0)]


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"list\.csv:2.*UTF-8"):
        read(tmp_path, "a.mp4,1\nb\xe9.mp4,2\n".encode("latin-1"))
    with pytest.raises(DatasetNotFound, match="empty"):
        read(tmp_path, "# nothing\n\n")


def test_the_user_says_which_columns_and_marks(tmp_path: Path) -> None:
    frames = read(tmp_path, "d/c0 120 0\nd/c1 98 1\n", columns=["path", "total_frames", "label"])
    assert [(s.path, s.label, s.meta) for s in frames.samples] == [
        ("d/c0", 0, {"total_frames": 120}), ("d/c1", 1, {"total_frames": 98}),
    ]  # fmt: skip
    assert frames[1]["meta"]["total_frames"] == 98
    named = read(tmp_path, "path,num_frames,label\nd/c0,120,0\n")
    assert named.samples[0].meta == {"total_frames": 120}
    assert samples(tmp_path, "0,c0.mp4,3\n1,c1.mp4,4\n", columns=["index", "path", "label"]) == [
        ("c0.mp4", 3), ("c1.mp4", 4),
    ]  # fmt: skip
    told = {"path": "clip", "label": "act"}
    assert samples(tmp_path, "clip,weather,act\nc0.mp4,wet,3\n", columns=told) == [("c0.mp4", 3)]
    assert samples(tmp_path, "d/a,b 1\n", delimiter="space") == [("d/a,b", 1)]
    with pytest.raises(ListError, match="no column 'act'"):
        read(tmp_path, "clip,b\nc0.mp4,wet\n", columns=told)
    with pytest.raises(ListError, match="the list has a header"):
        read(tmp_path, "path,label\nc0.mp4,1\n", columns=["path", "label"])
    with pytest.raises(ListError, match="'foo' is no path of a file"):
        read(tmp_path, "foo,wind,act\na.mp4,1,run\n", columns=["path", "wind", "label"])
    for wrong, message in (
        ({"delimiter": "bar"}, "delimiter='bar' is unknown"),
        ({"columns": ["label"]}, r"columns=\['label'\] must have `path` once"),
        ({"columns": {"label": "x"}}, "columns={'label': 'x'} names path, and label and total_frames, or not"),
        ({"columns": "path"}, "columns='path' must have `path` once"),
        ({"fix_len": 0}, "fix_len=0 must be at least 1"),
    ):
        with pytest.raises(ConfigError, match=message):
            read(tmp_path, "a.mp4,1\n", **wrong)


def test_several_labels_become_one_number_a_class(tmp_path: Path) -> None:
    found = read(tmp_path, "c0.mp4 1 4\nc1.mp4 2\n", multi_label=True, num_classes=5)
    assert [found[index]["gt_label"].tolist() for index in (0, 1)] == [[0, 1, 0, 0, 1], [0, 0, 1, 0, 0]]
    named = read(tmp_path, "path,labels\na.mp4,run|eat\nb.mp4,sit\nc.mp4,\n", multi_label=True)
    assert named.classes == ("eat", "run", "sit")
    assert [named[index]["gt_label"].tolist() for index in range(3)] == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]
    frames = read(tmp_path, "d/0 120 1 2\nd/1 98 0\n", multi_label=True, num_classes=3,
                  columns=["path", "total_frames", "label"])  # fmt: skip
    assert frames[0]["gt_label"].tolist() == [0, 1, 1] and frames.samples[1].meta == {"total_frames": 98}
    with pytest.raises(ListError, match="of how many classes"):
        read(tmp_path, "c0.mp4 1 4\n", multi_label=True)
    with pytest.raises(ListError, match="label 4, and there are 3"):
        read(tmp_path, "c0.mp4 1 4\n", multi_label=True, num_classes=3)


def test_names_and_numbers_of_given_classes(tmp_path: Path) -> None:
    assert samples(tmp_path, "a.mp4,run\n", classes=["eat", "sit", "run"]) == [("a.mp4", 2)]
    assert samples(tmp_path, "a.mp4,1\n", classes=["eat", "run"]) == [("a.mp4", 1)]
    assert samples(tmp_path, "a.mp4,1\n", classes=["0", "1"]) == [("a.mp4", 1)]
    with pytest.raises(ListError, match="which are meant"):
        read(tmp_path, "a.mp4,1\n", classes=["1", "0"])
    with pytest.raises(ListError, match="among the classes: run; classes without a label: eat"):
        read(tmp_path, "a.mp4,run\n", classes=["eat"])
    with pytest.raises(ListError, match="label 2, and there are 2 classes"):
        read(tmp_path, "a.mp4,2\n", classes=["eat", "run"])


def test_splits_of_one_list_are_told_apart(tmp_path: Path) -> None:
    text = "path,label,split\na.mp4,0,train\nb.mp4,1,val\n"
    with pytest.raises(ListError, match="several splits: train, val"):
        read(tmp_path, text)
    assert samples(tmp_path, text, split="val") == [("b.mp4", 1)]
    with pytest.raises(ListError, match="no row of split 'test'"):
        read(tmp_path, text, split="test")


def test_a_path_listed_again_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "essmc_data"):
        assert len(read(tmp_path, "a.mp4,1\na.mp4,1\n")) == 2
    assert "lists 1 paths again: a.mp4" in caplog.text


names = st.text(st.characters(exclude_categories=("C", "Z"), exclude_characters="\"'`‘“„«"), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(names, st.integers(0, 400)), min_size=1, max_size=6, unique_by=lambda pair: pair[0]),
       st.sampled_from([",", ";", "\t"]), st.booleans())  # fmt: skip
def test_what_pythons_csv_writes_is_read(tmp_path: Path, rows: list[tuple[str, int]], mark: str, header: bool) -> None:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=mark, quoting=csv.QUOTE_ALL)
    expected = [(f"d/{name}, x.mp4", number) for name, number in rows]
    writer.writerows([["path", "label"], *expected] if header else expected)
    assert samples(tmp_path, written.getvalue()) == expected


@given(st.integers(0, 10**6))
def test_whole_numbers(number: int) -> None:
    for text in (str(number), f"{number}.0", f"{number}.", f"+{number}", f"00{number}"):
        assert whole_number(text) == number
    for text in (f"{number}.5", f"{number}x", f" {number}", f"{number}e1", "", "."):
        assert whole_number(text) is None


def image_list(folder: Path, entries: Any, **arguments: Any) -> Any:
    from essmc_data.datasets.image_json import ImageClassifyJsonDataset

    (folder / "list.json").write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return ImageClassifyJsonDataset(str(folder / "list.json"), **arguments)


def test_labels_of_json_lists_follow_the_same_rule(tmp_path: Path) -> None:
    named = image_list(tmp_path, [{"img_path": "1.png", "gt_label": "cat"}, {"img_path": "2.png", "gt_label": "ant"}])
    assert named.classes == ("ant", "cat") and [named[i]["gt_label"].item() for i in (0, 1)] == [1, 0]
    given = image_list(tmp_path, [{"img_path": "1.png", "gt_label": "cat"}], classes=["cat", "dog"])
    assert given[0]["gt_label"].item() == 0
    assert image_list(tmp_path, [{"img_path": "1.png", "gt_label": 3.0}])[0]["gt_label"].item() == 3
    several = image_list(tmp_path, [{"img_path": "1.png", "gt_label": [0, 1, 1]}])
    assert several[0]["gt_label"].tolist() == [0, 1, 1]
    assert "gt_label" not in image_list(tmp_path, [{"img_path": "1.png"}, {"img_path": "2.png"}])[0]


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([1, "cat"], "entry 1.*'cat' is a name"),
        ([1, None], "entry 1.*no gt_label"),
        ([True], "entry 0.*True"),
        ([1.5], "entry 0.*1.5"),
        ([-1], "label -1"),
        ([10**30], "entry 0"),
        (["²"], "entry 0.*neither"),
        ([[0, 1], [1]], "entry 1.*2 numbers"),
        ([[0, 1], 1], "entry 1.*2 numbers"),
        ([["a"]], "entry 0"),
        ([{"a": 1}], "entry 0"),
        ([float("nan")], "entry 0.*nan"),
        ([[float("nan")]], "entry 0"),
    ],
)
def test_json_labels_that_make_no_sense_are_refused(tmp_path: Path, labels: list[Any], says: str) -> None:
    entries = [{"img_path": f"{number}.png", "gt_label": label} for number, label in enumerate(labels)]
    with pytest.raises(ListError, match=f"(?s){says}"):
        image_list(tmp_path, entries)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "must be a list of {img_path, gt_label}"),
        ("[]", "and not empty"),
        ("[1]", "entry 0 has no img_path"),
        ("[{}]", "entry 0 has no img_path"),
        ('[{"img_path": 3}]', "entry 0 has no img_path"),
        ('[{"img_path": ""}]', "entry 0 has no img_path"),
        pytest.param("[" * 100000, "is not JSON that can be read", id="deep"),
        ("no", r"list\.json:1: this is not JSON"),
    ],
)
def test_files_that_are_no_json_list_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetNotFound, match=message):
        image_list(tmp_path, text)


def test_lists_of_pictures_and_of_folders_of_frames_are_loaded(tmp_path: Path) -> None:
    from PIL import Image

    from essmc_core import DATASETS

    for number in range(12):
        (tmp_path / "d").mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (10 * number, 0, 0)).save(tmp_path / "d" / f"img_{number + 1}.png")
    (tmp_path / "list.txt").write_text("d/img_1.png cat\nd/img_2.png ant\n")
    pictures = DATASETS.build({
        "type": "ImageCsv", "csv_path": str(tmp_path / "list.txt"), "image_dir": str(tmp_path),
        "pipeline": ["LoadImageFromFile", "ImageToTensor"],
    })  # fmt: skip
    assert pictures.classes == ("ant", "cat") and [pictures[i]["gt_label"].item() for i in (0, 1)] == [1, 0]
    assert round(pictures[1]["img"][0, 0, 0].item() * 255) == 10
    (tmp_path / "frames.txt").write_text("d 10 3\n")
    described = {
        "type": "VideoCsv", "csv_path": str(tmp_path / "frames.txt"), "data_root_dir": str(tmp_path),
        "columns": ["path", "total_frames", "label"], "on_error": "skip",
        "pipeline": [{"type": "LoadFramesFromFolder", "num_frames": 10, "sample_type": "uniform", "suffix": ".png"}],
    }  # fmt: skip
    video = DATASETS.build(described)[0]["video"]
    assert video[:, 0, 0, 0].tolist() == [10 * number for number in range(10)]
    (tmp_path / "frames.txt").write_text("d 13 3\n")
    assert DATASETS.build(described)[0] is None

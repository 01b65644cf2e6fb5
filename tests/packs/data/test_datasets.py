"""Datasets: what each layout of files becomes, what happens to bad files, and whose randomness it is."""

from __future__ import annotations

import io
import json
import logging
import pickle
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essmc_core import DATASETS
from essmc_core.errors import ConfigError
from essmc_data.datasets.combining import build_dataset
from essmc_data.datasets.hmdb51 import HMDB51_CLASSES
from essmc_data.datasets.shards import expand_shards
from essmc_data.errors import DatasetNotFound, UnreadableInput
from essmc_data.files.locations import join
from essmc_data.loading.collate import collate
from essmc_data.sampling.randomness import item_randomness
from tests.samples.media import write_frames, write_pixels

LOAD = [{"type": "LoadVideoFromFile", "num_frames": 2, "clip_duration": 0.4}, "VideoToTensor"]


def write_video(path: Path, value: int = 100, frames: int = 12) -> Path:
    shown = (np.full((32, 32, 3), min(255, value + number), np.uint8) for number in range(frames))
    return write_frames(path, shown, codec="mpeg4", rate=10)


def write_picture(path: Path, value: int = 0) -> Path:
    return write_pixels(path, np.full((6, 8, 3), (value, 0, 0), np.uint8))


def build(component: str, /, **arguments: Any) -> Any:
    return DATASETS.build({"type": component, **arguments})


def paths(dataset: Any) -> list[tuple[str, int | None]]:
    return [(sample.path, sample.label) for sample in dataset.samples]


@pytest.fixture
def hmdb(tmp_path: Path) -> Path:
    for name in HMDB51_CLASSES:
        lines = [f"{name} 1.avi 1 ", f"{name}_2.avi 2", f"{name}_3.avi 0", ""]
        (tmp_path / f"{name}_test_split2.txt").write_text("\n".join(lines))
    return tmp_path


def test_hmdb51_reads_its_splits(hmdb: Path) -> None:
    train = build("Hmdb51", data_root_dir="/data", annotation_dir=str(hmdb), split_id=2, mode="train")
    assert len(train) == 51 and paths(train)[5] == ("climb_stairs/climb_stairs 1.avi", 5)
    test = build("Hmdb51", data_root_dir="/data", annotation_dir=str(hmdb), split_id=2, fix_len=3)
    assert paths(test) == [(f"{name}/{name}_2.avi", label) for label, name in enumerate(HMDB51_CLASSES[:3])]
    with pytest.raises(DatasetNotFound, match="split1"):
        build("Hmdb51", data_root_dir="/data", annotation_dir=str(hmdb))
    (hmdb / "brush_hair_test_split2.txt").write_text("what.avi maybe")
    with pytest.raises(DatasetNotFound, match=r"split2\.txt:1"):
        build("Hmdb51", data_root_dir="/data", annotation_dir=str(hmdb), split_id=2)


def test_evaluation_has_one_item_a_view_and_training_one_a_video(hmdb: Path) -> None:
    arguments = {"data_root_dir": "/data", "annotation_dir": str(hmdb), "split_id": 2, "fix_len": 2}
    test = build("Hmdb51", temporal_crops=2, spatial_crops=3, **arguments)
    assert len(test) == 12
    metas = [test[index]["meta"] for index in range(6, 12)]
    assert [(meta["clip_id"], meta["crop_mode"]) for meta in metas] == [
        (0, "cc"), (0, "ll"), (0, "rr"), (1, "cc"), (1, "ll"), (1, "rr"),
    ]  # fmt: skip
    assert {(meta["num_clips"], meta["video_id"], meta["video_path"]) for meta in metas} == {
        (2, 1, "cartwheel/cartwheel_2.avi")
    }
    train = build("Hmdb51", mode="train", temporal_crops=2, spatial_crops=3, **arguments)
    assert len(train) == 2 and train[1]["meta"]["clip_id"] == -1 and train[-1]["gt_label"].item() == 1
    with pytest.raises(IndexError):
        train[2]
    with pytest.raises(ConfigError, match="spatial_crops"):
        build("Hmdb51", spatial_crops=8, **arguments)


def test_ucf101_has_labels_from_zero_and_clean_paths(tmp_path: Path) -> None:
    (tmp_path / "classInd.txt").write_text("1 ApplyEyeMakeup\n2 Archery\n")
    (tmp_path / "trainlist01.txt").write_text("ApplyEyeMakeup/v_a.avi 1\nArchery/v_b.avi 2\n")
    (tmp_path / "testlist01.txt").write_text("Archery/v_c.avi\n\n")
    arguments = {"data_root_dir": "/data", "annotation_dir": str(tmp_path)}
    train = build("UCF101", mode="train", **arguments)
    assert paths(train) == [("ApplyEyeMakeup/v_a.avi", 0), ("Archery/v_b.avi", 1)]
    assert train.classes == ("ApplyEyeMakeup", "Archery")
    assert paths(build("UCF101", **arguments)) == [("Archery/v_c.avi", 1)]
    (tmp_path / "trainlist01.txt").write_text("Archery/v_b.avi 1\n")
    with pytest.raises(DatasetNotFound, match="classInd"):
        build("UCF101", mode="train", **arguments)


def test_ssv2_joins_its_annotations_and_takes_the_brackets_off(tmp_path: Path) -> None:
    def write(name: str, value: object) -> None:
        (tmp_path / f"something-something-v2-{name}.json").write_text(json.dumps(value))

    write("labels", {"Pushing something": "1", "Holding something": "0"})
    write("train", [{"id": "7", "template": "Pushing [something]"}])
    write("validation", [{"id": "8", "template": "Holding [something]"}])
    write("test", [{"id": "9"}])
    arguments = {"data_root_dir": "/v", "annotation_dir": str(tmp_path)}
    assert paths(build("SSV2", mode="train", **arguments)) == [("7.webm", 1)]
    assert paths(build("SSV2", mode="eval", video_format="mp4", **arguments)) == [("8.mp4", 0)]
    test = build("SSV2", mode="test", **arguments)
    assert paths(test) == [("9.webm", None)]
    assert "gt_label" not in test[0] and test[0]["meta"]["id"] == "9"


def test_folders_of_classes_are_numbered_in_order(tmp_path: Path) -> None:
    for name in ("run/b.mp4", "run/a.mp4", "eat/deep/c.MP4", "eat/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = build("VideoFolder", data_root_dir=str(tmp_path))
    assert found.classes == ("eat", "run")
    assert paths(found) == [("eat/deep/c.MP4", 0), ("run/a.mp4", 1), ("run/b.mp4", 1)]
    named = build("VideoFolder", data_root_dir=str(tmp_path), classes=["run", "walk", "eat"])
    assert [label for _, label in paths(named)] == [2, 0, 0]
    with pytest.raises(ConfigError, match="eat"):
        build("VideoFolder", data_root_dir=str(tmp_path), classes=["run"])
    with pytest.raises(DatasetNotFound, match="no folder"):
        build("VideoFolder", data_root_dir=str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("text", "expected", "classes"),
    [
        ("a b.mp4 3\nc.mp4 0\n", [("a b.mp4", 3), ("c.mp4", 0)], ()),
        ("a.mp4,run\nb.mp4,eat\n", [("a.mp4", 1), ("b.mp4", 0)], ("eat", "run")),
        ("label,path\nrun,a.mp4\neat,b.mp4\n", [("a.mp4", 1), ("b.mp4", 0)], ("eat", "run")),
        ("path\na.mp4\n", [("a.mp4", None)], ()),
        (
            "label,youtube_id,time_start,time_end,split\nriding a bike,abc,5,15,train\n",
            [("riding a bike/abc_000005_000015.mp4", 0)],
            ("riding a bike",),
        ),
    ],
)
def test_lists_of_videos_are_told_apart(
    tmp_path: Path, text: str, expected: list[tuple[str, int]], classes: tuple[str, ...]
) -> None:
    (tmp_path / "list.csv").write_text(text)
    found = build("VideoCsv", csv_path=str(tmp_path / "list.csv"), data_root_dir="/v")
    assert paths(found) == expected and found.classes == classes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "says"), [("", "empty"), ("a.mp4\n", "csv:1"), ("a.mp4 9\n", "label 9"), ("a.mp4 -1\n", "label -1")]
)
def test_lists_that_make_no_sense_are_refused(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(ConfigError, match=says):
        build("VideoCsv", csv_path=str(tmp_path / "list.csv"), classes=["x", "y"])


def test_pictures_from_json_and_from_folders(tmp_path: Path) -> None:
    write_picture(tmp_path / "cat" / "1.png", 7)
    write_picture(tmp_path / "ant" / "2.png", 9)
    pipeline = ["LoadImageFromFile", "ImageToTensor"]
    folder = build("ImageFolder", root_dir=str(tmp_path), pipeline=pipeline)
    assert folder.classes == ("ant", "cat")
    assert [round(folder[i]["img"][0, 0, 0].item() * 255) for i in (0, 1)] == [9, 7]
    (tmp_path / "list.json").write_text(json.dumps([{"img_path": "cat/1.png", "gt_label": 4}]))
    listed = build(
        "ImageClassifyJsonDataset", json_path=str(tmp_path / "list.json"), image_dir=str(tmp_path), pipeline=pipeline
    )
    assert listed[0]["gt_label"].item() == 4 and listed[0]["img"].shape == (3, 6, 8)
    with pytest.raises(ConfigError, match="entry 0 has gt_label 4, with 2 classes"):
        build("ImageClassifyJsonDataset", json_path=str(tmp_path / "list.json"), classes=["a", "b"])
    (tmp_path / "list.json").write_text("[{}]")
    with pytest.raises(DatasetNotFound, match="img_path"):
        build("ImageClassifyJsonDataset", json_path=str(tmp_path / "list.json"))


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Six good videos; in their middle one that is missing, one empty, one cut off and one of another kind."""
    names = ["0.mp4", "1.mp4", "missing.mp4", "empty.mp4", "2.mp4", "cut.mp4", "text.mp4", "3.mp4", "4.mp4", "5.mp4"]
    for name in names:
        if name != "missing.mp4":
            write_video(tmp_path / name)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "cut.mp4").read_bytes()[:200])
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "list.csv").write_text("".join(f"{name} 0\n" for name in names))
    return tmp_path


def of_broken(folder: Path, **arguments: Any) -> Any:
    return build("VideoCsv", csv_path=str(folder / "list.csv"), data_root_dir=str(folder), pipeline=LOAD, **arguments)


def test_stop_raises_the_files_own_error(broken: Path) -> None:
    dataset = of_broken(broken)
    assert dataset[1]["video"].shape == (3, 2, 32, 32)
    for index, name in ((2, "missing"), (3, "empty"), (5, "cut"), (6, "text")):
        with pytest.raises(UnreadableInput, match=rf"{name}\.mp4"):
            dataset[index]
    assert dataset.bad_inputs == 4


def test_skip_leaves_out_counts_and_names_each_file_once(broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = of_broken(broken, on_error="skip")
    with caplog.at_level(logging.WARNING, "essmc_data"):
        items = [dataset[index] for index in range(10)] + [dataset[2]]
    assert [index for index in range(10) if items[index] is None] == [2, 3, 5, 6]
    assert dataset.bad_inputs == 5
    names = ("missing", "empty", "cut", "text")
    warned = [name for record in caplog.records for name in names if name in record.message]
    assert Counter(warned) == {
        "missing": 1, "empty": 1, "cut": 1, "text": 1,
    }  # fmt: skip
    batch = collate(items)
    assert batch["video"].shape[0] == 6 and len(batch["meta"]) == 6
    assert [meta.get("unreadable", 0) for meta in batch["meta"]] == [5, 0, 0, 0, 0, 0]
    assert collate([None, None]) == {"meta": [{"unreadable": 2}]}


def test_replace_takes_the_next_that_can_be_read(broken: Path) -> None:
    dataset = of_broken(broken, on_error="replace", mode="train")
    metas = [dataset[index]["meta"] for index in range(10)]
    assert [meta["index"] for meta in metas] == [0, 1, 4, 4, 4, 7, 7, 7, 8, 9]
    assert [meta.get("unreadable", 0) for meta in metas] == [0, 0, 2, 1, 0, 2, 1, 0, 0, 0]
    with pytest.raises(ConfigError, match="twice"):
        of_broken(broken, on_error="replace", mode="test")


def test_nothing_to_replace_by_is_an_error_and_no_endless_search(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("".join(f"{number}.mp4 0\n" for number in range(1000)))
    dataset = of_broken(tmp_path, on_error="replace", mode="train")
    with pytest.raises(UnreadableInput, match="11 inputs in a row"):
        dataset[0]
    assert dataset.bad_inputs == 11


def test_a_mistake_in_a_transform_is_not_taken_for_a_bad_file(tmp_path: Path) -> None:
    write_video(tmp_path / "a" / "v.mp4")

    def mistaken(item: dict[str, Any]) -> dict[str, Any]:
        raise ValueError("a mistake")

    dataset = build("VideoFolder", data_root_dir=str(tmp_path), pipeline=[mistaken], on_error="skip")
    with pytest.raises(ValueError, match="a mistake"):
        dataset[0]


def noise(item: dict[str, Any]) -> dict[str, Any]:
    """Draws from every generator that a transform might use."""
    import random

    drawn = torch.stack([torch.rand(()), torch.tensor(random.random()), torch.tensor(np.random.rand())])
    return {**item, "video": drawn.float()}


@pytest.fixture
def noisy(tmp_path: Path) -> dict[str, Any]:
    for number in range(4):
        (tmp_path / "a").mkdir(exist_ok=True)
        (tmp_path / "a" / f"{number}.mp4").touch()
    return {"type": "VideoFolder", "data_root_dir": str(tmp_path), "pipeline": [noise]}


def drawn(dataset: Any) -> list[tuple[float, ...]]:
    return [tuple(dataset[index]["video"].tolist()) for index in range(len(dataset))]


def test_items_depend_on_seed_epoch_and_index_alone(noisy: dict[str, Any]) -> None:
    train = build_dataset({**noisy, "mode": "train"})
    first = drawn(train)
    assert len({value for item in first for value in item}) == 12
    torch.manual_seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    assert drawn(train) == first
    assert torch.equal(torch.get_rng_state(), before[0]) and np.random.get_state()[1].tolist() == before[1]
    train.set_epoch(1)
    second = drawn(train)
    train.set_seed(1)
    third = drawn(train)
    assert not set(first) & set(second) and not set(second) & set(third)
    test = build_dataset({**noisy, "mode": "test"})
    kept = drawn(test)
    test.set_epoch(5)
    assert drawn(test) == kept
    assert drawn(pickle.loads(pickle.dumps(train))) == third


def test_concat_and_repeat_number_items_through_and_draw_anew(noisy: dict[str, Any]) -> None:
    train = {**noisy, "mode": "train"}
    both = build_dataset([train, {"type": "DatasetRepeater", "dataset": train, "num_repeats": 2}])
    assert len(both) == 12
    assert len(set(drawn(both))) == 12
    assert [both[index]["meta"]["index"] for index in (0, 3, 4, 8, 11, -1)] == [0, 3, 0, 0, 3, 3]
    before = drawn(both)
    both.set_epoch(2)
    assert not set(before) & set(drawn(both))
    assert len(build_dataset({"first": train, "second": train})) == 8
    named = DATASETS.build({"type": "ConcatDataset", "datasets": {"a": train, "b": train}})
    assert len(named) == 8
    with pytest.raises(ConfigError, match="no dataset"):
        build_dataset([])


def test_concat_refuses_classes_that_disagree(tmp_path: Path, noisy: dict[str, Any]) -> None:
    (tmp_path / "other" / "b").mkdir(parents=True)
    (tmp_path / "other" / "b" / "v.mp4").touch()
    with pytest.raises(ConfigError, match="classes"):
        build_dataset([{**noisy, "classes": ["a", "other"]}, {**noisy, "data_root_dir": str(tmp_path / "other")}])


def test_randomness_is_restored_after_an_error() -> None:
    def fail() -> None:
        with item_randomness(1, 2, 3):
            torch.rand(3)
            raise KeyError

    torch.manual_seed(4)
    state = torch.get_rng_state()
    with pytest.raises(KeyError):
        fail()
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("prefix", "path", "joined"),
    [
        ("/data", "a/b.mp4", "/data/a/b.mp4"),
        ("s3://bucket/x/", "a.mp4", "s3://bucket/x/a.mp4"),
        ("/data", "/abs/a.mp4", "/abs/a.mp4"),
        ("/data", "https://host/a.mp4", "https://host/a.mp4"),
        (None, "a.mp4", "a.mp4"),
    ],
)
def test_paths_are_joined_to_folders_and_urls(prefix: str | None, path: str, joined: str) -> None:
    assert join(prefix, path) == joined


def write_shard(path: Path, samples: dict[str, dict[str, bytes]]) -> str:
    with tarfile.open(path, "w") as archive:
        for key, files in samples.items():
            for suffix, content in files.items():
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return str(path)


@pytest.fixture
def shards(tmp_path: Path) -> str:
    picture = write_picture(tmp_path / "p.png").read_bytes()
    (tmp_path / "s").mkdir()
    for shard in range(3):
        samples = {
            f"{10 * shard + number:03d}": {"png": picture, "cls": str(number).encode(), "txt": b"words"}
            for number in range(4)
        }
        write_shard(tmp_path / "s" / f"t-{shard:02d}.tar", samples)
    return str(tmp_path / "s" / "t-{00..02}.tar")


PICTURES = ["LoadImageFromFile", "ImageToTensor"]


def test_shards_give_every_sample_once_over_all_processes(shards: str) -> None:
    assert [Path(path).name for path in expand_shards(shards)] == ["t-00.tar", "t-01.tar", "t-02.tar"]
    assert expand_shards(str(Path(shards).parent)) == expand_shards(shards)
    seen = []
    for rank in range(2):
        dataset = build("WebDataset", urls=shards, pipeline=PICTURES)
        dataset.set_process(rank, 2)
        items = list(dataset)
        assert items[0]["img"].shape == (3, 6, 8) and items[0]["meta"]["txt"] == "words"
        seen += [(item["meta"]["key"], item["gt_label"].item()) for item in items]
    assert sorted(seen) == [(f"{10 * shard + number:03d}", number) for shard in range(3) for number in range(4)]


def test_shards_are_shuffled_anew_each_epoch_and_alike_for_a_seed(shards: str) -> None:
    dataset = build("WebDataset", urls=shards, mode="train", shuffle_buffer=5)

    def order() -> list[str]:
        return [item["meta"]["key"] for item in dataset]

    first = order()
    assert first == order() and sorted(first) == sorted(set(first)) and len(first) == 12
    dataset.set_epoch(1)
    assert order() != first
    sized = build("WebDataset", urls=shards, mode="train", epoch_size=31)
    lengths = []
    for rank in range(2):
        sized.set_process(rank, 2)
        lengths.append(len(list(sized)))
    assert lengths == [16, 15]
    with pytest.raises(ConfigError, match="epoch_size"):
        dataset.set_process(0, 2)


def test_bad_samples_and_broken_shards_follow_the_policy(tmp_path: Path, shards: str) -> None:
    good = write_picture(tmp_path / "g.png").read_bytes()
    write_shard(
        tmp_path / "bad.tar", {"0": {"png": b"xx", "cls": b"1"}, "1": {"png": good, "cls": b"one"}, "2": {"png": good}}
    )
    whole = Path(expand_shards(shards)[0]).read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[:1800])
    urls = [str(tmp_path / "bad.tar"), str(tmp_path / "cut.tar"), str(tmp_path / "none.tar"), expand_shards(shards)[1]]
    dataset = build("WebDataset", urls=urls, pipeline=PICTURES, on_error="skip")
    metas = [item["meta"] for item in dataset]
    keys = [meta["key"] for meta in metas]
    assert keys[0] == "2" and keys[-4:] == ["010", "011", "012", "013"]
    assert {meta["key"]: meta["unreadable"] for meta in metas if "unreadable" in meta} == {"2": 2, "010": 2}
    assert dataset.bad_inputs == 4
    with pytest.raises(UnreadableInput, match="png"):
        list(build("WebDataset", urls=urls, pipeline=PICTURES))
    with pytest.raises(UnreadableInput, match=r"none\.tar"):
        list(build("WebDataset", urls=urls[2]))


def test_an_endless_stream_without_a_readable_sample_ends(tmp_path: Path) -> None:
    url = write_shard(tmp_path / "bad.tar", {"0": {"png": b"xx"}})
    dataset = build("WebDataset", urls=url, pipeline=PICTURES, on_error="skip", mode="train", epoch_size=5)
    with pytest.raises(UnreadableInput):
        list(dataset)


def test_videos_are_decoded_from_shards(tmp_path: Path) -> None:
    clip = write_video(tmp_path / "v.mp4").read_bytes()
    facts = json.dumps({"label": "run"}).encode()
    url = write_shard(tmp_path / "v.tar", {"a/b": {"mp4": clip, "json": facts}})
    item = next(iter(build("WebDataset", urls=url, classes=["eat", "run"], pipeline=LOAD)))
    assert item["video"].shape == (3, 2, 32, 32) and item["gt_label"].item() == 1

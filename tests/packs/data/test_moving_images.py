"""MovingImages: labels say what moves, evaluation pictures are new ones, and single frames tell nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essmc_core import DATASETS
from essmc_core.errors import ConfigError
from essmc_data.errors import DatasetNotFound

pytest.importorskip("sklearn")


def build(**arguments: Any) -> Any:
    return DATASETS.build({"type": "MovingImages", **arguments})


@pytest.fixture
def photos(tmp_path: Path) -> str:
    from PIL import Image

    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (90, 120, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return str(tmp_path)


def test_digits_give_nine_classes_of_clips() -> None:
    train, test = build(), build(mode="test")
    assert train.classes == (
        "static", "right 1", "right 2", "left 1", "left 2", "down 1", "down 2", "up 1", "up 2",
    )  # fmt: skip
    assert len(set(train.picture_ids) | set(test.picture_ids)) == 1797
    assert not set(train.picture_ids) & set(test.picture_ids)
    assert len(test) == 9 * 359
    item = train[5]
    assert item["video"].shape == (3, 8, 32, 32) and item["video"].dtype is torch.float32
    assert item["video"].min() >= -1 and item["video"].max() <= 1
    assert item["gt_label"].item() == 5


SHIFTS = {"static": (0, 0), "right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}


def velocity(name: str) -> tuple[int, int]:
    direction, _, speed = name.partition(" ")
    down, right = SHIFTS[direction]
    return down * int(speed or 0), right * int(speed or 0)


@pytest.mark.parametrize("label", range(9))
def test_content_moves_as_its_label_says(label: int, photos: str) -> None:
    digits = build()
    down, right = velocity(digits.classes[label])
    clip = digits[label + 9]["video"]
    for earlier, later in zip(clip.unbind(1)[:-1], clip.unbind(1)[1:], strict=True):
        assert torch.equal(later, earlier.roll((down, right), (-2, -1)))
    windows = build(pictures=photos, speeds=[1, 3])
    down, right = velocity(windows.classes[label])
    clip = windows[label]["video"]
    for earlier, later in zip(clip.unbind(1)[:-1], clip.unbind(1)[1:], strict=True):
        inner = (slice(None), slice(4, -4), slice(4, -4))
        assert torch.equal(later[inner], earlier.roll((down, right), (-2, -1))[inner])


def test_clips_are_fresh_in_every_epoch_of_training_and_never_in_evaluation() -> None:
    train, test = build(clips=18), build(mode="eval", clips=18)
    first = [train[index]["video"] for index in range(18)], [test[index]["video"] for index in range(18)]
    for dataset in (train, test):
        dataset.set_epoch(1)
    assert not any(torch.equal(train[index]["video"], first[0][index]) for index in range(18))
    assert all(torch.equal(test[index]["video"], first[1][index]) for index in range(18))


def test_a_batch_is_what_its_items_are() -> None:
    dataset = build(clips=50)
    dataset.set_seed(7)
    for index, item in zip((3, 44, 0), dataset.__getitems__([3, 44, 0]), strict=True):
        alone = dataset[index]
        assert torch.equal(item["video"], alone["video"]) and item["gt_label"] == alone["gt_label"]
        assert item["meta"] == alone["meta"]


def test_the_first_frame_does_not_depend_on_the_class() -> None:
    dataset = build(clips=9 * 400)
    items = dataset.__getitems__(range(len(dataset)))
    labels = torch.stack([item["gt_label"] for item in items])
    frames = torch.stack([item["video"][0, 0] for item in items])
    means = torch.stack([frames[labels == label].mean(0) for label in range(9)])
    assert torch.bincount(labels).tolist() == [400] * 9
    assert (means - frames.mean(0)).abs().max() < 0.25


@pytest.mark.slow
def test_a_small_3d_network_learns_it_and_one_without_time_does_not() -> None:
    torch.manual_seed(0)
    small = {"size": 16, "num_frames": 5, "channels": 1}
    dataset, held_out = build(clips=64 * 120, **small), build(clips=270, mode="test", **small)

    def accuracy(temporal: int) -> float:
        layers: list[torch.nn.Module] = []
        for ins, outs in ((1, 16), (16, 32), (32, 32)):
            layers += [
                torch.nn.Conv3d(ins, outs, (temporal, 3, 3), (1, 2, 2), (temporal // 2, 1, 1)),
                torch.nn.BatchNorm3d(outs),
                torch.nn.ReLU(),
            ]
        net = torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool3d(1), torch.nn.Flatten(), torch.nn.Linear(32, 9))
        optimizer = torch.optim.AdamW(net.parameters(), 5e-3)
        for step in range(120):
            items = dataset.__getitems__(range(64 * step, 64 * step + 64))
            video, label = (torch.stack([item[key] for item in items]) for key in ("video", "gt_label"))
            torch.nn.functional.cross_entropy(net(video), label).backward()
            optimizer.step()
            optimizer.zero_grad()
        items = held_out.__getitems__(range(len(held_out)))
        with torch.no_grad():
            found = net.eval()(torch.stack([item["video"] for item in items])).argmax(1)
        return (found == torch.stack([item["gt_label"] for item in items])).float().mean().item()

    assert accuracy(3) > 0.9
    assert accuracy(1) < 0.25


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_frames": 1}, "num_frames: Motion needs at least 2 frames"),
        ({"speeds": [0]}, "speeds: .*distinct speeds of at least 1 pixel"),
        ({"channels": 2}, "channels: channels is 1 or 3"),
        ({"test_share": 1.0}, r"test_share: .*test_share lies in \(0, 1\)"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**arguments)


def test_folders_without_pictures_are_refused_and_photos_keep_their_colours(tmp_path: Path, photos: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetNotFound, match="empty"):
        build(pictures=str(tmp_path / "empty"))
    clip = build(pictures=photos)[0]["video"]
    assert not torch.equal(clip[0], clip[1])
    assert build(pictures=photos, channels=1)[0]["video"].shape == (1, 8, 32, 32)

"""What one item can cause is an error that names its file and obeys on_error, whichever exception it began as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from essmc_core.errors import InputError
from essmc_data.datasets.base import BaseDataset
from essmc_data.datasets.image_folder import ImageFolder
from essmc_data.errors import PipelineMistake, UnreadableInput
from essmc_data.loading.collate import collate
from essmc_data.transforms.base import ItemTransform


class Failing(ItemTransform):
    """A transform as packs have them, which one of two items breaks."""

    def __init__(self, error: Exception) -> None:
        super().__init__("gt_label", None)
        self.error = error

    def apply(self, value: Any, item: Any) -> Any:
        if item["meta"]["index"]:
            raise self.error
        return value


Failing.__module__ = "essmc_test"


class Two(BaseDataset):
    def __len__(self) -> int:
        return 2

    def describe(self, index: int) -> dict[str, Any]:
        return {"meta": {"video_path": f"{index}.mp4"}, "gt_label": torch.tensor(index)}


ERRORS = [
    IndexError("list index out of range"), KeyError("streams"), RuntimeError("shapes"), ZeroDivisionError(),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"), ValueError("no frame"), InputError("too small"), TypeError("None"),
]  # fmt: skip


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("listed", [True, False])
def test_every_exception_of_a_transform_is_the_items(error: Exception, listed: bool) -> None:
    pipeline: Any = [Failing(error)] if listed else Failing(error)
    dataset = Two("test", pipeline, "skip")
    assert dataset[0] is not None and dataset[1] is None and dataset.bad_inputs == 1
    with pytest.raises(UnreadableInput, match=r"1\.mp4"):
        Two("test", pipeline)[1]
    replaced = Two("train", pipeline, "replace")[1]
    assert replaced is not None and replaced["meta"]["index"] == 0


def test_a_pipeline_that_does_not_fit_together_is_no_items_fault() -> None:
    with pytest.raises(PipelineMistake, match="reads 'video'"):
        Two("test", ["VideoToTensor"], "skip")[0]


def test_a_picture_that_is_too_small_for_a_crop_is_named(tmp_path: Path) -> None:
    from PIL import Image

    for name, side in (("big", 16), ("small", 4)):
        (tmp_path / "a").mkdir(exist_ok=True)
        Image.new("RGB", (side, side)).save(tmp_path / "a" / f"{name}.png")
    pipeline = ["LoadImageFromFile", {"type": "RandomCrop", "size": 8}, "ImageToTensor"]
    found = ImageFolder(str(tmp_path), pipeline=pipeline, on_error="skip")
    assert found[0] is not None and found[1] is None
    with pytest.raises(UnreadableInput, match=r"a/small\.png"):
        ImageFolder(str(tmp_path), pipeline=pipeline)[1]


def batch(*values: Any) -> list[Any]:
    return [{"meta": {"img_path": f"{number}.png"}, "x": value} for number, value in enumerate(values)]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ((torch.zeros(3), None), "and nothing in one batch: 0.png, 1.png"),
        ((None, torch.zeros(3)), "nothing and"),
        ((torch.zeros(3), 1.0), "a float"),
        ((torch.zeros(3), torch.zeros(3, dtype=torch.int64)), "torch.int64"),
        ((torch.zeros(3, 4, 4), torch.zeros(1, 4, 4)), r"\(1, 4, 4\)"),
        ((np.zeros(3), np.zeros(4)), r"\(4,\)"),
        ((np.array(["a"]), np.array(["b"])), "stacked"),
        (({"a": 1}, {"b": 1}), "a mapping with b"),
        (({"a": 1}, [1]), "a list"),
        ((2**70, 1), "0.png, 1.png"),
    ],
)
def test_items_that_do_not_go_together_are_named(values: tuple[Any, ...], says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        collate(batch(*values))
    assert "0.png" in str(caught.value)


def test_what_went_together_still_does() -> None:
    assert collate(batch(1, 2.5))["x"].tolist() == [1, 2.5]
    assert collate(batch("a", "b"))["x"] == ["a", "b"] and collate(batch(None, None))["x"] is None
    assert collate(batch({"a": torch.zeros(2)}, {"a": torch.ones(2)}))["x"]["a"].shape == (2, 2)

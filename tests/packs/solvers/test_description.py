"""What a checkpoint says of its model: configuration, input, names of classes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor, nn

from essmc_solvers.checkpoint import contents
from essmc_solvers.checkpoint.description import class_names
from tests.samples.solving import Net, data, solver

INPUT = {"modality": "image", "size": [4, 4], "mean": [0.5, 0.5, 0.5], "std": [1.0, 1.0, 1.0]}


@pytest.mark.parametrize(
    ("config", "card", "expected"),
    [
        (None, None, None),
        ({"input": INPUT}, None, INPUT),
        ({"data": {}}, {"config": {"input": INPUT}}, INPUT),
        ({"input": INPUT}, {"config": {"input": {"modality": "video"}}}, INPUT),
    ],
)
def test_a_checkpoint_holds_input_and_the_training_datas_classes(
    tmp_path: Path, config: dict[str, Any] | None, card: dict[str, Any] | None, expected: object
) -> None:
    run = solver(work_dir=tmp_path, max_epochs=1)
    run.config, run.module.card = config, card
    run.solve(data())
    content = contents.load(tmp_path / "epoch-00001.pth")
    assert content["input"] == expected
    assert content["labels"] == ["a", "b", "c"], "those of the data, in the order of their numbers"
    assert content["config"] == config


def test_labels_are_those_of_the_configuration_where_the_data_name_none(tmp_path: Path) -> None:
    run = solver(work_dir=tmp_path, max_epochs=1)
    run.config = {"labels": ("x", "y", "z")}
    loaders = data()
    loaders["train"].dataset.classes = loaders["eval"].dataset.classes = ()
    run.solve(loaders)
    assert contents.load(tmp_path / "epoch-00001.pth")["labels"] == ["x", "y", "z"]


class _Motion(Net):
    def forward_train(self, img: Tensor, mosi_label: Tensor) -> dict[str, Any]:  # type: ignore[override]
        return {}


def _with(counts: object) -> nn.Module:
    model = Net()
    model.num_classes = counts  # type: ignore[assignment]
    return model


@pytest.mark.parametrize(
    ("model", "classes", "expected"),
    [
        (Net(), ("a", "b", "c"), ["a", "b", "c"]),
        (Net(), ["a", "b"], ["a", "b"]),
        (Net(), tuple("abcd"), None),
        (Net(), "abc", None),
        (Net(), (), None),
        (Net(), None, None),
        (_with((2, 3)), ("a", "b", "c"), ["a", "b", "c"]),
        (_with((2, 5)), ("a", "b", "c"), None),
        (_Motion(), ("a", "b", "c"), None),
    ],
)
def test_names_are_of_classes_that_the_model_has(model: nn.Module, classes: object, expected: object) -> None:
    assert class_names(model, SimpleNamespace(classes=classes)) == expected

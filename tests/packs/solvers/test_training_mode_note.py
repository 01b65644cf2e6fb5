"""Training data that come in order and unaugmented, because `mode: train` was forgotten, are noted at the start."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from essmc_solvers.starting.run_summary import _unshuffled


def data(mode: str | None) -> SimpleNamespace:
    return SimpleNamespace() if mode is None else SimpleNamespace(mode=mode)


@pytest.mark.parametrize(
    ("dataset", "noted"),
    [
        (data("test"), True),
        (data("train"), False),
        (data(None), False),
        (SimpleNamespace(dataset=data("test")), True),
        (SimpleNamespace(datasets=[data("test"), data("train")]), False),
        (SimpleNamespace(datasets=[data("test"), data(None)]), True),
    ],
)
def test_the_mode_of_training_data_is_noted(dataset: Any, noted: bool) -> None:
    solver: Any = SimpleNamespace(loaders={"train": SimpleNamespace(dataset=dataset)})
    lines = _unshuffled(solver)
    assert bool(lines) == noted
    assert all("mode test" in line and "mode: train for both" in line for line in lines)

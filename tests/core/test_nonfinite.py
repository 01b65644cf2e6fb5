"""NaN and infinity: never JSON, never a prediction, never a checkpoint that is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import essmc_core
from essmc_core.cli.output import write_json
from essmc_core.errors import NonFiniteOutput, WeightsMismatch
from essmc_core.models.prediction import predict
from essmc_solvers.checkpoint.weights import load_weights
from essmc_solvers.errors import CheckpointMismatch
from essmc_solvers.reporting.metrics_file import MetricsFile, read_records

CLIP = "pkg://essmc-motion/essmc_motion/moving_digits.mp4"
NAN, INF = float("nan"), float("inf")


def strict(text: str) -> Any:
    """Reads JSON as other programs do, which know no NaN."""

    def refuse(name: str) -> Any:
        raise AssertionError(f"{name} is not JSON")

    return json.loads(text, parse_constant=refuse)


VALUE = {"a": NAN, "b": [1.5, INF, (-INF, {"c": NAN})], "d": 1, "e": None, "f": "NaN", "g": Path("x"), INF: 2}
CLEAN = {"a": None, "b": [1.5, None, [None, {"c": None}]], "d": 1, "e": None, "f": "NaN", "g": "x", "inf": 2}


def test_what_commands_print_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    write_json(VALUE)
    assert strict(capsys.readouterr().out) == CLEAN


def test_a_run_s_records_are_json(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.append({"loss": NAN, "rates": {"head": INF}, "acc@1": 0.5, "name": "é"})
    assert [strict(line) for line in file.path.read_text().splitlines()] == read_records(file.path)
    assert read_records(file.path) == [{"loss": None, "rates": {"head": None}, "acc@1": 0.5, "name": "é"}]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    state = essmc_core.build_model("motion_digits", pretrained=True).state_dict()
    state["head.out.bias"][0] = NAN
    torch.save(state, tmp_path / "nan.pth")
    return tmp_path / "nan.pth"


def test_weights_with_nan_are_not_predicted_with(broken: Path, python: Any) -> None:
    with pytest.raises(WeightsMismatch, match=r"not finite.*head\.out\.bias"):
        predict("motion_digits", CLIP, checkpoint=broken)
    with pytest.raises(NonFiniteOutput, match="NaN or infinite"):
        predict("motion_digits", CLIP, checkpoint={"uri": str(broken), "allow_nonfinite": True})
    done = python.essmc("predict", "motion_digits", CLIP, "--checkpoint", str(broken), "--json", check=False)
    assert done.returncode == 2 and done.stdout == "" and "not finite" in done.stderr


def test_a_run_s_own_checkpoint_with_nan_is_not_taken_up(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 2)
    before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    with pytest.raises(CheckpointMismatch, match="not finite"):
        load_weights(module, {"weight": torch.ones(2, 2), "bias": torch.tensor([NAN, 0.0])}, tmp_path / "w.pth")
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.state_dict().items())

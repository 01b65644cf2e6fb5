"""Frozen parts: no gradients, no steps, statistics kept, and the rest trains as it would alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from essmc_core.errors import ConfigError
from essmc_solvers.model.freezing import Frozen
from tests.samples.solving import Net, data, solver


class Deep(Net):
    """A backbone of two layers, each with a norm, the second without parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.backbone = nn.Sequential(
            nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.BatchNorm1d(16, affine=False)
        )
        self.head = nn.Linear(16, 3)


@pytest.mark.parametrize(
    ("patterns", "frozen"),
    [
        ("backbone", ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]),
        (["backbone.*"], ["0.weight", "0.bias", "1.weight", "1.bias", "3.weight", "3.bias"]),
        (["backbone.[01]"], ["0.weight", "0.bias", "1.weight", "1.bias"]),
        (["backbone.*.bias", "backbone.0.weight"], ["0.bias", "1.bias", "3.bias", "0.weight"]),
        ([], []),
    ],
)
def test_what_patterns_freeze(patterns: Any, frozen: list[str]) -> None:
    model = Deep()
    assert Frozen(model, patterns).names == {f"backbone.{name}" for name in frozen}
    still = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert still == {f"backbone.{name}" for name in frozen}


def test_a_frozen_backbone_keeps_every_bit_and_the_head_trains_as_on_fixed_features(tmp_path: Path) -> None:
    """The right values: a linear head on the features of the backbone in evaluation mode, trained by hand."""
    model, alone = Deep(), Deep()
    model.dropout = alone.dropout = nn.Dropout(0.0)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    seen: list[torch.Tensor] = []
    made = solver(model, freeze=["backbone"], optimizer={"type": "SGD", "lr": 0.1, "weight_decay": 0.1}, max_epochs=1)
    model.register_forward_pre_hook(lambda _, __, given: seen.append(given["img"].clone()), with_kwargs=True)
    labels: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda _, __, given: labels.append(given["gt_label"].clone()), with_kwargs=True)
    made.solve({"train": data()["train"]})

    after = model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("backbone"))
    assert model.backbone[0].weight.grad is None and len(made.trained_parameters) == 2
    alone.backbone.eval()
    steps = torch.optim.SGD(alone.head.parameters(), lr=0.1, weight_decay=0.1)
    for img, label in zip(seen, labels, strict=True):
        steps.zero_grad()
        nn.functional.cross_entropy(alone.head(alone.backbone(img).detach()), label).backward()
        steps.step()
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert torch.allclose(alone.head.weight, after["head.weight"], atol=1e-6)


def test_statistics_of_a_frozen_part_may_go_on() -> None:
    for kept in (True, False):
        model = Deep()
        solver(model, freeze="backbone", freeze_statistics=kept, max_epochs=1).solve(data())
        assert [bool(model.backbone[index].num_batches_tracked == 0) for index in (1, 4)] == [kept, kept]


def test_a_norm_of_which_a_part_trains_follows_the_batches() -> None:
    model = Deep()
    solver(model, freeze=["backbone.1.weight", "backbone.0"], max_epochs=1).solve(data())
    assert model.backbone[1].num_batches_tracked > 0


def test_the_average_of_a_frozen_part_is_itself(tmp_path: Path) -> None:
    model = Deep()
    made = solver(model, tmp_path, freeze="backbone", hooks=[{"type": "EmaHook", "decay": 0.9}], max_epochs=2)
    made.solve(data())
    saved = torch.load(tmp_path / "epoch-00002.pth", weights_only=True)
    assert set(saved["state_dict_ema"]) == set(saved["state_dict"])
    for name, tensor in saved["state_dict"].items():
        assert torch.equal(tensor, saved["state_dict_ema"][name]) == (not name.startswith("head"))


def test_a_run_with_a_frozen_part_resumes_with_the_same_bits(tmp_path: Path) -> None:
    def run(folder: Path, epochs: int) -> dict[str, Any]:
        made = solver(Deep(), folder, freeze="backbone", hooks=["EmaHook"], max_epochs=epochs, resume_from="auto")
        made.solve(data())
        saved: dict[str, Any] = torch.load(folder / f"epoch-{epochs:05d}.pth", weights_only=True)
        return saved

    run(tmp_path / "b", 2)
    left, right = run(tmp_path / "a", 4), run(tmp_path / "b", 4)
    for part in ("state_dict", "state_dict_ema"):
        assert all(torch.equal(value, right[part][name]) for name, value in left[part].items())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"freeze": "bakbone"}, r"'bakbone' matches no parameter.*\n.*did you mean 'backbone'"),
        ({"freeze": ["backbone", "head.2"]}, "'head.2' matches no parameter"),
        ({"freeze": "*"}, "no parameter to train"),
        ({"freeze": "backbone.4"}, "'backbone.4' matches no parameter"),
        ({"optimizer": {"head": "Adam"}}, r"no optimizer takes the parameter 'backbone.0.weight' and 5 more\n"
                                          r".*solver.freeze: \[backbone\]"),
        ({"optimizer": {"backbone.0": "Adam"}}, r"freeze: \[backbone.1, backbone.3, head\]"),
        ({"optimizer": {"hed": "Adam", "*": "Adam"}}, "did you mean 'head'"),
        ({"freeze": "backbone", "param_groups": [{"match": "backbone.*", "lr_scale": 0.1}]}, "are frozen"),
    ],
)  # fmt: skip
def test_what_cannot_be_frozen_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        solver(Deep(), **arguments)


def test_an_optimizer_of_the_head_alone_trains_beside_a_frozen_backbone(capsys: pytest.CaptureFixture[str]) -> None:
    optimizer = {"head": {"type": "SGD", "lr": 0.1}}
    solver(Deep(), optimizer=optimizer, freeze="backbone", max_epochs=1).solve(data())
    assert "parameters 51 of 467 train; frozen: backbone" in capsys.readouterr().out


def test_gradients_in_vain_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    groups = [{"match": "backbone.*", "lr": 0.0}]
    solver(Deep(), param_groups=groups, optimizer={"type": "SGD", "lr": 0.1}, max_epochs=1).solve(data())
    assert "freeze: [backbone] leaves these out" in capsys.readouterr().out
    model = Deep()
    solver(model, optimizer=torch.optim.SGD(model.head.parameters(), lr=0.1), max_epochs=1).solve(data())
    assert "freeze: [backbone] leaves these out" in capsys.readouterr().out

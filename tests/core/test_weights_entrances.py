"""Every way by which weights come into a model refuses a damaged file by the same rule, and says what is wrong."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

import essmc_core
from essmc_core.cli.build import build as build_command
from essmc_core.errors import WeightsMismatch
from essmc_core.weights import RandomWeights, build_with_weights, load_pretrained
from essmc_core.weights.described_file import read_metadata
from essmc_core.weights.load import load_exactly

BACKBONE: dict[str, Any] = {"type": "timm/test_resnet"}
HEAD: dict[str, Any] = {"type": "ClassifierHead", "num_classes": 5}
MODEL: dict[str, Any] = {"type": "Classifier", "backbone": BACKBONE, "head": HEAD}

Change = Callable[[dict[str, Tensor]], object]
LOST, BESIDES = "backbone.layer2.0.bn1.running_var", "backbone.layer2.0.bn9.running_var"
DAMAGES: dict[str, Change] = {
    LOST: lambda state: state.pop(LOST),
    BESIDES: lambda state: state.update({BESIDES: torch.ones(8)}),
}


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    torch.manual_seed(0)
    model: nn.Module = essmc_core.build_model({"model": MODEL})
    return dict(model.state_dict())


def below(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{part}."): value for key, value in state.items() if key.startswith(f"{part}.")}


def into_a_module(path: Path) -> None:
    load_pretrained(essmc_core.build_model({"model": MODEL}), path)


def straight_from_the_file(path: Path) -> None:
    build_with_weights(lambda: essmc_core.build_model({"model": MODEL}), path)


def pretrain_of_the_model(path: Path) -> None:
    essmc_core.build_model({"model": {**MODEL, "pretrain": str(path)}})


def pretrain_of_the_backbone(path: Path) -> None:
    pretrain = {"path": str(path), "sub_level": "backbone"}
    essmc_core.build_model({"model": {**MODEL, "backbone": {**BACKBONE, "pretrain": pretrain}}})


def weights_that_are_given(path: Path) -> None:
    essmc_core.build_model({"model": MODEL}, weights=path)


def weights_of_an_entry(path: Path) -> None:
    essmc_core.build_model({"model": MODEL, "weights": str(path)}, pretrained=True)


def a_checkpoint_at_the_command_line(path: Path) -> None:
    entry = path.parent / "entry.json.yaml"
    entry.write_text(json.dumps({"model": MODEL}))
    CliRunner().invoke(build_command, [str(entry), "--checkpoint", str(path)], catch_exceptions=False)


def resuming(path: Path) -> None:
    load_exactly(essmc_core.build_model({"model": MODEL}), torch.load(path), str(path))


ENTRANCES = [
    into_a_module, straight_from_the_file, pretrain_of_the_model, pretrain_of_the_backbone, weights_that_are_given,
    weights_of_an_entry, a_checkpoint_at_the_command_line, resuming,
]  # fmt: skip


@pytest.mark.parametrize("damaged", DAMAGES)
@pytest.mark.parametrize("entrance", ENTRANCES, ids=lambda entrance: entrance.__name__)
def test_a_damaged_file_is_refused(
    entrance: Callable[[Path], None], damaged: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    whole = dict(state)
    torch.save(whole, tmp_path / "whole.pth")
    entrance(tmp_path / "whole.pth")
    DAMAGES[damaged](whole)
    torch.save(whole, tmp_path / "damaged.pth")
    with pytest.raises(WeightsMismatch) as caught:
        entrance(tmp_path / "damaged.pth")
    name = damaged.removeprefix("backbone.") if entrance is pretrain_of_the_backbone else damaged
    assert [fault.keys for fault in caught.value.report.faults] == [(name,)]
    assert name in str(caught.value) and "damaged.pth" in str(caught.value)


@pytest.mark.parametrize("damaged", DAMAGES)
def test_a_folder_as_the_hub_has_it_is_refused(damaged: str, tmp_path: Path) -> None:
    file = essmc_core.save(essmc_core.build_model({"model": MODEL}), tmp_path / "model.safetensors")
    essmc_core.load(tmp_path)
    tensors, metadata = load_file(file), read_metadata(file)
    DAMAGES[damaged](tensors)
    save_file(tensors, file, metadata)
    with pytest.raises(WeightsMismatch, match=damaged.replace(".", r"\.")):
        essmc_core.load(tmp_path)


def test_a_part_takes_the_weights_of_the_part_alone(state: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "whole.pth")
    torch.save(below(state, "backbone"), tmp_path / "backbone.pth")
    with pytest.raises(WeightsMismatch, match="None of the weights"):
        essmc_core.BACKBONES.build({**BACKBONE, "pretrain": str(tmp_path / "whole.pth")})
    with pytest.raises(WeightsMismatch, match="None of the weights"):
        essmc_core.build_model({"model": MODEL}, weights=tmp_path / "backbone.pth")
    with pytest.raises(WeightsMismatch, match="head"):
        essmc_core.build_model({"model": MODEL}, weights={"uri": tmp_path / "backbone.pth", "prefix": "backbone"})


# -- what stays random is said -----------------------------------------------------------------------------------------

OTHER_CLASSES = {**MODEL, "head": {**HEAD, "num_classes": 7}}


def test_a_head_that_stays_random_is_said_every_time_and_stands_in_the_card(
    state: dict[str, Tensor], tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "w.pth")
    for _ in range(2):
        with pytest.warns(RandomWeights, match=r"head \(2 tensors\).*w\.pth.*random until they are trained") as said:
            model = essmc_core.build_model({"model": OTHER_CLASSES}, weights=tmp_path / "w.pth")
        assert len([one for one in said if one.category is RandomWeights]) == 1
    assert (model.card or {})["weights"]["random"] == "head (2 tensors)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = essmc_core.build_model({"model": MODEL}, weights=tmp_path / "w.pth")
    assert "random" not in (model.card or {})["weights"]


def shown(folder: Path, model: dict[str, Any], *arguments: str) -> list[str]:
    (folder / "entry.yaml").write_text(json.dumps({"model": model}))
    done = CliRunner().invoke(build_command, [str(folder / "entry.yaml"), *arguments], catch_exceptions=False)
    return [line for line in done.output.splitlines() if line.startswith(("weights", "random"))]


def test_the_output_of_a_command_says_what_stays_random(state: dict[str, Tensor], tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    torch.save(state, file)
    whole = f"weights     {file} (coverage 100.0%)"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shown(tmp_path, MODEL, "--checkpoint", str(file)) == [whole]
        assert shown(tmp_path, OTHER_CLASSES, "--checkpoint", str(file)) == [whole, "random      head (2 tensors)"]
        assert shown(tmp_path, MODEL) == ["weights     random"]
        pretrain = {"path": str(file), "sub_level": "backbone"}
        assert shown(tmp_path, {**MODEL, "backbone": {**BACKBONE, "pretrain": pretrain}}) == [
            f"weights     {file} (coverage 100.0%, of backbone)",
            "random      all that is not in backbone",
        ]
        assert shown(tmp_path, {**OTHER_CLASSES, "pretrain": str(file)}) == [
            f"weights     {file} (coverage 100.0%, of model)",
            "random      model: head (2 tensors)",
        ]

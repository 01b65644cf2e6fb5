"""Weights are compared with the fingerprint of their entry once, until the file, the entry or a version changes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

import essmc_core
from essmc_core.errors import ConfigError, FingerprintMismatch, FingerprintUnknown
from essmc_core.models import checked_loading
from essmc_core.models.computed_buffers import odd_buffers
from essmc_core.models.fingerprint import fingerprint_of, waves, weight_numbers
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.fingerprint import Fingerprint

NET: dict[str, Any] = {
    "model": {
        "type": "VideoClassifier",
        "backbone": {"type": "ResNetR2D3D", "depth": 10, "num_filters": [8, 8, 8, 8, 8]},
        "neck": "GlobalAveragePooling",
        "head": {"type": "VideoClassifierHead", "num_classes": 4},
    },
    "input": {
        "modality": "video", "frames": 4, "stride": 1, "size": 32, "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4],
    },
}  # fmt: skip


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with weights beside it and the fingerprint of both, and a cache folder of its own."""
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "net.yaml"
    torch.manual_seed(0)
    model = essmc_core.build_model(NET)
    torch.save(model.state_dict(), tmp_path / "net.pth")
    config = {**NET, "weights": {"uri": str(tmp_path / "net.pth")}}
    path.write_text(yaml.safe_dump(config))
    stated = fingerprint_of(model, read_recipe(path).input_spec())
    path.write_text(path.read_text() + stated.to_yaml())
    return path


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows whenever a network is compared."""
    found: list[str] = []
    real = checked_loading.compare

    def counted(recipe: Any, *arguments: Any) -> None:
        found.append(recipe.name)
        real(recipe, *arguments)

    monkeypatch.setattr(checked_loading, "compare", counted)
    return found


def build(entry: Path, **arguments: Any) -> nn.Module:
    return essmc_core.build_model(entry, pretrained=True, check=True, **arguments)


def swap_weights(entry: Path) -> None:
    path = entry.with_suffix(".pth")
    state = torch.load(path, weights_only=True)
    shapes = [name for name in state if state[name].ndim == 5 and state[name].shape[:2] == (8, 8)]
    one, other = next((a, b) for a in shapes for b in shapes if a < b and state[a].shape == state[b].shape)
    state[one], state[other] = state[other], state[one]
    torch.save(state, path)


def test_a_network_is_compared_once(entry: Path, compared: list[str]) -> None:
    build(entry)
    build(entry)
    assert len(compared) == 1


def test_without_check_nothing_is_compared(entry: Path, compared: list[str]) -> None:
    swap_weights(entry)
    essmc_core.build_model(entry, pretrained=True)
    assert compared == []


def test_another_file_in_the_place_of_the_checked_one_is_compared(entry: Path) -> None:
    build(entry)
    swap_weights(entry)
    for _ in range(2):  # a mismatch is never remembered
        with pytest.raises(FingerprintMismatch, match="other weights than its entry states") as caught:
            build(entry)
    assert "net.yaml" in str(caught.value)
    assert "--write" in str(caught.value.hint)


def test_another_entry_is_compared_again(entry: Path, compared: list[str]) -> None:
    build(entry)
    config = yaml.safe_load(entry.read_text())
    config["input"]["std"] = [0.2, 0.3, 0.5]
    entry.write_text(yaml.safe_dump(config))
    with pytest.raises(FingerprintMismatch, match="has the weights that its entry states and computes something else"):
        build(entry)
    assert len(compared) == 2


def test_another_version_of_torch_is_compared_again(
    entry: Path, compared: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build(entry)
    monkeypatch.setattr(torch, "__version__", "99.0")
    build(entry)
    assert len(compared) == 2


def test_what_cannot_be_remembered_is_compared_every_time(
    entry: Path, compared: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "file"))
    build(entry)
    build(entry)
    assert len(compared) == 2


def test_other_weights_than_the_entrys_are_a_mismatch(entry: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pth"
    torch.manual_seed(1)
    torch.save(essmc_core.build_model(NET).state_dict(), other)
    with pytest.raises(FingerprintMismatch):
        essmc_core.build_model(entry, weights=str(other), check=True)


def test_there_must_be_something_to_compare(entry: Path) -> None:
    with pytest.raises(FingerprintUnknown, match="built without weights"):
        essmc_core.build_model(entry, check=True)
    with pytest.raises(FingerprintUnknown, match="as it was changed"):
        build(entry, overrides=["model.head.dropout_rate=0.1"])
    entry.write_text(entry.read_text().partition("check:")[0])
    with pytest.raises(FingerprintUnknown, match="states no fingerprint"):
        build(entry)


def test_the_check_leaves_the_model_as_it_was(entry: Path) -> None:
    plain = essmc_core.build_model(entry, pretrained=True)
    checked = build(entry)
    assert checked.training
    for key, tensor in plain.state_dict().items():
        other = checked.state_dict()[key]
        assert tensor.dtype == other.dtype and torch.equal(tensor, other), key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("check: 3", "`check` must be a mapping"),
        ("check: {inputs: waves}", "no key 'inputs'"),
        ("check: {input: noise, at: [3], weights: [1.0], outputs: [1.0]}", "`check.input` must be waves"),
        ("check: {input: waves, at: [0], weights: [1.0], outputs: [1.0]}", "sizes above 0"),
        ("check: {input: waves, at: [3, 4], weights: [1.0], outputs: []}", "`check.outputs` must be a list"),
        ("check: {input: waves, at: [3, 4], weights: [.nan], outputs: [1.0]}", "`check.weights` must be a list"),
    ],
)
def test_a_section_of_another_form_is_refused_where_it_is_written(entry: Path, text: str, message: str) -> None:
    entry.write_text(entry.read_text().partition("check:")[0] + text + "\n")
    line = entry.read_text().splitlines().index(text) + 1
    with pytest.raises(ConfigError, match=f"net.yaml:{line}.*{message}"):
        build(entry)


def test_a_section_is_read_as_it_was_written() -> None:
    for outputs in ({"": (0.5, -2.0)}, {"verb": (1.0,), "noun": (2.5,)}):
        stated = Fingerprint("waves", (3, 4), (1.25, -3.5), outputs, "single")
        assert Fingerprint.from_mapping(yaml.safe_load(stated.to_yaml())["check"]) == stated
        assert Fingerprint.from_mapping(stated.to_mapping()) == stated


def test_waves_are_those_of_the_formula_in_any_order_of_dimensions(entry: Path) -> None:
    spec = read_recipe(entry).input_spec()
    found = waves(spec, (3, 4, 32, 24))
    assert found.shape == (1, 3, 4, 32, 24)
    for colour, frame, row, column in ((0, 0, 0, 0), (1, 2, 5, 7), (2, 3, 31, 23)):
        y, x = row / 32, column / 24
        pixel = (
            0.5
            + 0.3 * math.sin(2 * math.pi * (3 * x + 2 * y + 0.31 * colour + 0.13 * frame))
            + 0.2 * math.sin(2 * math.pi * (11 * x - 7 * y + 0.57 * colour - 0.29 * frame))
        )
        wanted = (pixel - spec.mean[colour]) / spec.std[colour]
        assert float(found[0, colour, frame, row, column]) == pytest.approx(wanted, abs=1e-12)


def test_every_value_its_place_and_the_name_of_its_tensor_count() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))
            self.other = nn.Parameter(torch.tensor([1e-6, 3e-6, 5e-6]))

    found = weight_numbers(Two())
    for change in (
        lambda net: net.one.data.copy_(torch.tensor([2.0, 1.0, 3.0])),
        lambda net: net.other.data.mul_(1.001),
        lambda net: (net.one.data.copy_(Two().other), net.other.data.copy_(Two().one)),
        lambda net: net.other.data.zero_(),
    ):
        net = Two()
        change(net)
        assert max(abs(a - b) for a, b in zip(found, weight_numbers(net), strict=True)) > 1e-4


def test_a_network_that_rounds_on_its_way_is_compared_in_single_precision(entry: Path) -> None:
    class Rounding(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(3.0))

        def forward(self, video: torch.Tensor) -> torch.Tensor:
            return (video.float() * self.scale.float()).mean((2, 3, 4)).double()

    spec = read_recipe(entry).input_spec()
    assert fingerprint_of(Rounding(), spec, (3, 4, 8, 8)).precision == "single"
    assert fingerprint_of(essmc_core.build_model(entry), spec).precision == "double"


class Positions(nn.Module):
    """Has a computed table that no state dict holds, and one of random numbers."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("table", torch.arange(6.0) * factor, persistent=False)
        self.register_buffer("noise", torch.rand(6), persistent=False)


def test_computed_buffers_are_those_of_another_building() -> None:
    assert odd_buffers(Positions(), Positions) == []
    assert odd_buffers(Positions(2.0), Positions) == ["table"]
    with torch.device("meta"):
        unset = Positions()
    assert odd_buffers(unset, Positions) == ["table"]
    assert "table" in odd_buffers(unset.to_empty(device="cpu").apply(lambda net: net.table.fill_(7.0)), Positions)


def test_a_table_that_was_never_computed_is_a_mismatch(entry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = read_recipe(entry)
    model = essmc_core.build_model(entry, pretrained=True)
    stated = checked_loading.required_fingerprint(recipe, {"uri": "net.pth"})
    model.register_buffer("table", torch.zeros(4), persistent=False)

    def fresh() -> nn.Module:
        other = essmc_core.build_model(entry)
        other.register_buffer("table", torch.ones(4), persistent=False)
        return other

    with pytest.raises(FingerprintMismatch, match="table differs from what another building"):
        checked_loading.compare(recipe, stated, model, fresh)
    assert not stated.weights_differ(weight_numbers(model))

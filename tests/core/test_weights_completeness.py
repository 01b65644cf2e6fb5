"""What a load may leave out, for use and as a start of training, and the user's word for it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core.errors import WeightsMismatch
from essmc_core.weights import build_with_weights, load_pretrained
from essmc_core.weights.key_groups import grouped


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(4, 4, 3, bias=False)
        self.bn = nn.BatchNorm2d(4)


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.layers = nn.Sequential(*[Block() for _ in range(12)])
        self.register_buffer("index", torch.arange(6).reshape(2, 3))
        self.register_buffer("seen", torch.zeros(3, dtype=torch.long))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("mask", torch.tensor([0.0, float("-inf")]))


class Model(nn.Module):
    def __init__(self, classes: int = 5) -> None:
        super().__init__()
        self.backbone = Backbone()
        self.head = nn.Linear(4, classes)


def state(classes: int = 5) -> dict[str, Tensor]:
    torch.manual_seed(0)
    return {k: torch.rand_like(v) if v.is_floating_point() and "mask" not in k else v
            for k, v in Model(classes).state_dict().items()}  # fmt: skip


def load(folder: Path, content: dict[str, Any], *, model: nn.Module | None = None, **options: Any) -> Any:
    torch.save(content, folder / "w.pth")
    return load_pretrained(model or Model(), folder / "w.pth", **options)


MATTERS = [key for key in Model().state_dict() if "num_batches" not in key and not key.endswith("index")]


@pytest.mark.parametrize("purpose", ["use", "start"])
@pytest.mark.parametrize("key", [key for key in MATTERS if ".layers." not in key or ".layers.3." in key])
def test_one_missing_tensor_is_refused_by_name_and_changes_nothing(tmp_path: Path, key: str, purpose: Any) -> None:
    model = Model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    given = {name: tensor for name, tensor in state().items() if name != key}
    with pytest.raises(WeightsMismatch, match=key.replace(".", r"\.")):
        load(tmp_path, given, model=model, purpose=purpose)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert load(tmp_path, given, model=model, purpose=purpose, allow_missing=[key]).lacking == (key,)


@pytest.mark.parametrize("purpose", ["use", "start"])
def test_counters_and_tables_that_construction_computes_may_be_absent(tmp_path: Path, purpose: Any) -> None:
    absent = {key for key in state() if key not in MATTERS}
    assert {key.rpartition(".")[2] for key in absent} == {"num_batches_tracked", "index"}
    report = load(tmp_path, {k: v for k, v in state().items() if k not in absent}, purpose=purpose)
    assert set(report.missing) == absent and not report.lacking and report.fits_whole


def test_missing_tensors_are_told_in_groups_with_patterns_that_allow_them(tmp_path: Path) -> None:
    given = {k: v for k, v in state().items() if not (k.endswith("running_var") and int(k.split(".")[2]) < 3)}
    with pytest.raises(WeightsMismatch) as caught:
        load(tmp_path, given, purpose="use")
    assert "bn.running_var of 3 layers" in str(caught.value) and '"*.bn.running_var"' in caught.value.hint
    assert len(load(tmp_path, given, purpose="use", allow_missing=["*.bn.running_var"]).lacking) == 3


def test_names_that_are_misspelt_are_told_beside_those_that_are_missing(tmp_path: Path) -> None:
    given = {key.replace("stem.", "stm."): value for key, value in state().items()}
    with pytest.raises(WeightsMismatch, match=r"backbone\.stem \(2 tensors\)") as caught:
        load(tmp_path, given, purpose="use")
    assert "backbone.stm (2 tensors)" in str(caught.value) and 'allow_unused: ["backbone.stm.*"]' in caught.value.hint


def test_groups_are_of_layers_alike() -> None:
    keys = [f"layers.{i}.{j}.weight" for i in range(2) for j in range(2)] + ["a.bn.bias", "b.bn.bias", "head.bias"]
    assert grouped(keys) == "layers.*.*.weight of 4 layers, bn.bias of 2 layers, head.bias"


def test_a_stated_min_coverage_is_a_word_for_a_start_and_none_for_use(tmp_path: Path) -> None:
    given = {key: value for key, value in state().items() if ".layers.11." not in key}
    assert load(tmp_path, given, min_coverage=0.8).lacking
    with pytest.raises(WeightsMismatch, match=r"of 6 layers|lack 5"):
        load(tmp_path, given, min_coverage=0.8, purpose="use")


def test_a_new_head_is_a_word_for_a_start_and_none_for_use(tmp_path: Path) -> None:
    assert set(load(tmp_path, state(400)).skipped) == {"head.weight", "head.bias"}
    with pytest.raises(WeightsMismatch, match="head"):
        load(tmp_path, state(400), purpose="use")
    with pytest.raises(WeightsMismatch, match=r"lack 2 .*head"):
        load(tmp_path, {k: v for k, v in state().items() if "head" not in k})


def test_a_direct_build_is_judged_alike(tmp_path: Path) -> None:
    given = state()
    del given["backbone.stem.bias"]
    torch.save(given, tmp_path / "w.pth")
    for purpose in ("use", "start"):
        with pytest.raises(WeightsMismatch, match=r"stem\.bias"):
            build_with_weights(Model, tmp_path / "w.pth", purpose=purpose)  # type: ignore[arg-type]


EXTRA = {"backbone.layers.2.shortcut_bn.weight": torch.ones(4), "backbone.layers.2.shortcut_bn.bias": torch.ones(4)}


def test_tensors_of_a_part_without_a_place_are_named_and_refused_for_use(tmp_path: Path) -> None:
    for purpose in ("use", "start"):
        with pytest.raises(WeightsMismatch, match=r"2 of their tensors have no place in it: .*shortcut_bn") as caught:
            load(tmp_path, {**state(), **EXTRA}, purpose=purpose)
        assert caught.value.report.coverage == 1 and set(caught.value.report.unused) == set(EXTRA)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(tmp_path, {**state(), **EXTRA}, purpose="use", allow_unused=["backbone.layers.2.shortcut_bn"])


@pytest.mark.parametrize(
    "extra",
    [
        {"backbone.layers.0.relative_position_index": torch.arange(4)},
        {"backbone.layers.0.attn_mask": torch.zeros(4)},
        {"backbone.other_bn.num_batches_tracked": torch.tensor(3)},
        {"n_averaged": torch.tensor(3)},
    ],
)
def test_what_is_rightly_left_over_is_no_fault(tmp_path: Path, extra: dict[str, Tensor]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(tmp_path, {**state(), **extra}, purpose="use").unexpected == tuple(extra)


@pytest.mark.parametrize("purpose", ["use", "start"])
@pytest.mark.parametrize(
    "extra",
    [
        {"decoder.weight": torch.ones(4)},
        {"backbone.aux1.fc.weight": torch.ones(4)},
        {"queue": torch.ones(4, 2)},
        {"queue_ptr": torch.tensor([3])},
        {"backbone.layers.12.conv.weight": torch.ones(4, 4, 3, 3), "backbone.layers.12.bn.weight": torch.ones(4)},
    ],
)
def test_another_part_of_the_weights_is_left_over_by_permission_alone(
    tmp_path: Path, extra: dict[str, Tensor], purpose: Any
) -> None:
    with pytest.raises(WeightsMismatch, match="no place in it"):
        load(tmp_path, {**state(), **extra}, purpose=purpose)
    assert load(tmp_path, {**state(), **extra}, purpose=purpose, allow_unused=list(extra)).unused == tuple(extra)


def test_a_second_name_of_a_tensor_that_has_its_place_is_no_fault(tmp_path: Path) -> None:
    given = state()
    twin = {"backbone.layers.0.again.weight": given["backbone.layers.0.conv.weight"]}
    assert load(tmp_path, {**given, **twin}, purpose="use").unexpected == tuple(twin)
    with pytest.raises(WeightsMismatch, match="again"):
        load(tmp_path, {**given, **{key: value.clone() for key, value in twin.items()}}, purpose="use")


def test_keys_that_a_key_map_drops_by_name_are_gone(tmp_path: Path) -> None:
    report = load(tmp_path, {**state(), **EXTRA}, purpose="use", key_map=[[r"^.*\.shortcut_bn\..*$", ""]])
    assert not report.unexpected


# -- values that are no numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("key", ["backbone.stem.weight", "backbone.layers.1.bn.running_var"])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, key: str, value: float) -> None:
    given = state()
    given[key].view(-1)[1] = value
    for purpose in ("use", "start"):
        with pytest.raises(WeightsMismatch, match=rf"not finite.*{key}"):
            load(tmp_path, given, purpose=purpose)
    load(tmp_path, given, allow_nonfinite=True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_type_of_number_is_looked_at(tmp_path: Path, dtype: torch.dtype) -> None:
    given = {key: value.to(dtype) if value.is_floating_point() else value for key, value in state().items()}
    load(tmp_path, given)
    given["head.bias"][0] = float("nan")
    with pytest.raises(WeightsMismatch, match=r"head\.bias"):
        load(tmp_path, given)


def test_numbers_that_the_module_s_type_cannot_hold_are_refused(tmp_path: Path) -> None:
    given = state()
    given["head.bias"][0] = 1e6
    load(tmp_path, given)
    with pytest.raises(WeightsMismatch, match=r"overflow float16.*head\.bias"):
        load(tmp_path, given, model=Model().half())


def test_a_mask_that_is_infinite_by_construction_is_no_fault(tmp_path: Path) -> None:
    assert load(tmp_path, state(), purpose="use").fits_whole
    with pytest.raises(WeightsMismatch, match="mask"):
        load(tmp_path, {**state(), "backbone.mask": torch.tensor([float("inf"), 0.0])})


# -- all or nothing ---------------------------------------------------------------------------------------------------


def quantized() -> Tensor:
    return torch.quantize_per_tensor(torch.ones(4, 3, 3, 3), 0.1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("assign", [False, True])
@pytest.mark.parametrize("kind", ["sparse", "meta", "quantized", "complex", "whole", "shape", "zero"])
def test_a_tensor_that_cannot_be_copied_leaves_nothing_changed(tmp_path: Path, kind: str, assign: bool) -> None:
    last = "backbone.stem.weight"
    plain = torch.ones(4, 3, 3, 3)
    bad = {
        "sparse": lambda: plain.to_sparse(), "meta": lambda: plain.to("meta"), "quantized": quantized,
        "complex": lambda: plain.to(torch.complex64), "whole": plain.long, "shape": lambda: plain[:3],
        "zero": lambda: plain[..., :0],
    }[kind]()  # fmt: skip
    model = Model()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    given = {key: value for key, value in state().items() if key != last}
    with pytest.raises(WeightsMismatch, match=r"stem\.weight"):
        load(tmp_path, {**given, last: bad}, model=model, assign=assign)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_parameter_that_cannot_be_written_to_leaves_nothing_changed(tmp_path: Path) -> None:
    model = Model()
    model.head.bias = nn.Parameter(torch.zeros(1).expand(5))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(WeightsMismatch, match=r"head\.bias"):
        load(tmp_path, state(), model=model)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())

"""Wrong loads: damaged and foreign weights of several networks are refused, and what is wrong with them is named."""

from __future__ import annotations

import copy
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import Tensor, nn

import essmc_core
from essmc_core.errors import WeightsMismatch
from essmc_core.weights.judgement import Purpose
from essmc_core.weights.readings import plan_checkpoint
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import WeightsSource
from tests.samples.narrow_video import MVIT, TRANSFORMER

State = dict[str, Tensor]

VIDEO_HEAD = {"type": "VideoClassifierHead", "num_classes": 5}
LIFTED = {"type": "Lift2D", "backbone": {"type": "timm/test_resnet", "pool": False}, "mode": "tada"}
RESNET = {"type": "ResNetR2D3D", "depth": 18, "num_filters": [8, 8, 8, 16, 16]}
NETWORKS: dict[str, dict[str, Any]] = {
    "resnet": {"type": "VideoClassifier", "backbone": RESNET, "head": VIDEO_HEAD},
    "vivit": {"type": "VideoClassifier", "backbone": {"type": "ViVit", **TRANSFORMER}, "head": VIDEO_HEAD},
    "mvit": {"type": "VideoClassifier", "backbone": {"type": "MViT", **MVIT}, "head": VIDEO_HEAD},
    "timm": {
        "type": "Classifier",
        "backbone": {"type": "timm/test_resnet"},
        "head": {"type": "ClassifierHead", "num_classes": 5},
    },
    "lifted": {
        "type": "VideoClassifier",
        "backbone": LIFTED,
        "neck": "GlobalAveragePooling",
        "head": VIDEO_HEAD,
    },
}  # fmt: skip
PURPOSES: tuple[Purpose, ...] = ("use", "start", "resume")


def build(name: str, **arguments: Any) -> nn.Module:
    config = copy.deepcopy(NETWORKS[name])
    config["backbone"] |= arguments
    return essmc_core.build_model({"model": config})


@functools.cache
def network(name: str) -> nn.Module:
    torch.manual_seed(0)
    return build(name)


def state_of(module: nn.Module) -> State:
    return {key: value.clone() for key, value in module.state_dict().items()}


def judged(module: nn.Module, weights: Mapping[str, Any], purpose: Purpose = "use", **options: Any) -> LoadReport:
    source = WeightsSource.parse({"uri": "weights.pth", **options})
    return plan_checkpoint(module, weights, source, purpose=purpose).report


def matters(key: str) -> bool:
    return not key.endswith("num_batches_tracked")


# -- damage: each changes the weights, and returns keys that are lost, that have no place, and that misfit ------------

Damage = Callable[[State], tuple[set[str], set[str], set[str]]]


def one_lost(state: State) -> tuple[set[str], set[str], set[str]]:
    key = [key for key in state if matters(key)][len(state) // 3]
    del state[key]
    return {key}, set(), set()


def one_renamed(state: State) -> tuple[set[str], set[str], set[str]]:
    key = [key for key in state if matters(key)][len(state) // 2]
    misspelt = key[:-1] + "x"
    state[misspelt] = state.pop(key)
    return {key}, {misspelt}, set()


def one_transposed(state: State) -> tuple[set[str], set[str], set[str]]:
    key = next(key for key, value in state.items() if value.dim() > 1 and value.shape[0] != value.shape[1])
    state[key] = state[key].transpose(0, 1).contiguous()
    return set(), set(), {key}


def statistics_missing(state: State) -> tuple[set[str], set[str], set[str]]:
    lost = {key for key in state if re.search(r"running_(mean|var)$", key)}
    for key in lost:
        del state[key]
    return lost, set(), set()


def biases_of_queries_and_values_missing(state: State) -> tuple[set[str], set[str], set[str]]:
    lost = {key for key in state if re.search(r"\.attn\.(q|v|to_qkv)\.bias$", key)}
    for key in lost:
        del state[key]
    return lost, set(), set()


def biases_of_queries_and_values_besides(state: State) -> tuple[set[str], set[str], set[str]]:
    extra = {f"{key.rpartition('.attn.')[0]}.attn.{name}_bias" for key in state if ".attn." in key for name in "qv"}
    state |= dict.fromkeys(extra, torch.ones(24))
    return set(), extra, set()


def half_lost(state: State) -> tuple[set[str], set[str], set[str]]:
    lost = set(list(state)[len(state) // 2 :])
    for key in lost:
        del state[key]
    return {key for key in lost if matters(key)}, set(), set()


def of_integers(state: State) -> tuple[set[str], set[str], set[str]]:
    key = next(key for key, value in state.items() if value.dim() > 1)
    state[key] = (state[key] * 127).to(torch.int8)
    return set(), set(), {key}


def one_besides_in_a_layer(state: State) -> tuple[set[str], set[str], set[str]]:
    extra = next(key for key in reversed(state) if key.startswith("backbone.")).rpartition(".")[0] + ".gamma"
    state[extra] = torch.ones(8)
    return set(), {extra}, set()


def one_besides_at_the_top(state: State) -> tuple[set[str], set[str], set[str]]:
    state["text_projection"] = torch.ones(4, 4)
    return set(), {"text_projection"}, set()


def a_second_copy_in_front(state: State) -> tuple[set[str], set[str], set[str]]:
    twice = {f"backbone.{key}": value.clone() for key, value in state.items() if key.startswith("backbone.")}
    state |= twice
    return set(), {key for key in twice if matters(key)}, set()


EVERYWHERE: tuple[Damage, ...] = (
    one_lost, one_renamed, one_transposed, half_lost, of_integers, one_besides_in_a_layer, one_besides_at_the_top,
    a_second_copy_in_front,
)  # fmt: skip
DAMAGES = [
    *((name, damage) for name in NETWORKS for damage in EVERYWHERE),
    *((name, statistics_missing) for name in ("resnet", "timm", "lifted")),
    *((name, biases_of_queries_and_values_missing) for name in ("vivit", "mvit")),
    *((name, biases_of_queries_and_values_besides) for name in ("vivit", "mvit")),
]


@pytest.mark.parametrize(("name", "damage"), DAMAGES, ids=lambda value: getattr(value, "__name__", value))
def test_damaged_weights_are_refused_and_what_is_wrong_is_named(name: str, damage: Damage) -> None:
    model = network(name)
    state = state_of(model)
    lost, besides, misfits = damage(state)
    assert lost or besides or misfits
    for purpose in PURPOSES:
        with pytest.raises(WeightsMismatch) as caught:
            judged(model, state, purpose)
        found = {fault.kind: set(fault.keys) for fault in caught.value.report.faults}
        told = {"missing": lost, "unused": besides, "misfit": misfits}
        for kind, keys in told.items():
            named = {key for key in found.get(kind, set()) if matters(key)}
            assert named == keys, (purpose, kind)
    # What it says would allow the load does allow it, and nothing else was in the way.
    options: dict[str, list[str]] = {}
    with pytest.raises(WeightsMismatch) as caught:
        judged(model, state)
    for fault in caught.value.report.faults:
        options.setdefault(fault.option, []).extend(fault.patterns)
    assert set(judged(model, state, **options).random) == lost | misfits


@pytest.mark.parametrize("name", NETWORKS)
def test_one_tensor_of_many_matters(name: str) -> None:
    model = network(name)
    state = state_of(model)
    assert judged(model, state).complete
    for key in list(filter(matters, state))[::4]:
        with pytest.raises(WeightsMismatch, match=re.escape(key)):
            judged(model, {other: value for other, value in state.items() if other != key})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", NETWORKS)
def test_values_that_are_no_numbers_are_refused(name: str, value: float) -> None:
    state = state_of(network(name))
    key = [key for key in state if matters(key)][-3]
    state[key].view(-1)[0] = value
    for purpose in PURPOSES:
        with pytest.raises(WeightsMismatch, match=re.escape(key)) as caught:
            judged(network(name), state, purpose)
        assert [fault.kind for fault in caught.value.report.faults] == ["nonfinite"]


OTHERS = [
    ("resnet", {"depth": 34}, {"depth": 18}),
    ("vivit", {"depth": 4}, {"depth": 3}),
    ("mvit", {"depth": 4}, {"depth": 3}),
    ("vivit", {"tubelet_size": 1}, {"tubelet_size": 2}),
    ("vivit", {"patch_size": 8}, {"patch_size": 16}),
    ("resnet", {"num_filters": [8, 8, 8, 16, 24]}, {"num_filters": [8, 8, 8, 16, 16]}),
    ("timm", {"in_chans": 1}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "one", "other"), OTHERS)
def test_weights_of_another_form_of_the_network_are_refused_either_way(
    name: str, one: dict[str, Any], other: dict[str, Any]
) -> None:
    networks = build(name, **one), build(name, **other)
    for module, origin in (networks, networks[::-1]):
        assert judged(origin, state_of(origin)).complete
        for purpose in PURPOSES:
            with pytest.raises(WeightsMismatch) as caught:
                judged(module, state_of(origin), purpose)
            assert caught.value.report.faults


def test_averaged_weights_that_are_half_of_a_checkpoint_are_not_made_whole_by_the_plain_ones() -> None:
    model = network("resnet")
    plain, averaged = state_of(model), state_of(model)
    half_lost(averaged)
    checkpoint = {"state_dict": plain, "state_dict_ema": averaged}
    with pytest.raises(WeightsMismatch, match="they lack"):
        judged(model, checkpoint)
    assert judged(model, checkpoint, ema=False).complete
    mixed = {f"{'module' if index % 2 else 'ema'}.{key}": value for index, (key, value) in enumerate(plain.items())}
    with pytest.raises(WeightsMismatch, match="they lack"):
        judged(model, mixed)


def test_a_key_with_and_without_a_wrappers_prefix_is_refused() -> None:
    state = state_of(network("resnet"))
    with pytest.raises(WeightsMismatch, match="Both"):
        judged(network("resnet"), {**state, "module.head.out.weight": torch.zeros(5, 16)})


def test_a_lift_lacks_its_new_layers_as_a_start_alone() -> None:
    model = network("lifted")
    image = {key.replace("backbone.backbone.", "backbone.", 1): value for key, value in state_of(model).items()}
    image = {key: value for key, value in image.items() if ".calibration." not in key}
    report = judged(model, image, "start")
    assert all(".calibration." in key for key in report.new) and report.new and not report.random
    with pytest.raises(WeightsMismatch, match="calibration"):
        judged(model, image, "use")
    lost = next(key for key in image if key.endswith("conv2.weight"))
    with pytest.raises(WeightsMismatch, match=re.escape(lost.replace("backbone.", "backbone.backbone.", 1))):
        judged(model, {key: value for key, value in image.items() if key != lost}, "start")


# -- accepted if, and only if, the patterns allow it -------------------------------------------------------------------


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4)) for _ in range(3))
        self.last = nn.Linear(4, 6)


SMALL = Small()
KEYS = sorted(filter(matters, SMALL.state_dict()))
NAMES = sorted({*KEYS, *(key.rpartition(".")[0] for key in KEYS), "blocks", "blocks.1", "*.bias", "blocks.*.1"})


def allowed(key: str, names: list[str]) -> bool:
    for name in names:
        if name == "*.bias":
            if key.endswith(".bias"):
                return True
        elif name == "blocks.*.1":
            if re.search(r"^blocks\..*\.1(\.|$)", key):
                return True
        elif key == name or key.startswith(f"{name}."):
            return True
    return False


@given(
    some.sets(some.sampled_from([key for key in KEYS if key != "stem.weight"])),
    some.sets(some.sampled_from([key for key in KEYS if key != "stem.weight"]), max_size=3),
    some.sets(some.sampled_from(["extra.weight", "blocks.3.0.weight", "blocks.1.gamma", "queue"])),
    some.lists(some.sampled_from(NAMES), max_size=6),
    some.lists(some.sampled_from([*NAMES, "extra", "other", "queue", "blocks.3"]), max_size=4),
    some.sampled_from(["use", "start"]),
)
def test_a_load_is_accepted_if_and_only_if_patterns_allow_what_differs(
    removed: set[str],
    renamed: set[str],
    extra: set[str],
    may_miss: list[str],
    may_stay: list[str],
    purpose: Purpose,
) -> None:
    renamed = renamed - removed
    state: State = {key: value for key, value in state_of(SMALL).items() if key not in removed}
    besides = {f"other.{key}" for key in renamed} | extra
    for key in renamed:
        state[f"other.{key}"] = state.pop(key)
    state |= dict.fromkeys(extra, torch.ones(2))
    denied = {key for key in removed | renamed if not allowed(key, may_miss)}
    denied |= {key for key in besides if not allowed(key, may_stay)}
    options = {"allow_missing": may_miss, "allow_unused": may_stay}
    if denied:
        with pytest.raises(WeightsMismatch) as caught:
            judged(SMALL, state, purpose, **options)
        faults = caught.value.report.faults
        assert {fault.kind for fault in faults} <= {"missing", "unused"}
        assert {key for fault in faults for key in fault.keys} == denied
    else:
        report = judged(SMALL, state, purpose, **options)
        assert set(report.random) == removed | renamed and set(report.unused) == besides

"""From a checkpoint to the module's names: unwrapping, wrappers' prefixes, key maps, levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from essmc_core.errors import WeightsMismatch
from essmc_core.weights import load_pretrained
from essmc_core.weights.source import WeightsSource
from essmc_core.weights.state_dict import (
    extract_state_dict,
    map_keys,
    strip_key,
    strip_wrappers,
    take_sub_level,
    unwrap,
)

ONE, TWO = torch.ones(1), torch.full((1,), 2.0)
PARTS = st.sampled_from(["module", "_orig_mod", "_fsdp_wrapped_module", "modules", "backbone", "conv1", "weight"])
KEYS = st.lists(PARTS, min_size=1, max_size=6).map(".".join)


@pytest.mark.parametrize("name", ["state_dict", "model_state", "model_state_dict", "model"])
def test_the_state_dict_is_found_in_a_checkpoint(name: str) -> None:
    assert unwrap({"epoch": 3, name: {"weight": ONE}}) == {"weight": ONE}
    assert unwrap({"checkpoint": 1, "model": {"state_dict": {"weight": ONE}}}) == {"weight": ONE}


@pytest.mark.parametrize("name", ["net", "network", "params", "weights", "student", "blobs", "a_name_of_their_own"])
def test_state_dicts_below_other_names_are_found(name: str) -> None:
    optimizer = {"state": {0: {"exp_avg": TWO}}, "param_groups": []}
    assert unwrap({"epoch": 3, "optimizer": optimizer, name: {"weight": ONE}}) == {"weight": ONE}
    assert unwrap({"optim": optimizer, name: {"weight": ONE}}, ema=False) == {"weight": ONE}


def test_of_several_networks_none_is_guessed() -> None:
    with pytest.raises(WeightsMismatch, match="several networks: 'encoder', 'decoder'"):
        unwrap({"encoder": {"weight": ONE}, "decoder": {"weight": TWO}})
    for plain in ("student", "model"):
        both = {"teacher": {"weight": TWO}, plain: {"weight": ONE}}
        with pytest.raises(WeightsMismatch, match=f"two networks, teacher and {plain}"):
            unwrap(both)
        assert unwrap(both, ema=True)["weight"].item() == 2
        assert unwrap(both, ema=False)["weight"].item() == 1
    with pytest.raises(WeightsMismatch, match="the state of an optimizer"):
        unwrap({"state": {0: {"exp_avg": TWO}}, "param_groups": []})


@pytest.mark.parametrize(
    "name", ["state_dict_ema", "ema_state_dict", "params_ema", "ema", "model_ema", "model_ema_state"]
)
def test_averaged_weights_are_chosen_unless_plain_ones_are_asked_for(name: str) -> None:
    both = {"state_dict": {"weight": ONE}, name: {"weight": TWO}}
    assert unwrap(both)["weight"].item() == 2, "they are what training evaluated, and what `essmc eval` takes"
    assert unwrap(both, ema=False)["weight"].item() == 1
    assert unwrap(both, ema=True)["weight"].item() == 2
    only = {name: {"weight": TWO}}
    assert unwrap(only)["weight"].item() == 2
    assert unwrap({name: {"state_dict": {"weight": TWO}}}, ema=True)["weight"].item() == 2
    with pytest.raises(WeightsMismatch, match=name):
        unwrap(only, ema=False)


def test_absent_averaged_weights_are_not_replaced_by_plain_ones() -> None:
    for checkpoint in ({"state_dict": {"weight": ONE}}, {"weight": ONE}):
        with pytest.raises(WeightsMismatch, match="averaged"):
            unwrap(checkpoint, ema=True)


def test_a_tensor_called_model_is_a_tensor() -> None:
    assert set(unwrap({"model": ONE, "weight": TWO})) == {"model", "weight"}


@pytest.mark.parametrize("checkpoint", [{}, {"epoch": 3}, {"state_dict": {"names": ["a"]}}])
def test_a_file_without_tensors_is_refused(checkpoint: dict[str, Any]) -> None:
    with pytest.raises(WeightsMismatch, match="no state dict"):
        unwrap(checkpoint)


@pytest.mark.parametrize(
    ("key", "stripped"),
    [
        ("module.conv1.weight", "conv1.weight"),
        ("module.module.conv1.weight", "conv1.weight"),
        ("_orig_mod.module.conv1.weight", "conv1.weight"),
        ("module._orig_mod.conv1.weight", "conv1.weight"),
        ("backbone._orig_mod.conv1.weight", "backbone.conv1.weight"),
        ("backbone.module.weight", "backbone.module.weight"),
        ("modules.weight", "modules.weight"),
        ("my_orig_mod.weight", "my_orig_mod.weight"),
    ],
)
def test_prefixes_of_wrappers_are_removed(key: str, stripped: str) -> None:
    assert strip_wrappers({key: 0}) == {stripped: 0}


@given(KEYS)
def test_stripping_twice_is_stripping_once(key: str) -> None:
    assert strip_key(strip_key(key)) == strip_key(key)


@given(KEYS, st.lists(st.sampled_from(["module.", "_orig_mod."]), max_size=4).map("".join))
def test_wrapping_a_model_changes_nothing(key: str, wrappers: str) -> None:
    assert strip_key(wrappers + key) == strip_key(key)


def test_real_wrappers_are_seen_through() -> None:
    layer = torch.nn.Linear(2, 2)
    averaged = torch.optim.swa_utils.AveragedModel(layer)
    assert set(strip_wrappers(averaged.state_dict())) == {"n_averaged", "weight", "bias"}
    assert set(strip_wrappers(torch.nn.DataParallel(torch.compile(layer)).state_dict())) == {"weight", "bias"}


def test_two_keys_that_become_one_are_refused() -> None:
    with pytest.raises(WeightsMismatch, match=r"'module\.a' and 'a'"):
        strip_wrappers({"module.a": 0, "a": 1})
    with pytest.raises(WeightsMismatch, match=r"'a1' and 'a2'.*'a'"):
        map_keys({"a1": 0, "a2": 1}, ((r"\d", ""),))


def test_a_key_map_is_applied_in_order() -> None:
    pairs = ((r"^features\.(\d+)", r"blocks.\1"), (r"^blocks\.0\.", "stem."))
    assert map_keys({"features.0.weight": 0, "features.1.weight": 1}, pairs) == {"stem.weight": 0, "blocks.1.weight": 1}


@given(st.dictionaries(KEYS, st.integers(), max_size=5), st.text("abc", min_size=1, max_size=4))
def test_a_key_map_and_its_inverse_cancel(state: dict[str, int], name: str) -> None:
    there = map_keys(state, (("^", f"{name}."),))
    assert map_keys(there, ((rf"^{name}\.", ""),)) == state
    assert take_sub_level({**there, "other": 0}, name) == state if state else True


def test_an_unknown_level_names_those_that_exist() -> None:
    state = {"backbone.conv1.weight": 0, "head.weight": 1, "backbone_aux.weight": 2}
    assert take_sub_level(state, "backbone") == take_sub_level(state, "backbone.") == {"conv1.weight": 0}
    with pytest.raises(WeightsMismatch) as caught:
        take_sub_level(state, "bakbone")
    assert "backbone, head, backbone_aux" in str(caught.value)


def test_the_steps_follow_each_other() -> None:
    checkpoint = {"model_state": {"module.encoder.conv.weight": ONE, "module.decoder.weight": TWO}}
    source = WeightsSource.parse(
        {"path": "w", "key_map": [["^encoder", "backbone"]], "sub_level": "backbone", "prefix": "body"}
    )
    assert list(extract_state_dict(checkpoint, source)) == ["body.conv.weight"]


def test_the_report_says_from_where_in_the_file_it_read(tmp_path: Path) -> None:
    module = torch.nn.Linear(2, 2)
    state = {key: value.clone() for key, value in module.state_dict().items()}
    torch.save({"net": state, "averages": 3, "params_ema": {"state_dict": state}}, tmp_path / "w.pth")
    assert load_pretrained(module, tmp_path / "w.pth").part == "params_ema.state_dict"
    report = load_pretrained(module, tmp_path / "w.pth", ema=False)
    assert report.part == "net" and "read from 'net'" in report.summary()
    torch.save(state, tmp_path / "w.pth")
    assert load_pretrained(module, tmp_path / "w.pth").part == ""

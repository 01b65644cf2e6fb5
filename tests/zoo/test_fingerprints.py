"""Fingerprints notice what loading cannot: tensors that changed places, biases of zeros, another epsilon."""

from __future__ import annotations

import random
from collections.abc import Iterator
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import Tensor, nn

import essmc_core
from essmc_core.errors import FingerprintMismatch, WeightsNotFound
from essmc_core.models.checked_loading import compare
from essmc_core.models.factory import build_recipe, build_trained
from essmc_core.models.fingerprint import fingerprint_of, weight_numbers
from essmc_core.models.recipes import read_recipe
from essmc_core.zoo.fingerprint import Fingerprint, read_fingerprint
from essmc_core.zoo.recipe import Recipe
from essmc_core.zoo.weights_asked import weights_source
from tests.samples.written_entries import written_entries

BY_PIP = [
    name
    for name in written_entries(pretrained=True)
    if str(essmc_core.ZOO.entry(name).section("weights").get("uri")).startswith("pkg://")
]
NARROW: dict[str, dict[str, Any]] = {
    pattern: how
    for path in sorted((Path(__file__).parent / "narrow").glob("*.yaml"))
    for pattern, how in yaml.safe_load(path.read_text()).items()
}
VARIANTS = (
    "tada2d_r50_k400", "timesformer_divst_b16_k400", "mvit_b_16x4_k400", "r2d3d_18_mosi_hmdb51",
)  # fmt: skip


def _trained(name: str) -> tuple[Recipe, nn.Module]:
    recipe = read_recipe(name)
    try:
        return recipe, build_trained(recipe, weights_source(recipe, True, None)).eval()
    except WeightsNotFound as error:
        pytest.skip(error.message)


def _narrow(name: str) -> tuple[Recipe, nn.Module, tuple[int, ...]]:
    """Returns a small form of an entry, filled so that no tensor is zeros or ones."""
    how = NARROW[max((pattern for pattern in NARROW if fnmatchcase(name, pattern)), key=len)]
    recipe = read_recipe(name, how.get("overrides") or ())
    torch.manual_seed(0)
    model = build_recipe(recipe).eval()
    generator = torch.Generator().manual_seed(0)
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator)
            # Variances stay positive, and matrices keep the size that their initialisation gives them.
            tensor.copy_(noise.abs() + 0.5 if key.endswith("running_var") else tensor + 0.1 * noise)
    # Logits of hundreds would make one class certain, whatever the layers before compute.
    while fingerprint_of(model, recipe.input_spec(), how["input"], "double").outputs[""][0] < -50:
        for parameter in model.get_submodule("head").parameters():
            parameter.data.mul_(0.1)
    return recipe, model, tuple(how["input"])


def _swaps(model: nn.Module, count: int, dimensions: int = 0) -> Iterator[str]:
    """Swaps two tensors of equal shape, with at least so many dimensions, yields both names, and swaps them back."""
    several = combinations(model.state_dict().items(), 2)
    pairs = [
        pair
        for pair in several
        if pair[0][1].shape == pair[1][1].shape
        and pair[0][1].is_floating_point()
        and pair[0][1].ndim >= dimensions
        and pair[0][1].data_ptr() != pair[1][1].data_ptr()
        and not torch.equal(pair[0][1], pair[1][1])
    ]
    assert pairs
    for (one, first), (other, second) in random.Random(0).sample(pairs, min(count, len(pairs))):
        _swap(first, second)
        yield f"{one} and {other}"
        _swap(first, second)


def _swap(one: Tensor, other: Tensor) -> None:
    kept = one.clone()
    one.copy_(other)
    other.copy_(kept)


def test_every_entry_whose_weights_come_by_pip_states_a_fingerprint() -> None:
    assert len(BY_PIP) >= 6
    assert [name for name in BY_PIP if not essmc_core.ZOO.entry(name).has_check] == []


@pytest.mark.parametrize("name", BY_PIP)
def test_weights_that_pip_delivers_compute_what_the_entry_states_until_two_tensors_are_swapped(name: str) -> None:
    recipe, model = _trained(name)
    stated = read_fingerprint(recipe.config)
    assert stated is not None
    compare(recipe, stated, model, lambda: model)
    for swapped in _swaps(model, 5):
        assert stated.weights_differ(weight_numbers(model)), swapped
    swaps = _swaps(model, 1)
    next(swaps)
    with pytest.raises(FingerprintMismatch, match="other weights than its entry states"):
        compare(recipe, stated, model, lambda: model)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_swap_of_two_tensors_is_noticed_by_weights_and_by_outputs(name: str) -> None:
    recipe, model, shape = _narrow(name)
    spec = recipe.input_spec()
    stated = fingerprint_of(model, spec, shape, "double")
    for swapped in _swaps(model, 20):
        assert stated.weights_differ(weight_numbers(model)), swapped
    # Outputs need not depend on every vector: a bias of keys, for one, changes no attention.
    for swapped in _swaps(model, 3, dimensions=2):
        found = fingerprint_of(model, spec, shape, "double")
        assert stated.weights_differ(found.weights), swapped
        assert stated.outputs_differ(found.outputs), swapped
    again = fingerprint_of(model, spec, shape, "double")
    assert not stated.weights_differ(again.weights)
    assert not stated.outputs_differ(again.outputs)


@pytest.mark.parametrize("name", ["timesformer_divst_b16_k400", "mvit_b_16x4_k400"])
@pytest.mark.parametrize("part", ["query", "value"])
def test_biases_of_queries_or_values_that_are_zeros_are_noticed(name: str, part: str) -> None:
    recipe, model, shape = _narrow(name)
    stated = fingerprint_of(model, recipe.input_spec(), shape, "double")
    state = model.state_dict()
    together = [tensor.chunk(3)[0 if part == "query" else 2] for key, tensor in state.items() if "qkv.bias" in key]
    biases = together or [tensor for key, tensor in state.items() if key.endswith(f"attn.{part[0]}.bias")]
    assert biases
    for bias in biases:
        bias.zero_()
    found = fingerprint_of(model, recipe.input_spec(), shape, "double")
    assert stated.weights_differ(found.weights)
    assert stated.outputs_differ(found.outputs)


@pytest.mark.parametrize("name", VARIANTS)
def test_another_epsilon_of_one_layer_changes_outputs_alone(name: str) -> None:
    recipe, model, shape = _narrow(name)
    stated = fingerprint_of(model, recipe.input_spec(), shape, "double")
    layers = [layer for layer in model.modules() if isinstance(getattr(layer, "eps", None), float)]
    for layer in (layers[0], layers[-1]):
        kept = layer.eps
        layer.eps = kept * 10
        found = fingerprint_of(model, recipe.input_spec(), shape, "double")
        layer.eps = kept
        assert not stated.weights_differ(found.weights)
        assert stated.outputs_differ(found.outputs), type(layer).__name__


def test_threads_do_not_change_the_numbers() -> None:
    recipe, model, shape = _narrow("tada2d_r50_k400")
    threads = torch.get_num_threads()
    found: list[Fingerprint] = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(fingerprint_of(model, recipe.input_spec(), shape, "double"))
    finally:
        torch.set_num_threads(threads)
    assert not found[0].weights_differ(found[1].weights)
    assert not found[0].outputs_differ(found[1].outputs)

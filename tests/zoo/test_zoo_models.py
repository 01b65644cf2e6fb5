"""Every zoo model keeps the contract, copies, pickles, traces and exports; slow ones in a narrow form of themselves.

``tests/zoo/narrow/*.yaml`` says how each is made small. Models whose small forms are the same are run once. Those that
differ in sizes and in rates of dropping alone are copied, traced and exported, which is in eval mode, once. What is no
classifier names its ``own_tests`` of the same.
"""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import warnings
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from essmc_core.contract.module import check_train_output
from essmc_core.models.recipes import build_config, read_recipe
from essmc_core.weights import skip_init
from essmc_core.zoo.recipe import Recipe
from tests.samples.written_entries import written_entries
from tests.zoo.small_mvit import small_torchvision_mvit

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SNAPSHOTS = HERE / "state_dicts.json"
NARROW: dict[str, dict[str, Any]] = {
    pattern: how
    for path in sorted((HERE / "narrow").glob("*.yaml"))
    for pattern, how in yaml.safe_load(path.read_text()).items()
}
CLASSES = 5


def _how(name: str) -> dict[str, Any]:
    matching = [pattern for pattern in NARROW if fnmatchcase(name, pattern)]
    # The longest pattern is the most particular one.
    return NARROW[max(matching, key=len)] if matching else {}


def _narrow(name: str) -> tuple[Recipe, tuple[int, ...]]:
    how = _how(name)
    recipe = read_recipe(name, how.get("overrides", {}))
    classes = recipe.model["head"]["num_classes"]
    several = isinstance(classes, tuple)
    recipe = read_recipe(
        name, {**how.get("overrides", {}), "model.head.num_classes": [CLASSES] * len(classes) if several else CLASSES}
    )
    return recipe, tuple(how["input"])


def _groups() -> dict[str, list[str]]:
    """Returns, by its first name, each set of models that are the same once made small."""
    by_recipe: dict[str, list[str]] = {}
    for name in written_entries():
        if _how(name).get("input"):
            recipe, shape = _narrow(name)
            key = json.dumps([recipe.model.to_dict(), shape], sort_keys=True, default=str)
            by_recipe.setdefault(key, []).append(name)
    return {names[0]: names for names in by_recipe.values()}


def _structure(value: Any) -> Any:
    """Returns what decides which operations run in eval mode: all but sizes and rates of dropping."""
    if isinstance(value, dict):
        return {key: _structure(kept) for key, kept in value.items() if "drop" not in key}
    if isinstance(value, (list, tuple)):
        kept = [_structure(item) for item in value]
        return kept[:1] if all(item == kept[0] for item in kept) else kept
    return value if value is None or isinstance(value, (bool, str)) else "a number"


def _first_of_each_structure() -> list[str]:
    by_structure: dict[str, str] = {}
    for name in GROUPS:
        by_structure.setdefault(json.dumps(_structure(_narrow(name)[0].model.to_dict()), sort_keys=True), name)
    return list(by_structure.values())


GROUPS = _groups()
STRUCTURES = _first_of_each_structure()
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")


@pytest.fixture(scope="module", params=list(GROUPS), ids=["+".join(names) for names in GROUPS.values()])
def small(request) -> tuple[Any, tuple[int, ...]]:
    """A narrow model in eval mode and the shape of one input."""
    torch.manual_seed(0)
    recipe, shape = _narrow(request.param)
    with small_torchvision_mvit():
        return build_config("models", recipe.model).eval(), shape


each_structure = pytest.mark.parametrize("small", STRUCTURES, indirect=True, scope="module")


def _inputs(shape: tuple[int, ...], batch: int) -> torch.Tensor:
    return torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))


def _labels(model: Any, batch: int) -> torch.Tensor:
    classes = getattr(model.head, "num_classes", CLASSES)
    several = isinstance(classes, (tuple, list))
    return torch.zeros((batch, len(classes)) if several else (batch,), dtype=torch.long)


def _tensors(outputs: Any) -> dict[str, torch.Tensor]:
    return outputs if isinstance(outputs, dict) else {"": outputs}


def _assert_equal(found: Any, expected: Any) -> None:
    found, expected = _tensors(found), _tensors(expected)
    assert list(found) == list(expected)
    for key in expected:
        torch.testing.assert_close(found[key], expected[key], rtol=1e-4, atol=1e-5)


def test_every_model_has_a_small_form():
    assert [name for name in written_entries() if not _how(name)] == []
    assert [path for how in NARROW.values() if (path := how.get("own_tests")) and not (ROOT / path).is_file()] == []


def test_a_small_form_is_of_the_same_library():
    """A pattern that also fits another library's models would have the wrong one run."""

    def library(recipe: Recipe) -> str:
        return recipe.model["backbone"]["type"].rpartition("/")[0]

    named = [name for name in written_entries() if _how(name).get("input")]
    assert [name for name in named if library(_narrow(name)[0]) != library(read_recipe(name))] == []


def test_structures_differ_in_more_than_numbers():
    net = {"type": "Net", "widths": [8, 16], "two_d": False, "drop_path_rate": 0.1, "head": {"num_classes": 5}}
    same = [{**net, "widths": [16, 32]}, {**net, "drop_path_rate": 0.0}]
    heads = [{**net, "head": {"num_classes": [5, 5]}}, {**net, "head": {"num_classes": 5, "type": "Head"}}]
    others = [{**net, "two_d": True}, {**net, "type": "Other"}, {**net, "widths": None}, *heads]
    assert [_structure(other) == _structure(net) for other in same + others] == [True] * 2 + [False] * 5


@pytest.mark.parametrize("batch", [1, 2])
def test_eval_gives_probabilities_and_metrics(small, batch):
    model, shape = small
    inputs, labels = _inputs(shape, batch), _labels(model, batch)
    with torch.no_grad():
        outputs, with_labels = _tensors(model(inputs)), model(inputs, labels)
    for probabilities in outputs.values():
        assert probabilities.shape == (batch, CLASSES)
        torch.testing.assert_close(probabilities.sum(1), torch.ones(batch))
    assert with_labels["batch_size"] == batch
    assert any(key.startswith("acc") for key in with_labels)


@pytest.mark.parametrize("batch", [1, 2])
def test_train_gives_a_loss_that_reaches_every_parameter(small, batch, request):
    model = copy.deepcopy(small[0]).train()
    batch = max(batch, _how(request.node.callspec.params["small"]).get("least_train_batch", 1))
    inputs, labels = _inputs(small[1], batch), _labels(model, batch)
    outputs = check_train_output(model(inputs, labels))
    outputs["loss"].backward()
    assert outputs["batch_size"] == batch and torch.isfinite(outputs["loss"])
    without = [name for name, value in model.named_parameters() if value.requires_grad and value.grad is None]
    assert without == []
    model.zero_grad()
    for probabilities in _tensors(model(inputs)).values():
        torch.testing.assert_close(probabilities.sum(1), torch.ones(batch))


@each_structure
def test_copies_and_pickles_give_the_same(small):
    model, shape = small
    inputs = _inputs(shape, 1)
    with torch.no_grad():
        expected = model(inputs)
        _assert_equal(copy.deepcopy(model)(inputs), expected)
        _assert_equal(pickle.loads(pickle.dumps(model))(inputs), expected)


@each_structure
def test_trace_gives_the_same_on_other_inputs(small):
    model, shape = small
    with torch.no_grad():
        strict = not isinstance(model(_inputs(shape, 1)), dict)
        traced = torch.jit.trace(model, _inputs(shape, 1), strict=strict, check_trace=False)
        _assert_equal(traced(_inputs(shape, 1) * 0.5), model(_inputs(shape, 1) * 0.5))


@each_structure
def test_export_takes_any_batch(small):
    model, shape = small
    batch = torch.export.Dim("batch", min=1, max=64)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(model, (_inputs(shape, 3),), dynamic_shapes=({0: batch},))
        exported = program.module()
        for size in (1, 2):
            _assert_equal(exported(_inputs(shape, size)), model(_inputs(shape, size)))


def _digest(name: str) -> str:
    """Returns a digest of the keys and shapes of the model as it is published, built without random values."""
    recipe = read_recipe(name)
    try:
        with torch.device("meta"):
            model = build_config("models", recipe.model)
    # torchvision's RegNets compute numbers from tensors while they are built.
    except NotImplementedError:
        with skip_init():
            model = build_config("models", recipe.model)
    text = "\n".join(f"{key} {tuple(value.shape)}" for key, value in model.state_dict().items())
    return f"{len(model.state_dict())} tensors, {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def test_keys_of_published_models_have_not_changed():
    """A change here breaks checkpoints; ``ESSMC_WRITE_SNAPSHOTS=1`` writes them anew."""
    found = {name: _digest(name) for name in written_entries()}
    if os.environ.get("ESSMC_WRITE_SNAPSHOTS") == "1":
        SNAPSHOTS.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(SNAPSHOTS.read_text()) == found

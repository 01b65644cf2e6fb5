"""Every zoo model, in a narrow form of itself, is rebuilt bit by bit from the one file that `save` writes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import essmc_core
from essmc_core.models.factory import build_recipe
from essmc_core.weights import skip_init
from tests.zoo.test_zoo_models import GROUPS, _how, _narrow

pytestmark = pytest.mark.slow
# Networks that have no narrow form and whose files take long to write; their code is that of smaller ones.
LARGE = 40e6


def _parameters(name: str) -> float:
    """Returns how many parameters the entry states; 0 for a narrow form."""
    recipe, _ = _narrow(name)
    return 0 if _how(name).get("overrides") else recipe.config["cost"]["params"]


@pytest.mark.parametrize("name", [name for name in GROUPS if _parameters(name) < LARGE])
def test_what_is_saved_is_loaded_bit_by_bit(name: str, tmp_path: Path) -> None:
    recipe, _ = _narrow(name)
    with skip_init():
        model = build_recipe(recipe)
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter.copy_(torch.linspace(-1.0, 1.0 + number, parameter.numel()).view(parameter.shape))
        for name, buffer in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                buffer.copy_(torch.linspace(0.5, 2.0, buffer.numel()).view(buffer.shape))
    path = essmc_core.save(model, tmp_path / "model.safetensors", check=False)
    loaded = essmc_core.load(path)
    path.unlink()
    expected, found = model.state_dict(), loaded.state_dict()
    assert list(expected) == list(found)
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []
    buffers, there = dict(model.named_buffers()), dict(loaded.named_buffers())
    assert [key for key in buffers.keys() | there.keys() if not torch.equal(buffers[key], there[key])] == []

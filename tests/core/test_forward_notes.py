"""Exceptions of a forward pass keep their type and say which component of which pack they came from."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

import essmc_core
from essmc_core import Backbone, TrainModule


class ForwardTrunk(nn.Module):
    def __init__(self, width: int = 4):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, width), nn.ReLU())

    def forward(self, x):
        return self.inner(x)


class ForwardModel(TrainModule):
    def __init__(self, backbone: Backbone, fails: bool = False):
        super().__init__()
        self.backbone = backbone
        self.fails = fails

    def forward_train(self, image):
        return {"loss": self.backbone(image).mean(), "batch_size": len(image)}

    def forward_test(self, image):
        if self.fails:
            raise KeyError("own")
        return self.backbone(image)


@pytest.fixture
def build():
    essmc_core.BACKBONES.register(ForwardTrunk)
    essmc_core.MODELS.register(ForwardModel)
    yield lambda **more: essmc_core.MODELS.build(
        {"type": "ForwardModel", "backbone": {"type": "ForwardTrunk"}, **more}
    ).eval()
    essmc_core.BACKBONES.table.remove_where(lambda record: record.name == "ForwardTrunk")
    essmc_core.MODELS.table.remove_where(lambda record: record.name == "ForwardModel")


@pytest.mark.parametrize("again", [lambda m: m, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_the_innermost_component_is_named_with_its_path_and_pack(build, again):
    model = again(build())
    for call in (model.eval(), model.train()):
        with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
            call(torch.zeros(2, 5))
        assert caught.value.__notes__ == [
            "in the forward pass of model.backbone (local/ForwardTrunk of local), at model.backbone.inner.0"
        ]


def test_an_exception_of_the_model_itself(build):
    with pytest.raises(KeyError) as caught:
        build(fails=True)(torch.zeros(2, 3))
    assert caught.value.__notes__ == ["in the forward pass of model (local/ForwardModel of local)"]


def test_models_within_models_are_noted_once(build):
    outer = ForwardModel(build(fails=True)).eval()
    with pytest.raises(KeyError) as caught:
        outer(torch.zeros(2, 3))
    assert len(caught.value.__notes__) == 1


def test_what_was_not_built_by_name_gets_no_note():
    with pytest.raises(RuntimeError) as caught:
        ForwardModel(ForwardTrunk()).eval()(torch.zeros(2, 5))
    assert not hasattr(caught.value, "__notes__")


def test_recorded_models_give_the_same_numbers(build):
    model, x = build(), torch.randn(2, 3)
    expected = model(x)
    assert torch.equal(torch.jit.trace(model, x)(x), expected)
    for strict in (False, True):
        torch.testing.assert_close(torch.export.export(model, (x,), strict=strict).module()(x), expected)
    torch.testing.assert_close(torch.compile(model, backend="eager", fullgraph=True)(x), expected)
    assert list(model.state_dict()) == ["backbone.inner.0.weight", "backbone.inner.0.bias"]

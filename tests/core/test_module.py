"""The model contract: dispatch, abstractness, tracing, export, copying, and the check of train outputs."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core.contract.module import TrainModule, check_train_output
from essmc_core.errors import ContractError


class Tiny(TrainModule):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward_train(self, video: Tensor, gt_label: Tensor | None = None) -> Any:
        scores = self.linear(video)
        if gt_label is None:
            return scores.softmax(1)
        return {"loss": nn.functional.cross_entropy(scores, gt_label), "batch_size": video.shape[0]}

    def forward_test(self, video: Tensor, gt_label: Tensor | None = None) -> Any:
        probabilities = self.linear(video).softmax(1)
        return probabilities if gt_label is None else {"logits": probabilities}


class TwoOutputs(Tiny):
    def forward_test(self, video: Tensor, gt_label: Tensor | None = None) -> Any:
        return {"verb": self.linear(video), "noun": self.linear(-video)}


def test_forward_follows_the_training_flag() -> None:
    model, video, label = Tiny(), torch.randn(2, 4), torch.tensor([0, 2])
    assert set(model.train()(video=video, gt_label=label)) == {"loss", "batch_size"}
    assert set(model.eval()(video=video, gt_label=label)) == {"logits"}
    assert model.train()(video).shape == model.eval()(video).shape == (2, 3)


@pytest.mark.parametrize("missing", ["forward_train", "forward_test"])
def test_a_subclass_without_one_of_the_two_cannot_be_made(missing: str) -> None:
    methods = {name: (lambda self: None) for name in ("forward_train", "forward_test") if name != missing}
    incomplete = type("Incomplete", (TrainModule,), methods)
    with pytest.raises(TypeError, match=rf"Incomplete.*{missing}"):
        incomplete()


@pytest.mark.parametrize("kind", [Tiny, TwoOutputs])
def test_test_mode_can_be_traced_and_exported(kind: type[Tiny]) -> None:
    model, video = kind().eval(), torch.randn(2, 4)
    expected = model(video)
    traced = torch.jit.trace(model, (video,), strict=False)
    torch.testing.assert_close(traced(video), expected)
    exported = torch.export.export(model, (video,)).module()
    torch.testing.assert_close(exported(video), expected)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_the_card_survives_copies_and_stays_out_of_the_state_dict(duplicate: Any) -> None:
    model = Tiny()
    assert model.card is None
    model.card = {"model": "tiny"}
    assert duplicate(model).card == {"model": "tiny"}
    assert set(model.state_dict()) == {"linear.weight", "linear.bias"}
    assert Tiny().card is None


def test_a_good_train_output_passes_unchanged() -> None:
    model = Tiny()
    outputs = model(torch.randn(2, 4), torch.tensor([1, 1]))
    assert check_train_output(outputs) is outputs
    check_train_output({"loss": torch.ones(1), "batch_size": torch.tensor(4)})


@pytest.mark.parametrize(
    ("outputs", "complaint"),
    [
        (torch.zeros(3), "shape \\(3,\\) instead of a dict"),
        (None, "NoneType"),
        ({}, "'loss' and 'batch_size'"),
        ({"loss": torch.tensor(0.0)}, "lacks 'batch_size': it has 'loss'"),
        ({"loss": 0.5, "batch_size": 2}, "'loss' is a value of type float"),
        ({"loss": torch.zeros(2), "batch_size": 2}, "'loss' is a torch.float32 tensor"),
        ({"loss": torch.tensor(1), "batch_size": 2}, "torch.int64"),
        ({"loss": torch.tensor(0.0), "batch_size": 0}, "'batch_size' is 0"),
        ({"loss": torch.tensor(0.0), "batch_size": True}, "'batch_size' is True"),
        ({"loss": torch.tensor(0.0), "batch_size": 2.0}, "type float"),
        ({"loss": torch.tensor(0.0), "batch_size": torch.tensor(2.0)}, "torch.float32"),
    ],
)
def test_a_bad_train_output_is_told_the_contract(outputs: object, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint) as caught:
        check_train_output(outputs)
    assert "batch_size" in caught.value.hint

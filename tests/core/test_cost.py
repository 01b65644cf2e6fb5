"""Measured cost against published figures, and against counts done by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from essmc_core.errors import ContractError
from essmc_core.models.cost import measure_cost


def test_r3d_18_costs_what_torchvision_publishes() -> None:
    video = pytest.importorskip("torchvision").models.video
    cost = measure_cost(video.r3d_18, (3, 16, 112, 112))
    assert cost.params == 33_371_472
    assert cost.to_dict() == {"params": 33_371_472, "gmacs": 40.697, "at": [3, 16, 112, 112]}
    assert cost.output_shapes == {"": (1, 400)}


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        tokens = image.flatten(2).transpose(1, 2)
        query, key, value = self.qkv(tokens).chunk(3, dim=-1)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value)
        return {"tokens": mixed, "mean": mixed.mean(1)}


def test_attention_is_counted_as_its_two_products() -> None:
    tokens, width = 4 * 4, 8
    expected = tokens * width * 3 * width + 2 * tokens * tokens * width
    for model in (Attention, Attention()):
        cost = measure_cost(model, (width, 4, 4))
        assert cost.macs == expected
        assert cost.output_shapes == {"tokens": (1, tokens, width), "mean": (1, width)}


def test_torch_s_own_attention_layer_is_counted_in_full() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def forward(self, tokens: Tensor) -> Tensor:
            return self.layer(tokens)  # type: ignore[no-any-return]

    projections, products, perceptron = 16 * 8 * 8 * 4, 2 * 16 * 16 * 8, 2 * 16 * 8 * 16
    for model in (Layer, Layer()):
        assert measure_cost(model, (16, 8)).macs == projections + products + perceptron
    assert torch.backends.mha.get_fastpath_enabled()


def test_a_builder_that_reads_values_is_measured_all_the_same() -> None:
    def build() -> nn.Module:
        rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]
        return nn.Sequential(nn.Conv2d(3, 5, 3, bias=False), nn.Dropout(rates[-1]))

    cost = measure_cost(build, [3, 6, 6])
    assert (cost.params, cost.macs) == (3 * 5 * 9, 3 * 5 * 9 * 16)


def test_a_built_model_is_left_as_it_was() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout())
    model[2].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    measure_cost(model, (3, 2, 2))
    assert [module.training for module in model] == [True, True, False]
    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)


def test_a_shared_parameter_counts_once() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    assert measure_cost(model, (4,)).params == 16 + 4 + 4


def test_an_error_of_the_model_is_the_model_s_own() -> None:
    with pytest.raises(RuntimeError, match=r"shape|mat"):
        measure_cost(lambda: nn.Linear(4, 2), (5,))


def test_an_output_that_is_no_tensor_is_refused() -> None:
    class Text(nn.Module):
        def forward(self, inputs: Tensor) -> str:
            return "cat"

    with pytest.raises(ContractError, match="str"):
        measure_cost(Text(), (3,))

"""The inference form computes what the model does, with batch norms and temporal means folded away."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from essmc_core import TrainModule
from essmc_engines.graph import onednn
from essmc_engines.graph.folding import fold
from essmc_engines.graph.recording import record
from tests.zoo.test_zoo_models import _narrow

FAMILIES = [
    "r2d3d_18_mosi_hmdb51",
    "r2plus1d_10_mosi_hmdb51",
    "tada2d_r50_k400",
    "ircsn_152_ek100",
    "x3d_xs_k400",
    "slowfast_r50_8x8_k400",
    "vivit_b16x2_k400",
    "tadaconvnextv2_t_16x5_k400",
    "resnet18_a1_in1k",
    "mobilenetv3_large_100_ra_in1k",
]
needs_onednn = pytest.mark.skipif(not onednn.is_available(), reason="this PyTorch was built without oneDNN")


def built(name: str) -> tuple[TrainModule, tuple[int, ...]]:
    """Returns a narrow model none of whose statistics and scales is trivial."""
    from essmc_core.models.recipes import build_config

    recipe, shape = _narrow(name)
    torch.manual_seed(0)
    model: Any = build_config("models", recipe.model)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for tensor, low in ((module.running_mean, -0.3), (module.running_var, 0.6), (module.weight, 0.5)):
                    if tensor is not None:
                        tensor.copy_(low + torch.rand(tensor.shape))
    return model.eval(), shape


def inputs(shape: tuple[int, ...], batch: int) -> Tensor:
    return torch.randn((batch, *shape), generator=torch.Generator().manual_seed(batch))


def operations(graph: fx.GraphModule) -> Counter[str]:
    return Counter(str(node.target) for node in graph.graph.nodes if node.op == "call_function")


def tensors(outputs: Any) -> list[Tensor]:
    return list(outputs.values()) if isinstance(outputs, dict) else [outputs]


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_folded_and_onednn_compute_what_the_model_does(name: str) -> None:
    model, shape = built(name)
    double = fold(record(model.double(), inputs(shape, 1).double()))
    assert not any("batch_norm" in operation for operation in operations(double))
    with torch.no_grad():
        for batch in (1, 3):
            given = inputs(shape, batch).double()
            for found, expected in zip(tensors(double(given)), tensors(model(given)), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)
    if not onednn.is_available():
        return
    graph = onednn.lower(fold(record(model.float(), inputs(shape, 1))))
    # Weights that depend on the input stay with PyTorch.
    assert not any(operation.startswith(("aten.conv3d", "aten.linear")) for operation in operations(graph))
    with torch.no_grad():
        for batch in (1, 3):
            given = inputs(shape, batch)
            for found, expected in zip(tensors(graph(given)), tensors(model(given)), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_temporal_mean_of_tada_becomes_one_convolution() -> None:
    model, shape = built("tada2d_r50_k400")
    found = operations(fold(record(model, inputs(shape, 1))))
    recorded = operations(record(model, inputs(shape, 1)))
    means = recorded["aten.avg_pool3d.default"]
    assert means > 0 and found["aten.avg_pool3d.default"] == 0
    assert found["aten.conv3d.default"] == recorded["aten.conv3d.default"] + means


class Branches(nn.Module):
    """A norm after an addition, a convolution that two layers read, one that changes its input in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(4) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        z = torch.relu_(self.norms[0](y))
        kept = y + 1
        kept.mul_(2)
        total = self.norms[1](self.second(z) + kept)
        changed = total.flatten(2)
        changed.relu_()
        return self.norms[2](total)


def test_what_several_layers_read_and_what_changes_in_place_stays_right() -> None:
    torch.manual_seed(0)
    model = Branches().eval().double()
    for norm in model.norms:
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 2)
    given = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    graph = fold(record(model, given))
    with torch.no_grad():
        torch.testing.assert_close(graph(given), model(given), rtol=1e-10, atol=1e-12)


@needs_onednn
def test_onednn_adds_shortcuts_and_activations_as_it_writes() -> None:
    model, shape = built("r2d3d_18_mosi_hmdb51")
    found = operations(onednn.lower(fold(record(model, inputs(shape, 1)))))
    assert found["aten.relu.default"] == 0 and found["aten.add.Tensor"] == 0


def test_the_folded_graph_exports_again_and_the_model_is_as_it_was() -> None:
    model, shape = built("resnet18_a1_in1k")
    before = {key: value.clone() for key, value in model.state_dict().items()}
    graph = fold(record(model, inputs(shape, 2)))
    program = torch.export.export(graph, (inputs(shape, 2),))
    torch.testing.assert_close(program.module()(inputs(shape, 2)), model(inputs(shape, 2)), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())

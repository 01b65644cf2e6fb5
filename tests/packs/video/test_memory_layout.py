"""Convolutional networks keep the memory format they are given, and choose one only within a training step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES

CHANNELS_LAST = torch.channels_last_3d
TADA = {
    "type": "ResNet3D_TAda",
    "depth": 26,
    "num_filters": (8, 8, 16, 32, 64),
    "expansion_ratio": 2,
    "bn_params": {"eps": 1e-3},
}
SMALL = {
    "ResNet3D_TAda": TADA,
    "ResNet2Plus1d": {"type": "ResNet2Plus1d", "depth": 10, "num_filters": (8, 8, 16, 32, 64)},
    "X3D": {"type": "X3D"},
    "SlowFast": {"type": "SlowFast", "depth": 50, "stem_width": 16, "stage_widths": (32, 64, 128, 256)},
}


def orders(model: nn.Module, clip: Tensor) -> list[str]:
    """Runs a network and returns the order of every feature map of more than one position."""
    found: list[str] = []

    def record(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() == 5 and output.shape[1] > 1 and output[0, 0, 0].numel() > 1:
            if output.is_contiguous():
                found.append("contiguous")
            else:
                found.append("channels last" if output.is_contiguous(memory_format=CHANNELS_LAST) else "neither")

    handles = [module.register_forward_hook(record) for module in model.modules() if not list(module.children())]
    model(clip)
    for handle in handles:
        handle.remove()
    return found


def clip(batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, 8, 48, 48, generator=torch.Generator().manual_seed(0))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL.keys() - {"ResNet2Plus1d"}))
def test_a_training_step_on_a_cpu_convolves_large_maps_channels_last(name: str) -> None:
    found = orders(BACKBONES.build(SMALL[name]).train(), clip())
    assert found[0] == "channels last" and found[-1] == "contiguous", "the last maps are small"


@pytest.mark.parametrize("config", [SMALL["ResNet2Plus1d"], {"type": "S3D"}], ids=["ResNet2Plus1d", "S3D"])
def test_a_training_step_leaves_networks_that_gain_nothing_in_their_order(config: dict[str, object]) -> None:
    assert set(orders(BACKBONES.build(config).train(), clip())) == {"contiguous"}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_evaluation_keeps_the_order_of_the_clip(name: str) -> None:
    model = BACKBONES.build(SMALL[name]).eval()
    with torch.no_grad():
        assert "channels last" not in orders(model, clip())


@pytest.mark.parametrize("batch", [1, 2])
def test_a_network_moved_to_channels_last_stays_there(batch: int) -> None:
    model = BACKBONES.build(TADA).eval().to(memory_format=CHANNELS_LAST)
    with torch.no_grad():
        assert set(orders(model, clip(batch).contiguous(memory_format=CHANNELS_LAST))) == {"channels last"}


@pytest.mark.parametrize("name", sorted(SMALL))
def test_features_come_in_the_order_of_the_clip(name: str) -> None:
    model = BACKBONES.build(SMALL[name]).train()
    for feature in model.forward_features(clip(), out_indices=(0, 1, -1)):
        assert feature.is_contiguous()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_order_changes_no_number(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = BACKBONES.build(SMALL[name]).double().train()
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0

    def step() -> list[Tensor]:
        model.zero_grad()
        feature = model.forward_features(clip().double())
        feature.square().mean().backward()
        return [feature.detach(), *(parameter.grad.clone() for parameter in model.parameters())]

    chosen = step()
    monkeypatch.setattr("essmc_video.networks.staged_backbone.arrange_for_training", lambda features: features)
    for ours, plain in zip(chosen, step(), strict=True):
        torch.testing.assert_close(ours, plain)

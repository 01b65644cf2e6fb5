"""Learned positions of timm's networks at other sizes and shapes are what timm's own filter makes of them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from essmc_core import BACKBONES
from essmc_core.errors import WeightsMismatch
from essmc_core.weights import load_pretrained

timm = pytest.importorskip("timm")
vision_transformer = pytest.importorskip("timm.models.vision_transformer")

SMALL = {"embed_dim": 48, "depth": 1, "num_heads": 3}
ARCHITECTURES = ["vit_tiny_patch16_224", "deit3_small_patch16_224", "vit_small_patch14_reg4_dinov2"]


def timms(name: str, size: tuple[int, int] | int) -> Any:
    torch.manual_seed(0)
    return timm.create_model(name, num_classes=0, img_size=size, **SMALL)


def ours(name: str, size: tuple[int, int]) -> Any:
    return BACKBONES.build({"type": f"timm/{name}", "img_size": list(size), "model_args": SMALL})


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("size", [(168, 224), (224, 168), (280, 280), (112, 112)])
def test_a_square_s_weights_fit_other_sizes_as_timm_fits_them(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    patch = 14 if "patch14" in name else 16
    size = (size[0] // 14 * patch, size[1] // 14 * patch)
    state = timms(name, 16 * patch).state_dict()
    torch.save(state, tmp_path / "w.pth")
    reference = timms(name, size)
    reference.load_state_dict(vision_transformer.checkpoint_filter_fn(copy.deepcopy(state), reference))
    for options in ({}, {"position_grid": (1, 16, 16)}):
        network = ours(name, size)
        report = load_pretrained(network, tmp_path / "w.pth", **options)
        assert report.coverage == 1 and "pos_embed" in report.adapted
        torch.testing.assert_close(network.pos_embed, reference.pos_embed, rtol=0, atol=1e-6)
    pictures = torch.randn(1, 3, *size)
    with torch.no_grad():
        torch.testing.assert_close(network.eval()(pictures), reference.eval()(pictures), rtol=1e-4, atol=1e-5)


def test_a_rectangle_s_weights_fit_a_square_once_their_grid_is_told(tmp_path: Path) -> None:
    state = timms("vit_tiny_patch16_224", (160, 224)).state_dict()
    torch.save(state, tmp_path / "w.pth")
    with pytest.raises(WeightsMismatch, match="position_grid"):
        load_pretrained(ours("vit_tiny_patch16_224", (224, 224)), tmp_path / "w.pth")
    network = ours("vit_tiny_patch16_224", (224, 224))
    load_pretrained(network, tmp_path / "w.pth", position_grid=(1, 10, 14))
    expected = timm.layers.resample_abs_pos_embed(state["pos_embed"], [14, 14], [10, 14], num_prefix_tokens=1)
    torch.testing.assert_close(network.pos_embed.data, expected, rtol=0, atol=1e-6)


def test_the_same_rectangle_is_taken_as_it_is(tmp_path: Path) -> None:
    state = timms("vit_tiny_patch16_224", (160, 224)).state_dict()
    torch.save(state, tmp_path / "w.pth")
    network = ours("vit_tiny_patch16_224", (160, 224))
    assert not load_pretrained(network, tmp_path / "w.pth").adapted
    assert torch.equal(network.pos_embed.data, state["pos_embed"])

"""TAdaFormer: what the text of the paper and the published settings say, beyond the golden numbers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES
from essmc_core.errors import ConfigError, InputError
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import clip_tadaformer
from essmc_video.networks.tadaformer.backbone import TAdaFormer
from essmc_video.networks.tadaformer.tada_block import TAdaBlock

SMALL = {"width": 64, "depth": 2, "heads": 4, "input_size": 32, "head_dim": 16}
ENHANCED = {"temporally_enhanced": True, "double_tada": True}
FORMS = pytest.mark.parametrize("form", [{}, ENHANCED], ids=["plain", "enhanced"])


def small(**arguments: Any) -> TAdaFormer:
    torch.manual_seed(0)
    backbone: TAdaFormer = BACKBONES.build({"type": "TAdaFormer", **SMALL, **arguments})
    return backbone


def randomized(backbone: TAdaFormer) -> TAdaFormer:
    for parameter in backbone.parameters():
        nn.init.normal_(parameter, std=0.2)
    return backbone


def clips(frames: int = 6, batch: int = 2) -> Tensor:
    return torch.randn(batch, 3, frames, 32, 32, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("arguments", "count"),
    [
        ({}, 103_888_128),
        (ENHANCED, 134_952_960),
        ({"width": 1024, "depth": 24, "heads": 16, "patch_size": 14}, 364_417_024),
    ],
)
def test_published_numbers_of_parameters(arguments: dict[str, Any], count: int) -> None:
    with torch.device("meta"):
        backbone = TAdaFormer(**arguments)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == count


@FORMS
def test_a_new_network_is_the_image_transformer_per_frame(form: dict[str, Any]) -> None:
    backbone = small(**form).eval()
    backbone.conv1.weight.data[:, :, [0, 2]] = 0.0  # as CLIP's 2D weights are put in
    video = clips()
    features = backbone(video)
    torch.testing.assert_close(features, backbone(video[:, :, [0, 5, 4, 1, 2, 3]]))
    still = video[:, :, :1].expand(-1, -1, 4, -1, -1)
    torch.testing.assert_close(backbone(still), backbone(video[:, :, :1]))
    for block in backbone.modules():
        if isinstance(block, TAdaBlock):
            assert not block(torch.randn(2, 3, 4, 64), (2, 2)).any()


@FORMS
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 7])
def test_clips_of_any_length_are_clips_of_their_own(frames: int, form: dict[str, Any]) -> None:
    # In float64, since what clips could take from each other is little.
    backbone, video = randomized(small(**form)).eval().double(), clips(frames, batch=3).double()
    together = backbone(video)
    apart = torch.cat([backbone(one.unsqueeze(0)) for one in video])
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-9)
    assert backbone.forward_features(video).shape == (3, 64, (frames + 1) // 2, 2, 2)


@FORMS
def test_frames_see_each_other(form: dict[str, Any]) -> None:
    backbone, video = randomized(small(**form)).eval().double(), clips().double()
    backbone.conv1.weight.data[:, :, [0, 2]] = 0.0
    assert (backbone(video) - backbone(video[:, :, [2, 1, 0, 3, 4, 5]])).abs().max() > 1e-6


def test_layer_norms_have_eps_1e_5_except_in_the_route_functions() -> None:
    for path, module in small(**ENHANCED).named_modules():
        if isinstance(module, nn.LayerNorm):
            assert module.eps == (1e-6 if ".rf_func." in path else 1e-5), path


def test_initial_weights() -> None:
    states = small(**ENHANCED).state_dict()
    for key, value in states.items():
        if "tada_proj" in key or "bn_b.weight" in key or "bn_b.bias" in key:
            assert not value.any(), key
        elif key.endswith(("rf_func.b.weight", "rf_func.b_bias.weight", "c_fc.weight", "out_proj.weight")):
            assert 0.015 < value.std() < 0.025, key
        elif key.endswith(("in_proj_bias", "c_fc.bias", "out_proj.bias", "tada_pre_proj.bias")):
            assert not value.any(), key
    assert 0.1 < states["class_embedding"].std() * 8**0.5 < 1.0


def test_a_last_projection_sets_the_number_of_features() -> None:
    backbone = small(output_dim=24)
    assert backbone.num_features == backbone.out_channels == 24 and backbone(clips()).shape == (2, 24)
    assert backbone.state_dict()["proj"].shape == (64, 24)


def test_keys_of_clip_map_both_ways() -> None:
    ours = {key: None for key in small(output_dim=8).state_dict() if ".tada" not in key}
    theirs = map_keys(ours, clip_tadaformer.TO_CLIP)
    assert {"visual.proj", "visual.conv1.weight", "visual.transformer.resblocks.1.mlp.c_fc.bias"} <= theirs.keys()
    assert map_keys(theirs, clip_tadaformer.FROM_CLIP) == ours


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"head_dim": 64}, "head_dim"),
        ({"heads": 5}, "do not divide"),
        ({"input_size": 40}, "multiple of the patch size"),
        ({"tubelet_size": 2}, "odd"),
        ({"reduction": 128}, "no channel is left"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        small(**arguments)


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(2, 3, 4, 48, 48), "32x32"),
        (torch.zeros(2, 3, 4, 32, 16), "32x32"),
        (torch.zeros(2, 1, 4, 32, 32), "num_input_channels|in_chans|channels"),
        (torch.zeros(2, 3, 4, 32, 32, dtype=torch.float64), "float64"),
    ],
)
def test_what_is_no_clip_is_refused_with_what_to_do(video: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small()(video)

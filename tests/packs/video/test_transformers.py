"""Video transformers: sizes, presets, layers, features, and what they refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES, BRICKS
from essmc_core.contract.features import BackboneInterface
from essmc_core.errors import ConfigError, InputError, SchemaError, WeightsMismatch
from essmc_core.weights import load_pretrained
from essmc_video.layers.drop_path import drop_path
from essmc_video.layers.positions import resize_positions
from essmc_video.networks.transformers.attention import Attention, AxialAttention, DividedAttention, SplitHeadAttention
from essmc_video.networks.transformers.feed_forward import GEGLU
from tests.samples.narrow_video import TRANSFORMER as NARROW
from tests.samples.narrow_video import TRANSFORMERS as PRESETS

every_preset = pytest.mark.parametrize("name", PRESETS)


def build(name: str, **arguments: Any) -> Any:
    """A narrow network whose positions and layers all matter to the output, in eval mode."""
    torch.manual_seed(0)
    backbone = BACKBONES.build({"type": name, **NARROW, **arguments})
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return backbone.eval()


def clips(batch: int = 2, frames: int = 4, height: int = 32, width: int = 32) -> Tensor:
    return torch.randn(batch, 3, frames, height, width, generator=torch.Generator().manual_seed(1))


@every_preset
def test_every_argument_of_a_preset_can_be_overridden(name: str) -> None:
    backbone = build(
        name, drop_path=0.3, patch_size=8, num_input_channels=2, branch_cfg={"num_heads": 2, "ff_dropout": 0.2}
    )
    assert backbone.layers[-1].drop_path.drop_prob > 0
    assert backbone.layers[0].ffn.net[2].p == 0.2
    assert backbone(clips()[:, :2]).shape == (2, 24)


@every_preset
def test_an_unknown_argument_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="num_feature"):
        BACKBONES.build({"type": name, "num_feature": 24})


@every_preset
def test_all_layer_norms_have_an_epsilon_of_1e_6(name: str) -> None:
    norms = [module for module in build(name).modules() if isinstance(module, nn.LayerNorm)]
    assert norms
    assert {norm.eps for norm in norms} == {1e-6}


@every_preset
@pytest.mark.parametrize(
    ("frames", "height", "width"), [(8, 32, 32), (2, 32, 32), (4, 16, 64), (4, 64, 16), (4, 48, 80), (6, 64, 48)]
)
def test_other_sizes_keep_the_batch_and_its_items_apart(name: str, frames: int, height: int, width: int) -> None:
    backbone, video = build(name), clips(3, frames, height, width)
    together = backbone(video)
    assert together.shape == (3, 24)
    alone = torch.cat([backbone(video[item : item + 1]) for item in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert backbone.train()(video).shape == (3, 24)


def test_as_many_patches_in_another_shape_have_other_positions() -> None:
    table = torch.arange(16.0).view(1, 16, 1)
    wide = resize_positions(table, (1, 4, 4), (1, 2, 8), prefix=0)
    assert wide.shape == table.shape
    assert not torch.equal(wide, table)
    # A plane is kept by linear interpolation wherever it need not extrapolate.
    torch.testing.assert_close(wide.view(2, 8)[:, 3], torch.tensor([3.25, 11.25]))


def test_class_positions_are_kept_and_time_is_interpolated() -> None:
    table = torch.tensor([-7.0, 0.0, 2.0]).view(1, 3, 1)
    longer = resize_positions(table, (2, 1, 1), (4, 1, 1))
    torch.testing.assert_close(longer.flatten(), torch.tensor([-7.0, 0.0, 0.5, 1.5, 2.0]))


@every_preset
def test_reloaded_positions_are_used_at_other_sizes_at_once(name: str) -> None:
    backbone, video = build(name), clips(1, 8, 48, 64)
    before = backbone(video)
    state = {key: value + (1.0 if key.endswith("embd") else 0.0) * torch.randn_like(value) for key, value in
             backbone.state_dict().items()}  # fmt: skip
    backbone.load_state_dict(state)
    other = build(name)
    other.load_state_dict(state)
    assert torch.equal(backbone(video), other(video))
    assert not torch.allclose(backbone(video), before)


def test_interpolated_positions_learn_in_train_mode_only() -> None:
    backbone, video = build("ViVit_Fac_Enc"), clips(1, 8, 48, 48)
    backbone(video).square().sum().backward()
    assert backbone.pos_embd.grad is None
    assert backbone.temp_embd.grad is None
    backbone.train()(video).square().sum().backward()
    assert backbone.pos_embd.grad.abs().sum() > 0
    assert backbone.temp_embd.grad.abs().sum() > 0


def test_a_network_can_be_built_for_frames_that_are_not_square() -> None:
    backbone = build("ViVit", image_size=(32, 64))
    assert backbone.pos_embd.shape == (1, 1 + 2 * 2 * 4, 24)
    assert backbone(clips(2, 4, 32, 64)).shape == (2, 24)


@every_preset
@pytest.mark.parametrize("size", [(4, 40, 32), (4, 32, 8)])
def test_sizes_that_are_no_whole_patches_are_refused_with_those_that_work(name: str, size: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"multiples of [12] frames, height 16 and width 16"):
        build(name)(clips(1, *size))


def test_frames_that_are_no_whole_tubelets_are_refused() -> None:
    with pytest.raises(InputError, match="multiples of 2 frames"):
        build("ViVit")(clips(1, 3))


@every_preset
@pytest.mark.parametrize(
    ("video", "hint"),
    [
        (clips()[0], "add the batch"),
        (clips()[:, :2], "in_chans equal to the number of input channels"),
        ((clips() * 255).to(torch.uint8), "scale pixels to floats first"),
        (clips()[:, :, :0], "T, H, W must be at least 1"),
        (clips().double(), r"x\.to\(torch\.float32\)"),
    ],
    ids=["rank", "channels", "integers", "no frames", "float64"],
)
def test_what_is_no_clip_is_refused(name: str, video: Tensor, hint: str) -> None:
    with pytest.raises(InputError, match=hint):
        build(name)(video)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ViVit", {"image_size": 40}, "cannot be cut"),
        ("ViVit", {"num_frames": 5}, "cannot be cut"),
        ("ViVit", {"branch_cfg": {"num_heads": 5}}, "5 heads cannot share 24"),
        ("ViVit", {"depth": 0}, "depth must be at least 1"),
        ("ViVit", {"drop_path": 1.5}, "a chance in"),
        ("ViVit", {"class_token": False, "branch_name": "TimesformerLayer"}, "with a class token"),
        ("ViVit_Fac_Attn", {"class_token": True}, "without a class token"),
        ("ViVit_Fac_Enc", {"branch_name": "TimesformerLayer"}, "looks along time"),
        ("ViVit_Fac_Dot", {"branch_cfg": {"num_heads": 3}}, "cannot be halved"),
        ("ViVit", {"image_size": (32, 32, 32)}, "height and width"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(name: str, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BACKBONES.build({"type": name, **NARROW, **arguments})


def test_stems_count_the_tokens_they_make() -> None:
    for name, expected in (("PatchEmbedStem", 4 * 2 * 3), ("TubeletEmbeddingStem", 2 * 2 * 3)):
        stem = BRICKS.build({"type": name, "image_size": (32, 48), "num_frames": 4, "dim": 8})
        assert stem.num_patches == expected
        assert stem(clips(2, 4, 32, 48)).shape == (2, expected, 8)


def test_positions_of_clips_are_never_read_as_one_large_picture(tmp_path: Path) -> None:
    def timesformer(frames: int, size: int) -> nn.Module:
        sizes = {"num_frames": frames, "image_size": size, "num_features": 48, "depth": 1}
        backbone: nn.Module = BACKBONES.build({"type": "Timesformer", **sizes, "branch_cfg": {"num_heads": 4}})
        return backbone

    path = tmp_path / "weights.pth"
    torch.save(timesformer(16, 112).state_dict(), path)
    with pytest.raises(WeightsMismatch, match=r"could be of .*16x7x7.*position_grid settles which"):
        load_pretrained(timesformer(32, 160), path)
    told = load_pretrained(timesformer(32, 160), path, position_grid=(16, 7, 7))
    assert told.adapted == {"pos_embd": "positions of 16x7x7 tokens resized to 32x10x10"}
    fewer = load_pretrained(timesformer(8, 112), path)
    assert fewer.adapted["pos_embd"].startswith("positions of 16x7x7 tokens resized to 8x7x7")


@pytest.mark.parametrize("size", [(5, 32, 48), (4, 40, 48)])
def test_stems_drop_no_frame_and_no_pixel(size: tuple[int, int, int]) -> None:
    stem = BRICKS.build({"type": "TubeletEmbeddingStem", "image_size": (32, 48), "num_frames": 4, "dim": 8})
    with pytest.raises(InputError, match="2×16×16 patches"):
        stem(clips(2, *size))


@every_preset
def test_gradients_flow_at_batch_size_one(name: str) -> None:
    backbone = build(name).train()
    backbone(clips(1)).square().sum().backward()
    assert all(parameter.grad is not None for parameter in backbone.parameters())


@every_preset
def test_the_uniform_interface(name: str) -> None:
    backbone = build(name)
    assert isinstance(backbone, BackboneInterface)
    assert (backbone.layout, backbone.in_chans, backbone.num_frames) == ("NCTHW", 3, 4)
    assert (backbone.out_channels, backbone.num_features, backbone.feature_rank) == (24, 24, 0)
    info = backbone.feature_info
    frames = 4 // info[0].temporal_reduction
    maps = backbone.forward_features(clips(), [0, 1, -1])
    assert len(info) == 3
    assert all(dict(backbone.named_modules()).get(feature.name) is not None for feature in info)
    assert [tuple(feature.shape) for feature in maps] == [(2, 24, frames, 2, 2)] * 3
    assert torch.equal(backbone.forward_features(clips()), maps[-1])
    assert backbone.forward_features(clips(1, 4, 64, 32)).shape == (1, 24, frames, 4, 2)
    with pytest.raises(IndexError):
        backbone.forward_features(clips(), [3])


def test_maps_lay_tokens_out_where_they_come_from() -> None:
    for name in PRESETS:
        backbone = build(name, depth=1)
        for layer in [*backbone.layers, *getattr(backbone, "layers_temporal", [])]:
            for parameter in layer.parameters():
                nn.init.zeros_(parameter)
        backbone.norm = nn.Identity()
        with torch.no_grad():
            backbone.pos_embd.zero_()
        expected = backbone.stem.conv1(clips())
        torch.testing.assert_close(backbone.forward_features(clips()), expected)


@every_preset
def test_half_precision_runs_at_built_and_other_sizes(name: str) -> None:
    backbone = build(name).bfloat16()
    for video in (clips(), clips(2, 8, 48, 32)):
        assert backbone(video.bfloat16()).dtype == torch.bfloat16


def reference(attention: Attention, tokens: Tensor, sees: Tensor) -> Tensor:
    """Attention by its definition; ``sees`` (L, L) or (heads, L, L) says who sees whom."""
    batch, length, dim = tokens.shape
    heads = attention.num_heads
    query, key, value = attention.to_qkv(tokens).view(batch, length, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    scores = (query @ key.transpose(-1, -2) / (dim // heads) ** 0.5).masked_fill(~sees, float("-inf"))
    return attention.proj((scores.softmax(-1) @ value).transpose(1, 2).reshape(batch, length, dim))


FRAMES, PLACES = 3, 5
STEP = torch.arange(FRAMES * PLACES) // PLACES
PLACE = torch.arange(FRAMES * PLACES) % PLACES
SAME_STEP, SAME_PLACE = STEP[:, None] == STEP, PLACE[:, None] == PLACE


def test_attention_follows_its_definition() -> None:
    tokens = torch.randn(2, 7, 12)
    attention = Attention(12, 3)
    torch.testing.assert_close(attention(tokens), reference(attention, tokens, torch.ones(7, 7, dtype=torch.bool)))


@pytest.mark.parametrize(("axis", "sees"), [("space", SAME_STEP), ("time", SAME_PLACE)])
def test_axial_attention_sees_one_place_or_one_time_step(axis: Any, sees: Tensor) -> None:
    tokens = torch.randn(2, FRAMES * PLACES, 12)
    attention = AxialAttention(12, 3, axis=axis)
    torch.testing.assert_close(attention(tokens, FRAMES), reference(attention, tokens, sees))


@pytest.mark.parametrize(("axis", "sees"), [("space", SAME_STEP), ("time", SAME_PLACE)])
def test_divided_attention_shares_the_class_token(axis: Any, sees: Tensor) -> None:
    tokens = torch.randn(2, 1 + FRAMES * PLACES, 12)
    attention = DividedAttention(12, 3, axis=axis)
    everyone = torch.ones(1 + FRAMES * PLACES, 1 + FRAMES * PLACES, dtype=torch.bool)
    everyone[1:, 1:] = sees
    torch.testing.assert_close(attention(tokens, FRAMES), reference(attention, tokens, everyone))


def test_split_heads_look_over_space_and_over_time() -> None:
    tokens = torch.randn(2, FRAMES * PLACES, 12)
    attention = SplitHeadAttention(12, 4)
    sees = torch.stack([SAME_STEP, SAME_STEP, SAME_PLACE, SAME_PLACE])
    torch.testing.assert_close(attention(tokens, FRAMES), reference(attention, tokens, sees))


def test_layers_are_told_the_frames_or_use_those_they_were_built_for() -> None:
    layer = BRICKS.build({"type": "TimesformerLayer", "num_patches": 6, "num_frames": 3, "dim": 12}).eval()
    tokens = torch.randn(2, 7, 12)
    assert torch.equal(layer(tokens), layer(tokens, 3))
    assert not torch.allclose(layer(tokens, 2), layer(tokens, 3))
    with pytest.raises(InputError, match="1 \\+ 4"):
        layer(tokens, 4)


def test_attention_over_time_starts_as_its_shortcut_in_model_3() -> None:
    torch.manual_seed(0)
    backbone = BACKBONES.build({"type": "ViVit_Fac_Attn", **NARROW}).eval()
    tokens = torch.randn(1, 8, 24)
    assert backbone.layers[0].attn_temporal(tokens, 2).abs().max() == 0
    assert backbone.layers[0].attn(tokens, 2).abs().max() > 0


def test_drop_path_rises_over_spatial_and_temporal_layers() -> None:
    backbone = build("ViVit_Fac_Enc", drop_path=0.3, depth=2, depth_temp=2)
    rates = [getattr(layer.drop_path, "drop_prob", 0.0) for layer in [*backbone.layers, *backbone.layers_temporal]]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_drop_path_drops_whole_items_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    branch = torch.ones(4000, 2, 3)
    dropped = drop_path(0.25)(branch)
    assert sorted(set(dropped.flatten(1).amax(1).tolist())) == pytest.approx([0.0, 1 / 0.75])
    assert torch.equal(dropped.amin((1, 2)), dropped.amax((1, 2)))
    assert dropped.mean().item() == pytest.approx(1.0, abs=0.05)
    assert torch.equal(drop_path(0.25).eval()(branch), branch)
    assert drop_path(1.0)(branch).abs().max() == 0


def test_geglu_gates_by_the_second_half() -> None:
    features = torch.randn(2, 3, 8)
    torch.testing.assert_close(GEGLU()(features), features[..., :4] * nn.functional.gelu(features[..., 4:]))


def test_without_temporal_layers_frames_do_not_know_their_order() -> None:
    backbone, video = build("Timesformer_Space"), clips()
    torch.testing.assert_close(backbone(video.flip(2)), backbone(video), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(build("Timesformer")(video.flip(2)), build("Timesformer")(video), rtol=1e-3)


@every_preset
def test_autocast_and_bfloat16_run(name: str) -> None:
    model, video = build(name), clips()
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert model(video).isfinite().all()
    with torch.no_grad():
        assert model.bfloat16()(video.bfloat16()).dtype == torch.bfloat16
    with pytest.raises(InputError, match=r"computes in torch\.bfloat16 and got torch\.float32"):
        model(video)

"""SlowFast: which frames the slow path sees, what both paths return, and the head over both."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from essmc_core import BACKBONES, HEADS, MODELS
from essmc_core.contract.features import BackboneInterface
from essmc_core.errors import ConfigError, InputError
from essmc_video.networks.slowfast.frame_index import slow_frames, take_frames

THIN: dict[str, Any] = {"type": "SlowFast", "stem_width": 16, "stage_widths": (32, 32, 64, 64)}


@pytest.fixture
def clip() -> torch.Tensor:
    return torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0))


def test_slow_frames_of_published_settings() -> None:
    assert slow_frames(32, 4, "linspace") == [0, 4, 8, 13, 17, 22, 26, 31]
    assert slow_frames(32, 8, "linspace") == [0, 10, 20, 31]
    assert slow_frames(16, 8, "stride") == [0, 8]


@given(count=st.integers(1, 32), alpha=st.sampled_from([1, 2, 4, 8]))
def test_slow_frames_begin_at_the_first_frame_and_never_leave_the_clip(count: int, alpha: int) -> None:
    frames = count * alpha
    spread, strided = slow_frames(frames, alpha, "linspace"), slow_frames(frames, alpha, "stride")
    for indices in (spread, strided):
        assert len(indices) == count
        assert indices[0] == 0
        assert all(0 <= first < second < frames for first, second in pairwise(indices))
    assert spread[-1] == (frames - 1 if count > 1 else 0)
    assert strided == list(range(0, frames, alpha))
    video = torch.arange(frames).reshape(1, 1, frames, 1, 1)
    assert take_frames(video, spread).flatten().tolist() == spread
    assert take_frames(video, strided).flatten().tolist() == strided


@pytest.mark.parametrize(
    ("frames", "hint"), [(0, "T, H, W must be at least 1"), (3, "give 4 frames"), (30, "give 28 frames")]
)
def test_clips_without_a_whole_number_of_slow_frames_are_refused(frames: int, hint: str) -> None:
    network = BACKBONES.build(THIN).eval()
    with pytest.raises(InputError, match=hint):
        network(torch.randn(1, 3, frames, 32, 32))


def test_both_paths_come_out_and_the_clip_stays_as_it_was(clip: torch.Tensor) -> None:
    network = BACKBONES.build(THIN).eval()
    before = clip.clone()
    slow, fast = network(clip)
    assert slow.shape == (1, 64, 2, 2, 2)
    assert fast.shape == (1, 8, 8, 2, 2)
    assert torch.equal(clip, before)


def test_fast_path_feeds_the_slow_one_and_not_the_reverse(clip: torch.Tensor) -> None:
    network = BACKBONES.build({**THIN, "slow_index": "stride", "init_cfg": None}).eval()
    changed = clip.clone()
    changed[:, :, 5] += 1.0  # which only the fast path sees
    (slow, fast), (other_slow, other_fast) = network(clip), network(changed)
    assert not torch.allclose(fast, other_fast)
    assert not torch.allclose(slow, other_slow)
    nn.init.zeros_(network.slow_conv1.a.weight)
    assert torch.equal(network(clip)[1], fast)


def test_one_map_holds_both_paths_and_its_mean_is_theirs(clip: torch.Tensor) -> None:
    network = BACKBONES.build({**THIN, "init_cfg": None}).eval()
    assert isinstance(network, BackboneInterface)
    features = network.forward_features(clip, out_indices=range(5))
    for feature, info in zip(features, network.feature_info, strict=True):
        assert feature.shape == (1, info.channels, 8 // info.temporal_reduction, *[64 // info.reduction] * 2)
        assert isinstance(network.get_submodule(info.name), nn.Module)
    means = torch.cat([path.mean((2, 3, 4)) for path in network(clip)], 1)
    torch.testing.assert_close(network.forward_features(clip).mean((2, 3, 4)), means)
    assert network.num_features == means.shape[1]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"slow_index": "first"}, "linspace"),
        ({"fusion_kernel_size": 4}, "odd"),
        ({"stage_widths": (32, 32, 36, 64)}, "fast path"),
        ({"slow_temporal_kernels": ((1,),)}, "slow_temporal_kernels"),
    ],
)
def test_impossible_arguments_are_refused(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        BACKBONES.build({**THIN, **arguments})


def test_head_pools_globally_whether_a_neck_did_or_not(clip: torch.Tensor) -> None:
    network = BACKBONES.build({**THIN, "init_cfg": None}).eval()
    head = HEADS.build({"type": "SlowFastHead", "dim": 72, "num_classes": 3}).eval()
    paths = network(clip)
    pooled = tuple(path.mean((2, 3, 4)) for path in paths)
    torch.testing.assert_close(head(paths), head(pooled))
    torch.testing.assert_close(head(pooled), head.out(torch.cat(pooled, 1)))


def test_head_averages_the_scores_of_paired_windows() -> None:
    sizes = ((2, 1, 2), (8, 1, 2))
    head = HEADS.build({"type": "SlowFastHead", "dim": 5, "num_classes": 3, "pool_kernel_sizes": sizes}).eval()
    slow, fast = torch.randn(1, 4, 2, 2, 2), torch.randn(1, 1, 8, 2, 2)
    rows = [torch.cat([slow[:, :, :, row].mean((2, 3)), fast[:, :, :, row].mean((2, 3))], 1) for row in (0, 1)]
    torch.testing.assert_close(head((slow, fast)), torch.stack([head.out(row) for row in rows]).mean(0))


def test_head_refuses_what_it_cannot_pair() -> None:
    sizes = ((2, 1, 1), (8, 1, 1))
    head = HEADS.build({"type": "SlowFastHead", "dim": 5, "num_classes": 3, "pool_kernel_sizes": sizes})
    slow, fast = torch.randn(1, 4, 2, 2, 2), torch.randn(1, 1, 8, 2, 2)
    for wrong, named in (
        (slow, "two paths"),
        ((slow[:, :, :1], fast), r"\(2, 1, 1\)"),
        ((slow, torch.cat([fast, fast], 2)), "windows"),
        ((slow[:, :1], fast), "channels"),
    ):
        with pytest.raises(InputError, match=named):
            head(wrong)
    with pytest.raises(ConfigError, match="two paths"):
        HEADS.build({"type": "SlowFastHead", "dim": 5, "num_classes": 3, "pool_kernel_sizes": (sizes[0],)})


@pytest.mark.slow
@pytest.mark.parametrize("neck", [None, {"type": "GlobalAveragePooling", "dim": 3}])
def test_classifier_traces_and_exports_with_any_batch(clip: torch.Tensor, neck: dict[str, Any] | None) -> None:
    head = {"type": "SlowFastHead", "dim": 72, "num_classes": 3}
    model = MODELS.build({"type": "VideoClassifier", "backbone": THIN, "neck": neck, "head": head}).eval()
    two = torch.cat([clip, clip.flip(2)])
    expected = model(two)
    torch.testing.assert_close(torch.jit.trace(model, clip)(two), expected)
    shapes = {"video": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(model, (), {"video": two}, dynamic_shapes=shapes)
    torch.testing.assert_close(exported.module()(video=two), expected)
    torch.testing.assert_close(exported.module()(video=torch.cat([two, clip]))[:2], expected)

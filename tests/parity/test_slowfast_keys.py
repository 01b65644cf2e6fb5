"""Key maps of PySlowFast's checkpoints: every key of theirs becomes one of ours, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import MODELS
from essmc_core.weights import load_pretrained
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import slowfast_resnet, slowfast_slowfast, slowfast_x3d

CLASSES = 7
BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
LINEAR = ("weight", "bias")
DEPTHS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}


def conv_bn(conv: str, bn: str) -> Iterator[str]:
    """Names the tensors of a convolution without bias and its batch norm."""
    yield f"{conv}.weight"
    yield from (f"{bn}.{name}" for name in BN)


def stage_keys(stage: int, blocks: int, paths: int, squeezed: bool = False) -> Iterator[str]:
    """Names the tensors of a stage: each first block has a shortcut, every other one is squeezed in X3D."""
    for path in range(paths):
        for index in range(blocks):
            block = f"s{stage}.pathway{path}_res{index}"
            if index == 0:
                yield from conv_bn(f"{block}.branch1", f"{block}.branch1_bn")
            for layer in "abc":
                yield from conv_bn(f"{block}.branch2.{layer}", f"{block}.branch2.{layer}_bn")
            if squeezed and index % 2 == 0:
                yield from (f"{block}.branch2.se.{layer}.{name}" for layer in ("fc1", "fc2") for name in LINEAR)


def resnet_keys(depth: int, paths: int = 1) -> Iterator[str]:
    """Names the tensors of C2D, I3D and Slow, and with two paths those of SlowFast."""
    for path in range(paths):
        yield from conv_bn(f"s1.pathway{path}_stem.conv", f"s1.pathway{path}_stem.bn")
    for stage, blocks in enumerate(DEPTHS[depth], start=2):
        if paths == 2:
            yield from conv_bn(f"s{stage - 1}_fuse.conv_f2s", f"s{stage - 1}_fuse.bn")
        yield from stage_keys(stage, blocks, paths)
    yield from (f"head.projection.{name}" for name in LINEAR)


def x3d_keys(blocks: Sequence[int], hidden_norm: bool = False) -> Iterator[str]:
    """Names the tensors of X3D."""
    yield "s1.pathway0_stem.conv_xy.weight"
    yield from conv_bn("s1.pathway0_stem.conv", "s1.pathway0_stem.bn")
    for stage, count in enumerate(blocks, start=2):
        yield from stage_keys(stage, count, paths=1, squeezed=True)
    yield from conv_bn("head.conv_5", "head.conv_5_bn")
    yield from conv_bn("head.lin_5", "head.lin_5_bn") if hidden_norm else iter(["head.lin_5.weight"])
    yield from (f"head.projection.{name}" for name in LINEAR)


@dataclass
class Variant:
    """One of their networks: its keys, its key maps, and our configuration of it."""

    keys: list[str]
    maps: Any
    backbone: Mapping[str, Any]
    head: Mapping[str, Any]

    def build(self) -> nn.Module:
        """Builds our classifier without spending memory."""
        head = {"num_classes": CLASSES, **self.head}
        with torch.device("meta"):
            return MODELS.build({"type": "VideoClassifier", "backbone": self.backbone, "head": head})


def resnet(kind: str, depth: int) -> Variant:
    """Returns a variant with one path."""
    head = {"type": "WindowPoolHead", "dim": 2048}
    return Variant(list(resnet_keys(depth)), slowfast_resnet, {"type": kind, "depth": depth}, head)


def slowfast(depth: int, **arguments: Any) -> Variant:
    """Returns a variant with two paths."""
    backbone = {"type": "SlowFast", "depth": depth, **arguments}
    return Variant(
        list(resnet_keys(depth, paths=2)), slowfast_slowfast, backbone, {"type": "SlowFastHead", "dim": 2304}
    )


def x3d(blocks: Sequence[int], depth_factor: float, hidden_norm: bool = False) -> Variant:
    """Returns an X3D."""
    backbone = {"type": "X3D", "depth_factor": depth_factor, "shortcut_norm": "always"}
    head = {"type": "X3DHead", "dim": 192, "hidden_batch_norm": hidden_norm}
    return Variant(list(x3d_keys(blocks, hidden_norm)), slowfast_x3d, backbone, head)


VARIANTS = {
    **{f"{kind.lower()}_r{depth}": resnet(kind, depth) for kind in ("C2D", "I3D", "SlowOnly") for depth in DEPTHS},
    "slowfast_r50_4x16": slowfast(50, alpha=8, fusion_kernel_size=5),
    "slowfast_r50_8x8": slowfast(50),
    "slowfast_r101_8x8": slowfast(101),
    "x3d_xs_s_m": x3d((3, 5, 11, 7), 2.2),
    "x3d_l": x3d((5, 10, 25, 15), 5.0),
    "x3d_hidden_norm": x3d((3, 5, 11, 7), 2.2, hidden_norm=True),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_every_key_of_theirs_becomes_one_of_ours(name: str) -> None:
    variant = VARIANTS[name]
    ours = map_keys(dict.fromkeys(variant.keys), variant.maps.TO_OURS)
    assert len(set(variant.keys)) == len(variant.keys)
    assert ours.keys() == variant.build().state_dict().keys()


@pytest.mark.parametrize("name", VARIANTS)
def test_every_key_comes_back(name: str) -> None:
    variant = VARIANTS[name]
    ours = map_keys({key: key for key in variant.keys}, variant.maps.TO_OURS)
    assert all(key == origin for key, origin in map_keys(ours, variant.maps.TO_THEIRS).items())
    assert map_keys(variant.build().state_dict(), variant.maps.TO_THEIRS).keys() == set(variant.keys)


def test_a_checkpoint_of_theirs_loads(tmp_path: Path) -> None:
    variant = VARIANTS["x3d_xs_s_m"]
    shapes = map_keys(variant.build().state_dict(), variant.maps.TO_THEIRS)
    generator = torch.Generator().manual_seed(0)
    theirs: dict[str, Tensor] = {
        key: torch.randn(tensor.shape, generator=generator).to(tensor.dtype) for key, tensor in shapes.items()
    }
    path = tmp_path / "theirs.pyth"
    torch.save({"model_state": theirs, "epoch": 1}, path)
    model = variant.build().to_empty(device="cpu")
    assert load_pretrained(model, path, key_map=variant.maps.TO_OURS).coverage == 1.0
    state = model.state_dict()
    assert torch.equal(state["backbone.conv2.res_1.short_cut_bn.bias"], theirs["s2.pathway0_res0.branch1_bn.bias"])
    assert torch.equal(state["backbone.conv1.temporal.weight"], theirs["s1.pathway0_stem.conv.weight"])
    assert torch.equal(
        state["backbone.conv4.res_11.conv_branch.b_se.fc2.bias"], theirs["s4.pathway0_res10.branch2.se.fc2.bias"]
    )
    assert torch.equal(state["head.hidden.weight"], theirs["head.lin_5.weight"])

"""The networks that a peer has too, each beside the peer's with equal weights, and how far the two differ."""

from __future__ import annotations

import copy
import importlib
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core import BACKBONES, HEADS
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import (
    pytorchvideo_mvit,
    pytorchvideo_resnet,
    pytorchvideo_slowfast,
    pytorchvideo_x3d,
    torchvision_s3d,
)
from essmc_video.layers.frames import to_images

KeyMap = tuple[tuple[str, str], ...]

TOLERANCE = 1e-9
"""Largest difference allowed in float64, where rounding cannot hide another formula."""

HOW_TO_INSTALL = {
    "essmc2": "pip install --no-deps essmc2==0.1.4 && pip install addict yapf docstring-parser einops",
    "pytorchvideo": "pip install pytorchvideo==0.1.5",
    "torchvision": "pip install torchvision",
}
"""EssentialMC2 pins old versions, and clients that its networks do not need, so its own requirements are left out."""


@dataclass(frozen=True)
class Family:
    """One network of ours and of a peer.

    Attributes:
        name: as it is listed.
        peer: the peer's package.
        ours: builds ours for (frames, height and width).
        theirs: builds theirs for the same.
        key_map: from their names to ours.
    """

    name: str
    peer: str
    ours: Callable[[int, int], nn.Module]
    theirs: Callable[[int, int], nn.Module]
    key_map: KeyMap = ()


@dataclass
class Pair:
    """One network twice, with equal weights, and what both are given."""

    ours: nn.Module
    theirs: nn.Module
    clip: Tensor

    @classmethod
    def build(cls, family: Family, clip: Tensor) -> Pair:
        """Builds both; no parameter is left at a zero that would hide what it multiplies."""
        torch.manual_seed(0)
        frames, size = int(clip.shape[2]), int(clip.shape[3])
        theirs = family.theirs(frames, size)
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
            _settle_statistics(theirs, clip)
        ours = family.ours(frames, size)
        ours.load_state_dict(map_keys(theirs.state_dict(), family.key_map))
        return cls(ours, theirs, clip)


def forward(model: nn.Module, clip: Tensor) -> Tensor:
    """Runs in eval mode."""
    with torch.no_grad():
        return model.eval()(clip)  # type: ignore[no-any-return]


def train_step(model: nn.Module, clip: Tensor) -> None:
    """Runs forward, backward and a step that is too small to change anything; keeps the gradients."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    optimizer.zero_grad(set_to_none=True)
    model.train()(clip).square().mean().backward()
    optimizer.step()


def gradients(model: nn.Module, clip: Tensor) -> Tensor:
    """Returns the norms of the gradients of a training step, sorted, since parameters need not be in the same order."""
    train_step(model, clip)
    norms = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
    return norms.sort().values


def disagreement(pair: Pair, run: Callable[[nn.Module, Tensor], Tensor]) -> float:
    """Returns the norm of the difference of what is run, relative to theirs, computed in float64."""
    ours, theirs = (run(copy.deepcopy(model).double(), pair.clip.double()) for model in (pair.ours, pair.theirs))
    difference: float = ((ours - theirs).norm() / theirs.norm()).item()
    return difference


def missing_peer(family: Family) -> str | None:
    """Returns why a family's peer cannot be imported, or None."""
    try:
        essmc2_backbones() if family.peer == "essmc2" else importlib.import_module(f"{family.peer}.models")
    except ImportError as error:
        return str(error)
    return None


def essmc2_backbones() -> Any:
    """Returns EssentialMC2's registry of backbones; an empty module stands for its Aliyun client.

    Raises:
        ImportError: it, or one of the small libraries its models use, is not installed.
    """
    try:
        importlib.import_module("oss2")
    except ImportError:
        sys.modules["oss2"] = types.ModuleType("oss2")
    importlib.import_module("essmc2.models")
    return importlib.import_module("essmc2.models.registry").BACKBONES


def _settle_statistics(model: nn.Module, clip: Tensor) -> None:
    """Takes the running statistics from one clip, so that activations neither vanish nor explode."""
    norms = [module for module in model.modules() if isinstance(module, (nn.BatchNorm2d, nn.BatchNorm3d))]
    if not norms:
        return
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(torch.cat([clip, torch.randn_like(clip)]))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    model.eval()


class _Scores(nn.Module):
    """A backbone and its head without the softmax behind them."""

    def __init__(self, backbone: Mapping[str, Any], head: Mapping[str, Any]) -> None:
        super().__init__()
        self.backbone = BACKBONES.build(backbone)
        self.head = HEADS.build({"num_classes": 400, "dropout_rate": 0.0, **head})

    def forward(self, clip: Tensor) -> Tensor:
        scores: Tensor = self.head(self.backbone(clip))
        return scores


class _TwoPaths(nn.Module):
    """Cuts the slow path's frames from a clip for pytorchvideo's SlowFast, which takes both."""

    def __init__(self, network: nn.Module, alpha: int) -> None:
        super().__init__()
        self.network = network
        self.alpha = alpha

    def forward(self, clip: Tensor) -> Tensor:
        frames = clip.shape[2]
        slow = clip[:, :, torch.linspace(0, frames - 1, frames // self.alpha).long()]
        scores: Tensor = self.network([slow, clip])
        return scores


class _Frames(nn.Module):
    """Gives an image network the frames of a clip, enlarged where they are too small for it."""

    def __init__(self, network: nn.Module, least_size: int) -> None:
        super().__init__()
        self.network = network
        self.least_size = least_size

    def forward(self, clip: Tensor) -> Tensor:
        images = to_images(clip)
        if images.shape[-1] < self.least_size:
            images = functional.interpolate(images, size=(self.least_size, self.least_size))
        features: Tensor = self.network(images)
        return features


def _essmc2(name: str, **cfg: Any) -> Family:
    return Family(name, "essmc2", lambda _, __: BACKBONES.build(cfg), lambda _, __: essmc2_backbones().build(dict(cfg)))


def _essmc2_image(name: str, least_size: int = 32, **cfg: Any) -> Family:
    """Returns a network that sees every frame by itself."""
    network = _essmc2(name, **cfg)
    ours, theirs = network.ours, network.theirs
    return Family(
        name, "essmc2", lambda *clip: _Frames(ours(*clip), least_size), lambda *clip: _Frames(theirs(*clip), least_size)
    )


def _essmc2_transformer(name: str, kind: str, **arguments: Any) -> Family:
    """Returns a transformer without the random parts, in which no two runs agree."""

    def cfg(frames: int, size: int) -> dict[str, Any]:
        clip = {"num_frames": frames, "image_size": size, "drop_path": 0.0}
        return {"type": kind, "branch_cfg": {"attn_dropout": 0.0, "ff_dropout": 0.0}, **clip, **arguments}

    return Family(
        name, "essmc2", lambda *clip: BACKBONES.build(cfg(*clip)), lambda *clip: essmc2_backbones().build(cfg(*clip))
    )


def _pytorchvideo(
    name: str, builder: str, arguments: Mapping[str, Any], backbone: Mapping[str, Any], key_map: KeyMap, stride: int = 1
) -> Family:
    """Returns a network with one path, whose last features have one frame per ``stride`` of the clip."""

    def theirs(frames: int, size: int) -> nn.Module:
        module, _, function = builder.partition(":")
        window = {"head_pool_kernel_size": (frames // stride, -(-size // 32), -(-size // 32))}
        build = getattr(importlib.import_module(f"pytorchvideo.models.{module}"), function)
        network: nn.Module = build(dropout_rate=0.0, head_activation=None, **window, **arguments)
        return network

    head = {"type": "WindowPoolHead", "dim": 2048}
    return Family(name, "pytorchvideo", lambda _, __: _Scores(backbone, head), theirs, key_map)


def _x3d(frames: int, size: int) -> nn.Module:
    module = importlib.import_module("pytorchvideo.models.x3d")
    network: nn.Module = module.create_x3d(
        input_clip_length=frames, input_crop_size=size, dropout_rate=0.0, head_activation=None
    )
    return network


def _slowfast(frames: int, size: int) -> nn.Module:
    module, edge = importlib.import_module("pytorchvideo.models.slowfast"), -(-size // 32)
    windows = ((frames // 4, edge, edge), (frames, edge, edge))
    return _TwoPaths(module.create_slowfast(dropout_rate=0.0, head_pool_kernel_sizes=windows), alpha=4)


MVIT_B: dict[str, Any] = {
    "embed_dim_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
    "atten_head_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
    "pool_q_stride_size": [[1, 1, 2, 2], [3, 1, 2, 2], [14, 1, 2, 2]],
    "pool_kv_stride_adaptive": [1, 8, 8],
    "pool_kvq_kernel": [3, 3, 3],
}


def _mvit(frames: int, size: int) -> nn.Module:
    backbone = {"type": "MViT", "temporal_size": frames, "spatial_size": size, **MVIT_B}
    return _Scores(backbone, {"type": "VideoClassifierHead", "dim": 768})


def _their_mvit(frames: int, size: int) -> nn.Module:
    module = importlib.import_module("pytorchvideo.models.vision_transformers")
    network: nn.Module = module.create_multiscale_vision_transformers(
        temporal_size=frames, spatial_size=size, head_dropout_rate=0.0, **MVIT_B
    )
    # Release 0.1.5 has torch's default in the norms of pools, where later versions have that of all other norms.
    for part in network.modules():
        if isinstance(part, nn.LayerNorm):
            part.eps = 1e-6
    return network


def _their_s3d(_frames: int, _size: int) -> nn.Module:
    trunk: nn.Module = importlib.import_module("torchvision.models").get_model("s3d").features
    return trunk


def _families() -> Iterator[Family]:
    yield _essmc2("R2D3D-18", type="ResNetR2D3D", depth=18)
    yield _essmc2("R2D3D-50", type="ResNetR2D3D", depth=50)
    yield _essmc2("R(2+1)D-10", type="ResNet2Plus1d", depth=10)
    yield _essmc2("R(2+1)D-50", type="ResNet2Plus1d", depth=50)
    yield _essmc2("ir-CSN-50", type="ResNet3D_CSN", depth=50)
    yield _essmc2("ir-CSN-152", type="ResNet3D_CSN", depth=152)
    yield _essmc2("TAda2D-50", type="ResNet3D_TAda", depth=50)
    yield _essmc2_transformer("ViViT", "Transformer")
    yield _essmc2_transformer("ViViT-fac-enc", "FactorizedTransformer")
    yield _essmc2_transformer(
        "TimeSformer", "Transformer", stem_name="PatchEmbedStem", tubelet_size=1, branch_name="TimesformerLayer"
    )
    yield _essmc2_image("ResNet-50", type="ResNet", depth=50)
    yield _essmc2_image("InceptionResNetV2", least_size=75, type="InceptionResNetV2")
    pooled, plain = pytorchvideo_resnet.POOLED_TO_OURS, pytorchvideo_resnet.TO_OURS
    resnet, flat, long = "resnet:create_resnet", (1, 1, 1), (3, 1, 1)
    c2d = {"stem_conv_kernel_size": (1, 7, 7), "stage1_pool": nn.MaxPool3d, "stage_conv_a_kernel_size": (flat,) * 4}
    i3d = {
        **c2d,
        "stem_conv_kernel_size": (5, 7, 7),
        "stage_conv_a_kernel_size": (long, [long, flat], [long, flat], [flat, long]),
    }
    yield _pytorchvideo("C2D-50", resnet, c2d, {"type": "C2D"}, pooled, stride=2)
    yield _pytorchvideo("I3D-50", resnet, i3d, {"type": "I3D"}, pooled, stride=2)
    yield _pytorchvideo("Slow-50", resnet, {"stem_conv_kernel_size": (1, 7, 7)}, {"type": "SlowOnly"}, plain)
    csn = {"type": "ResNet3D_CSN", "depth": 50, "bn_params": {"eps": 1e-5}}
    yield _pytorchvideo("CSN-50", "csn:create_csn", {"stem_pool": nn.MaxPool3d}, csn, plain, stride=8)
    factorised = pytorchvideo_resnet.FACTORISED_TO_OURS
    yield _pytorchvideo(
        "R(2+1)D-50-bottleneck", "r2plus1d:create_r2plus1d", {}, {"type": "R2Plus1DBottleneck"}, factorised, stride=4
    )
    paths = ((r"^network\.", ""), *pytorchvideo_slowfast.TO_OURS)
    slowfast_head = {"type": "SlowFastHead", "dim": 2304}
    yield Family(
        "SlowFast-50", "pytorchvideo", lambda _, __: _Scores({"type": "SlowFast"}, slowfast_head), _slowfast, paths
    )
    x3d_head = {"type": "X3DHead", "dim": 192}
    yield Family(
        "X3D-M", "pytorchvideo", lambda _, __: _Scores({"type": "X3D"}, x3d_head), _x3d, pytorchvideo_x3d.TO_OURS
    )
    yield Family("MViT-B", "pytorchvideo", _mvit, _their_mvit, pytorchvideo_mvit.TO_OURS)
    trunk = ((r"^", "features."), *torchvision_s3d.FROM_TORCHVISION, (r"^backbone\.", ""))
    yield Family("S3D", "torchvision", lambda _, __: BACKBONES.build("S3D"), _their_s3d, trunk)


FAMILIES = {f"{family.name} ({family.peer})": family for family in _families()}

"""Image ResNets load into our 3D ResNets: every name has its place, and kernels are inflated."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn

from essmc_core import BACKBONES
from essmc_core.errors import WeightsMismatch
from essmc_core.weights import load_pretrained
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps.image_resnet import FROM_IMAGE, TO_IMAGE

# TAda2D as ResNet begins it, with torchvision's batch norms.
TADA = {"stem_name": "DownSampleStem", "downsampling": (True, False, True, True, True), "bn_params": {"eps": 1e-5}}
WIDE = {"num_filters": (64, 256, 512, 1024, 2048), "expansion_ratio": 4}
NETWORKS: list[tuple[str, dict[str, Any]]] = [
    ("C2D", {}),
    ("SlowOnly", {}),
    ("I3D", {}),
    ("ResNet3D_TAda", {}),
    ("ResNetR2D3D", {"depth": 50, **WIDE}),
]


def image_network(depth: int) -> nn.Module:
    """A network whose norms fit noise, so that its features are neither tiny nor huge."""
    torch.manual_seed(0)
    network: nn.Module = getattr(torchvision.models, f"resnet{depth}")()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
            nn.init.uniform_(module.weight, 0.1, 0.5)
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 64, 64))
    return network.eval()


@pytest.fixture(scope="module")
def resnet50() -> nn.Module:
    return image_network(50)


@pytest.fixture(scope="module")
def path(resnet50: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("weights") / "resnet50.pth"
    torch.save(resnet50.state_dict(), path)
    return path


def map_of(network: nn.Module, pictures: Tensor) -> Tensor:
    """Returns the last map of a ResNet of torchvision."""
    for name in ("conv1", "bn1", "relu", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        pictures = network.get_submodule(name)(pictures)
    return pictures


@pytest.mark.slow
@pytest.mark.parametrize(("name", "arguments"), NETWORKS)
@pytest.mark.parametrize("inflate", ["average", "centre"])
def test_every_kernel_adds_up_to_the_images(
    name: str, arguments: dict[str, Any], inflate: Any, resnet50: nn.Module, path: Path
) -> None:
    video = BACKBONES.build({"type": name, **arguments})
    new = ["*_rf", "*_avgpool_bn"] if name == "ResNet3D_TAda" else []
    report = load_pretrained(video, path, key_map=FROM_IMAGE, inflate=inflate, allow_missing=new)
    assert not report.unexpected and report.usage == 1
    assert len(report.loaded) == 318 and len(report.adapted) == 53
    assert all("_rf." in key or "_avgpool_bn" in key for key in report.missing)
    assert bool(report.missing) == (name == "ResNet3D_TAda")
    state = video.state_dict()
    for key, value in map_keys(resnet50.state_dict(), FROM_IMAGE).items():
        if key in state:
            found = state[key].reshape(value.shape) if state[key].dim() == 6 else state[key]
            torch.testing.assert_close(found.sum(2) if found.dim() == 5 else found, value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "arguments", "frames"),
    [
        ("C2D", {}, 4),
        # Nine kernels of three frames: the frame in the middle of nineteen sees none beyond the ends.
        ("SlowOnly", {}, 19),
        ("ResNet3D_TAda", TADA, 4),
    ],
)
def test_still_clips_have_the_pictures_features(
    name: str, arguments: dict[str, Any], frames: int, resnet50: nn.Module, path: Path
) -> None:
    video = BACKBONES.build({"type": name, **arguments}).eval()
    load_pretrained(video, path, key_map=FROM_IMAGE, inflate="average", min_coverage=0.5)
    pictures = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        maps = video.forward_features(pictures.unsqueeze(2).expand(-1, -1, frames, -1, -1))
        torch.testing.assert_close(maps[:, :, maps.shape[2] // 2], map_of(resnet50, pictures), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [18, 34, 50, 101, 152])
def test_every_depth_has_its_names_there_and_back(depth: int) -> None:
    wide = WIDE if depth >= 50 else {"num_filters": (64, 64, 128, 256, 512)}
    with torch.device("meta"):
        image = getattr(torchvision.models, f"resnet{depth}")()
        video = BACKBONES.build({"type": "ResNetR2D3D", "depth": depth, **wide})
    names = [key for key in image.state_dict() if not key.startswith("fc.")]
    ours = map_keys(dict.fromkeys(names), FROM_IMAGE)
    assert ours.keys() == video.state_dict().keys()
    assert list(map_keys(ours, TO_IMAGE)) == names
    for name, our in zip(names, ours, strict=True):
        flat = video.state_dict()[our]
        assert image.state_dict()[name].shape == (flat[:, :, 0] if flat.dim() == 5 else flat).shape


def test_timms_names_are_torchvisions() -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        names = timm.create_model("resnet50").state_dict().keys()
        assert names == torchvision.models.resnet50().state_dict().keys()


@pytest.mark.slow
def test_unasked_inflation_is_refused_and_the_way_to_ask_is_named(path: Path) -> None:
    with pytest.raises(WeightsMismatch, match="the weights have 2D kernels; inflate='average' or inflate='centre'"):
        load_pretrained(BACKBONES.build({"type": "SlowOnly"}), path, key_map=FROM_IMAGE)
    with pytest.raises(WeightsMismatch) as caught:
        load_pretrained(BACKBONES.build({"type": "SlowOnly"}), path)
    assert "They have 2D kernels" in str(caught.value) and "key_map" in str(caught.value)


def test_depthwise_kernels_are_no_place_for_an_images(path: Path) -> None:
    csn = BACKBONES.build({"type": "ResNet3D_CSN", "depth": 50})
    with pytest.raises(WeightsMismatch, match=r"conv_branch\.b\.weight: shape 64x64x3x3 does not fit 64x1x3x3x3"):
        load_pretrained(csn, path, key_map=FROM_IMAGE, inflate="average")

"""Any image backbone runs on clips: per frame, shifted, calibrated or inflated, with its image weights as they were."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES, build_model
from essmc_core.contract.features import FeatureInfo
from essmc_core.errors import ConfigError, InputError, WeightsMismatch
from essmc_core.weights import load_pretrained
from essmc_video.layers.temporal_shift import temporal_shift
from essmc_video.lift.backbone import Lift2D
from essmc_video.lift.layers_found import block_entries
from essmc_video.lift.shifting import ShiftInput

CONVNETS = [
    "torchvision/resnet18",
    "torchvision/convnext_tiny",
    "torchvision/mobilenet_v2",
    "timm/resnet50",
    "timm/convnext_atto",
    "timm/efficientnet_b0",
]
TRANSFORMERS = ["timm/vit_tiny_patch16_224", "torchvision/swin_t"]
MODES = ["tsn", "tsm", "tada", "inflate"]


def image_backbone(name: str, size: int = 64, **arguments: Any) -> nn.Module:
    """Returns a backbone in eval mode whose norms fit its input, so that nothing cancels, saturates or dies out."""
    torch.manual_seed(0)
    if name == "timm/vit_tiny_patch16_224":
        arguments["img_size"] = 64
    backbone: nn.Module = BACKBONES.build({"type": name, **arguments})
    for path, parameter in backbone.named_parameters():
        if parameter.ndim == 1 or "gamma" in path or "layer_scale" in path:
            nn.init.uniform_(parameter, 0.1, 0.5)
    norms = [module for module in backbone.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    backbone.train()(clips(size=size).transpose(1, 2).flatten(0, 1))
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum
    return backbone.eval()


def lift(backbone: nn.Module | str, mode: str, **arguments: Any) -> Lift2D:
    lifted: Lift2D = BACKBONES.build({"type": "Lift2D", "backbone": copy.deepcopy(backbone), "mode": mode, **arguments})
    return lifted.eval()


def clips(frames: int = 4, batch: int = 2, size: int = 64) -> Tensor:
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


def per_frame(backbone: nn.Module, video: Tensor) -> Tensor:
    """Returns the mean over frames of what the image backbone says of each, one frame at a time."""
    return torch.stack([backbone(video[:, :, frame]) for frame in range(video.shape[2])]).mean(dim=0)


def assert_same(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * expected.std().item())


def assert_different(found: Tensor, other: Tensor) -> None:
    assert (found - other).abs().max() > 3e-3 * other.std().item()


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.no_grad():
        yield


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONVNETS, *TRANSFORMERS])
def test_tsn_is_the_mean_over_frames(name: str) -> None:
    backbone, video = image_backbone(name), clips()
    assert_same(lift(backbone, "tsn")(video), per_frame(backbone, video))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVNETS)
def test_a_new_tada_lift_is_the_per_frame_network(name: str) -> None:
    backbone, video = image_backbone(name), clips()
    lifted = lift(backbone, "tada")
    assert_same(lifted(video), per_frame(backbone, video))
    for path, parameter in lifted.named_parameters():
        if path.endswith("calibration.b.weight"):
            nn.init.normal_(parameter, std=0.1)
    assert_different(lifted(video), per_frame(backbone, video))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVNETS)
def test_an_inflated_network_says_of_equal_frames_what_the_image_network_says_of_one(name: str) -> None:
    backbone = image_backbone(name)
    frame = clips(1)
    still = frame.expand(-1, -1, 5, -1, -1)
    lifted = lift(backbone, "inflate")
    assert_same(lifted(still), backbone(frame[:, :, 0]))
    maps, image_map = lifted.forward_features(still), backbone.forward_features(frame[:, :, 0])  # type: ignore[operator]
    assert_same(maps, image_map.unsqueeze(2).expand_as(maps))  # at the ends of the clip too
    assert_different(lifted(clips()), per_frame(backbone, clips()))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONVNETS[:2])
def test_a_network_inflated_around_the_centre_is_the_per_frame_network(name: str) -> None:
    backbone, video = image_backbone(name), clips()
    lifted = lift(backbone, "inflate", inflation="centre", temporal_kernel=5)
    assert_same(lifted(video), per_frame(backbone, video))
    weights = dict(lifted.named_parameters())
    assert weights[next(path for path in weights if path.endswith("weight"))].shape[2] == 5


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CONVNETS, *TRANSFORMERS])
def test_shifts_mix_neighbouring_frames_only_and_one_frame_with_none(name: str) -> None:
    backbone, video = image_backbone(name), clips()
    lifted = lift(backbone, "tsm")
    assert_same(lifted(video[:, :, :1]), backbone(video[:, :, 0]))
    assert_different(lifted(video), per_frame(backbone, video))
    one, other = lifted(video[:1]), lifted(video[1:])
    assert_same(lifted(video), torch.cat([one, other]))  # clips of a batch do not see each other


def test_the_shift_takes_the_next_the_previous_and_the_same_frame() -> None:
    frames = torch.arange(1.0, 25.0).reshape(3, 8, 1, 1)  # one clip of three frames with eight channels
    shifted = temporal_shift(frames, 3, 4)[:, :, 0, 0]
    frames = frames[:, :, 0, 0]
    assert torch.equal(shifted[:, :2], torch.stack([frames[1, :2], frames[2, :2], torch.zeros(2)]))
    assert torch.equal(shifted[:, 2:4], torch.stack([torch.zeros(2), frames[0, 2:4], frames[1, 2:4]]))
    assert torch.equal(shifted[:, 4:], frames[:, 4:])


def shifted_layers(lifted: Lift2D) -> list[str]:
    return [
        path
        for path, module in lifted.backbone.named_modules()
        if any(isinstance(hook, ShiftInput) for hook in module._forward_pre_hooks.values())
    ]


@pytest.mark.parametrize(
    ("name", "count", "first", "last"),
    [
        ("torchvision/resnet18", 8, "layer1.0.conv1", "layer4.1.conv1"),
        ("torchvision/resnet50", 16, "layer1.0.conv1", "layer4.2.conv1"),
        # Blocks 0, 2, 4, ... of 3, 4, 23 and 3.
        ("torchvision/resnet101", 2 + 2 + 12 + 2, "layer1.0.conv1", "layer4.2.conv1"),
        ("torchvision/mobilenet_v2", 17, "features.1.conv.0.0", "features.17.conv.0.0"),
        ("torchvision/convnext_tiny", 18, "features.1.0.block.0", "features.7.2.block.0"),
        ("torchvision/vit_b_16", 12, "encoder.layers.encoder_layer_0.ln_1", "encoder.layers.encoder_layer_11.ln_1"),
    ],
)
def test_where_shifts_are(name: str, count: int, first: str, last: str) -> None:
    with torch.device("meta"):
        found = shifted_layers(Lift2D({"type": name}, mode="tsm"))
    assert (len(found), found[0], found[-1]) == (count, first, last)


def test_gates_that_look_at_one_channel_are_not_shifted() -> None:
    with torch.device("meta"):
        lifted = Lift2D({"type": "timm/csatv2"}, mode="tsm")
    layers = [lifted.backbone.get_submodule(path) for path in shifted_layers(lifted)]
    assert layers and all(getattr(layer, "in_channels", 8) >= 8 for layer in layers)


def test_every_other_block_can_be_asked_for() -> None:
    with torch.device("meta"):
        found = shifted_layers(Lift2D({"type": "torchvision/resnet50"}, mode="tsm", shift_every=2))
    assert [path for path in found if path.startswith("layer2")] == ["layer2.0.conv1", "layer2.2.conv1"]


def test_entries_of_blocks_are_never_on_the_shortcut() -> None:
    regnet: nn.Module = BACKBONES.build("torchvision/regnet_y_400mf")
    entries = {id(entry.layer) for entry in block_entries(regnet)}
    names = [path for path, module in regnet.named_modules() if id(module) in entries]
    assert names and all(".f.a." in path for path in names)


@pytest.mark.parametrize("mode", MODES)
def test_image_weights_and_their_keys_stay(mode: str) -> None:
    backbone = image_backbone("torchvision/resnet18")
    before, after = backbone.state_dict(), lift(backbone, mode).state_dict()
    assert {f"backbone.{key}" for key in before} <= after.keys()
    added = after.keys() - {f"backbone.{key}" for key in before}
    assert bool(added) == (mode == "tada") and all(".calibration." in key for key in added)
    for key, value in before.items():
        lifted = after[f"backbone.{key}"]
        assert torch.equal(lifted, value) if lifted.ndim == value.ndim else torch.allclose(lifted.sum(2), value)


def test_backbones_that_return_maps_give_maps_with_time() -> None:
    backbone = image_backbone("ResNet", depth=18)
    lifted = lift(backbone, "tsn")
    assert lifted.feature_rank == 3
    found = lifted(clips())
    assert found.shape == (2, 512, 4, 2, 2)
    assert_same(found[:, :, 3], backbone(clips()[:, :, 3]))


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_gradient_checkpointing_changes_no_gradient(mode: str) -> None:
    video = clips()
    gradients = []
    for enable in (False, True):
        lifted = lift(image_backbone("torchvision/resnet18"), mode, num_frames=4)
        # Batch norms in eval mode: in train mode they move their statistics twice.
        lifted.train().apply(lambda module: module.eval() if isinstance(module, nn.BatchNorm2d) else None)
        lifted.set_grad_checkpointing(enable)
        with torch.enable_grad():
            loss = lifted(video).square().sum()
            lifted(video.flip(2))  # what comes in between does not matter
            gradients.append(torch.autograd.grad(loss, list(lifted.parameters())))
    for plain, checkpointed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, checkpointed)


def test_gradient_checkpointing_needs_a_fixed_number_of_frames() -> None:
    lifted = lift(image_backbone("torchvision/resnet18"), "tsm")
    with pytest.raises(ConfigError, match="num_frames"):
        lifted.set_grad_checkpointing()


@pytest.mark.parametrize("name", ["torchvision/vit_b_16", "torchvision/swin_t"])
@pytest.mark.parametrize("mode", ["tada", "inflate"])
def test_transformers_can_be_neither_calibrated_nor_inflated(name: str, mode: str) -> None:
    with torch.device("meta"), pytest.raises(ConfigError, match="mode: tsn"):
        Lift2D({"type": name}, mode=mode)


class OneConvolution(nn.Module):
    """An image backbone of one convolution."""

    layout, in_chans, num_frames, out_channels, num_features, feature_rank = "NCHW", 3, None, 8, 8, 2
    feature_info: tuple[FeatureInfo, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward_features(self, x: Tensor, out_indices: Any = None) -> Tensor:
        return self.conv(x)

    def set_grad_checkpointing(self, enable: bool = True) -> None:
        pass


def test_what_has_no_layers_beyond_a_first_convolution_cannot_be_shifted() -> None:
    with pytest.raises(ConfigError, match="nowhere to shift"):
        Lift2D(OneConvolution(), mode="tsm")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "first", "size"),
    [
        ("torchvision/vgg11", 7, "features.3", 64),
        ("torchvision/alexnet", 4, "features.3", 64),
        ("torchvision/googlenet", 19, "conv3.conv", 64),
        ("torchvision/inception_v3", 53, "Conv2d_2a_3x3.conv", 96),
        ("timm/mixer_s32_224", 8, "blocks.0.norm1", 224),
        ("timm/levit_128s", 9, "stages.0.blocks.0.attn.qkv.linear", 224),
        ("timm/efficientformer_l1", 15, "stages.0.blocks.0.mlp.fc1", 224),
        # Not its stem, which reads pixels.
        ("timm/fastvit_t8", 23, "stages.0.blocks.0.token_mixer.mixer.conv_kxk.0.conv", 64),
    ],
)
def test_networks_without_usual_blocks_are_shifted_too(name: str, count: int, first: str, size: int) -> None:
    backbone, video = image_backbone(name, size), clips(3, size=size)
    lifted = lift(backbone, "tsm")
    found = shifted_layers(lifted)
    assert (len(found), found[0]) == (count, first)
    assert_same(lifted(video[:, :, :1]), backbone(video[:, :, 0]))
    assert_different(lifted(video), per_frame(backbone, video))


@pytest.mark.slow
@pytest.mark.parametrize("inflation", ["average", "centre"])
@pytest.mark.parametrize(
    "name", ["timm/tf_efficientnetv2_b0", "timm/tf_efficientnet_lite0", "timm/nf_regnet_b0", "timm/resnetv2_50x1_bit"]
)
def test_same_padded_and_weight_standardised_convolutions_are_inflated(name: str, inflation: str) -> None:
    backbone = image_backbone(name)
    lifted = lift(backbone, "inflate", inflation=inflation)
    # An odd height and an even width are padded by different numbers.
    video = clips(3)[:, :, :, :63]
    if inflation == "average":
        video = video[:, :, :1].expand(-1, -1, 3, -1, -1)
    assert_same(lifted(video), per_frame(backbone, video))
    assert lifted.state_dict().keys() == {f"backbone.{key}" for key in backbone.state_dict()}
    if inflation == "average":
        assert_different(lifted(clips(3)), per_frame(backbone, clips(3)))


def saved(backbone: nn.Module, folder: Path) -> Path:
    path = folder / "img.pth"
    torch.save(backbone.state_dict(), path)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("prefix", [None, "backbone."])
@pytest.mark.parametrize("mode", MODES)
def test_image_weights_load_under_their_own_names(mode: str, prefix: str | None, tmp_path: Path) -> None:
    backbone, video = image_backbone("torchvision/resnet18"), clips(1).expand(-1, -1, 4, -1, -1)
    lifted = lift("torchvision/resnet18", mode)
    report = load_pretrained(lifted, saved(backbone, tmp_path), prefix=prefix)
    assert report.coverage == 1 and not report.missing and not report.unexpected
    assert {key for key in lifted.state_dict() if ".calibration." in key} == set(report.new)
    assert ("new:" in str(report)) == (mode == "tada")
    if mode != "tsm":
        assert_same(lifted(video), backbone(video[:, :, 0]))
    if mode == "inflate":
        assert report.adapted["backbone.conv1.weight"] == "inflated to 3 frames by averaging"


@pytest.mark.slow
def test_lifted_weights_load_whole_and_lack_nothing_silently(tmp_path: Path) -> None:
    trained = lift(image_backbone("torchvision/resnet18"), "tada")
    state = trained.state_dict()
    torch.save(state, tmp_path / "lifted.pth")
    assert load_pretrained(lift("torchvision/resnet18", "tada"), tmp_path / "lifted.pth").complete
    dropped = [key for key in state if ".layer4." in key and ".calibration." in key]
    torch.save({key: value for key, value in state.items() if key not in dropped}, tmp_path / "part.pth")
    with pytest.raises(WeightsMismatch, match="they lack 36 of") as caught:
        load_pretrained(lift("torchvision/resnet18", "tada"), tmp_path / "part.pth")
    assert set(caught.value.report.missing) == set(dropped)


def test_image_weights_load_into_the_lift_of_a_classifier(tmp_path: Path) -> None:
    backbone = image_backbone("torchvision/resnet18")
    classifier = build_model(
        {
            "type": "VideoClassifier",
            "backbone": {"type": "Lift2D", "backbone": {"type": "torchvision/resnet18"}, "mode": "tada"},
            "head": {"type": "VideoClassifierHead", "num_classes": 5},
        }
    )
    report = load_pretrained(classifier, saved(backbone, tmp_path), prefix="backbone", min_coverage=0.8)
    assert {key for key in report.missing if "head" not in key} == set() and report.new
    assert torch.equal(classifier.get_parameter("backbone.backbone.conv1.weight"), backbone.conv1.weight)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "tsx"}, "mode is one of"),
        ({"mode": "tsm", "shift_div": 128}, "none to shift"),
        ({"mode": "inflate", "temporal_kernel": 2}, "odd"),
        ({"mode": "inflate", "inflation": "center"}, "'centre'"),
        ({"num_frames": 0}, "at least one frame"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Lift2D(image_backbone("torchvision/resnet18"), **arguments)


def test_video_backbones_and_modules_without_the_interface_are_refused() -> None:
    with pytest.raises(ConfigError, match="NCTHW"):
        Lift2D(BACKBONES.build("S3D"))
    with pytest.raises(ConfigError, match="uniform interface"):
        Lift2D(nn.Conv2d(3, 8, 3))


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(2, 3, 64, 64), "expected floating-point clips"),
        (torch.zeros(2, 4, 3, 64, 64), "expected floating-point clips"),
        (torch.zeros(2, 3, 4, 64, 64, dtype=torch.uint8), "expected floating-point clips"),
        (torch.zeros(2, 3, 4, 64, 64, dtype=torch.float64), "float64"),
        (torch.zeros(2, 3, 8, 64, 64), "built for clips of 4 frames, got 8"),
    ],
)
def test_what_is_no_such_clip_is_refused(video: Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        lift(image_backbone("torchvision/resnet18"), "tsm", num_frames=4)(video)

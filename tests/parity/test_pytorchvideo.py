"""C2D, I3D, Slow, CSN, R(2+1)D, SlowFast and X3D give pytorchvideo's numbers, SlowFast also TAdaConv's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES, MODELS
from essmc_core.models.recipes import read_recipe
from essmc_core.weights import load_pretrained
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import pytorchvideo_resnet, pytorchvideo_slowfast, pytorchvideo_x3d
from tests.parity.beyond import BeyondCase, KeyMap, Parity, Port, scores
from tests.parity.golden import Outputs


def classifier(backbone: Mapping[str, Any], head: Mapping[str, Any]) -> Callable[[], nn.Module]:
    """Returns what builds a classifier; dropout is off, since cases have no random numbers."""
    cfg = {"type": "VideoClassifier", "backbone": backbone, "head": {"num_classes": 400, "dropout_rate": 0.0, **head}}
    return lambda: MODELS.build(cfg)


def resnet(
    backbone: Mapping[str, Any],
    window: tuple[int, int, int],
    to_ours: KeyMap = pytorchvideo_resnet.TO_OURS,
    to_theirs: KeyMap = pytorchvideo_resnet.TO_THEIRS,
    num_classes: int = 400,
) -> Port:
    """Returns a port of a network with a plain head."""
    head = {"type": "WindowPoolHead", "dim": 2048, "pool_kernel_size": window, "num_classes": num_classes}
    return Port(classifier(backbone, head), to_ours, to_theirs, outputs=scores)


def slowfast(backbone: Mapping[str, Any], windows: tuple[tuple[int, int, int], ...]) -> Port:
    """Returns a port of a SlowFast network."""
    head = {"type": "SlowFastHead", "dim": 2304, "pool_kernel_sizes": windows}
    build = classifier({"type": "SlowFast", **backbone}, head)
    return Port(build, pytorchvideo_slowfast.TO_OURS, pytorchvideo_slowfast.TO_THEIRS, outputs=scores)


def x3d(window: tuple[int, int, int]) -> Port:
    """Returns a port of an X3D network."""
    build = classifier({"type": "X3D"}, {"type": "X3DHead", "dim": 192, "pool_kernel_size": window})
    return Port(build, pytorchvideo_x3d.TO_OURS, pytorchvideo_x3d.TO_THEIRS, outputs=scores)


def both_paths(model: nn.Module, inputs: Tensor) -> Outputs:
    """Names the paths as the case does."""
    slow, fast = model(inputs)
    return {"slow": slow, "fast": fast}


def mean_probabilities(model: nn.Module, inputs: Tensor) -> Outputs:
    """Returns the classifier's own output, which is after the softmax in each window."""
    return {"out": model(inputs)}


def window_scores(model: nn.Module, inputs: Tensor) -> Outputs:
    """Returns what the last linear layer returns."""
    found: list[Tensor] = []
    with model.get_submodule("head.out").register_forward_hook(lambda _, __, returned: found.append(returned)):
        model(inputs)
    return {"logits": found[0]}


CSN = {"type": "ResNet3D_CSN", "bn_params": {"eps": 1e-5, "momentum": 0.1}}
POOLED = (pytorchvideo_resnet.POOLED_TO_OURS, pytorchvideo_resnet.POOLED_TO_THEIRS)

PORTS = {
    "ptv_c2d_r50": resnet({"type": "C2D"}, (4, 2, 2), *POOLED),
    "ptv_i3d_r50": resnet({"type": "I3D"}, (4, 2, 2), *POOLED),
    "ptv_slow_r50": resnet({"type": "SlowOnly"}, (8, 2, 2)),
    "ptv_csn_r101": resnet({**CSN, "depth": 101}, (2, 2, 2)),
    "ptv_csn_r50_nopool": resnet({**CSN, "depth": 50, "stem_name": "Base3DStem"}, (1, 2, 2), num_classes=97),
    "ptv_r2plus1d_r50": Port(
        classifier(
            {"type": "R2Plus1DBottleneck"},
            {"type": "WindowPoolHead", "dim": 2048, "pool_kernel_size": (2, 2, 2), "average": "probabilities"},
        ),
        pytorchvideo_resnet.FACTORISED_TO_OURS,
        pytorchvideo_resnet.FACTORISED_TO_THEIRS,
        outputs=mean_probabilities,
        pre_activation=window_scores,
    ),
    "ptv_slowfast_r50": slowfast({}, ((8, 2, 2), (32, 2, 2))),
    "ptv_slowfast_r50_4x16": slowfast({"alpha": 8, "fusion_kernel_size": 5}, ((2, 2, 2), (16, 2, 2))),
    "tada_slowfast_4x16": Port(
        lambda: BACKBONES.build({"type": "SlowFast", "alpha": 8, "fusion_kernel_size": 5, "slow_index": "stride"}),
        outputs=both_paths,
    ),
    "ptv_x3d_xs": x3d((4, 5, 5)),
    "ptv_x3d_s": x3d((13, 5, 5)),
    "ptv_x3d_s_i64_train": x3d((8, 2, 2)),
}


class TestPytorchvideo(Parity):
    """Every case of these families, both ways through the key maps."""

    ports = PORTS


@pytest.mark.parametrize(
    ("name", "key_map", "case"),
    [
        ("c2d_r50_8x8_k400", pytorchvideo_resnet.POOLED_TO_OURS, "ptv_c2d_r50"),
        ("i3d_r50_8x8_k400", pytorchvideo_resnet.POOLED_TO_OURS, "ptv_i3d_r50"),
        ("slow_r50_8x8_k400", pytorchvideo_resnet.TO_OURS, "ptv_slow_r50"),
        ("csn_r101_32x2_k400", pytorchvideo_resnet.TO_OURS, "ptv_csn_r101"),
        ("r2plus1d_r50_16x4_k400", pytorchvideo_resnet.FACTORISED_TO_OURS, "ptv_r2plus1d_r50"),
        ("slowfast_r50_8x8_k400", pytorchvideo_slowfast.TO_OURS, "ptv_slowfast_r50"),
        ("slowfast_r50_4x16_k400", pytorchvideo_slowfast.TO_OURS, "ptv_slowfast_r50_4x16"),
        ("x3d_xs_k400", pytorchvideo_x3d.TO_OURS, "ptv_x3d_xs"),
        ("x3d_s_k400", pytorchvideo_x3d.TO_OURS, "ptv_x3d_s"),
    ],
)
def test_zoo_entry_takes_a_checkpoint_of_theirs(name: str, key_map: KeyMap, case: str, tmp_path: Path) -> None:
    recipe = read_recipe(name)
    stated = tuple(tuple(pair) for pair in recipe.section("weights")["key_map"])
    assert stated == key_map
    theirs = BeyondCase(case).state_dict()
    path = tmp_path / "theirs.pyth"
    torch.save({"model_state": theirs, "epoch": 1}, path)
    model = MODELS.build(recipe.model)
    report = load_pretrained(model, path, key_map=stated)
    assert report.coverage == 1.0
    ours = model.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in map_keys(theirs, key_map).items())


@pytest.mark.parametrize(
    ("builder", "arguments", "backbone", "head", "maps", "shape"),
    [
        pytest.param(
            "pytorchvideo.models.resnet:create_resnet",
            {"model_depth": 101, "stem_conv_kernel_size": (1, 7, 7), "head_pool_kernel_size": (3, 2, 2)},
            {"type": "SlowOnly", "depth": 101},
            {"type": "WindowPoolHead", "dim": 2048, "pool_kernel_size": (3, 2, 2)},
            pytorchvideo_resnet,
            (1, 3, 4, 64, 96),
            id="slow_r101",
        ),
        pytest.param(
            "pytorchvideo.models.x3d:create_x3d",
            {"input_clip_length": 4, "input_crop_size": 64, "depth_factor": 5.0, "head_activation": None},
            {"type": "X3D", "depth_factor": 5.0},
            {"type": "X3DHead", "dim": 192, "pool_kernel_size": (4, 2, 2)},
            pytorchvideo_x3d,
            (1, 3, 5, 64, 96),
            id="x3d_l",
        ),
    ],
)
def test_other_variants_equal_the_original_where_it_is_installed(
    builder: str,
    arguments: Mapping[str, Any],
    backbone: Mapping[str, Any],
    head: Mapping[str, Any],
    maps: Any,
    shape: tuple[int, ...],
) -> None:
    module, _, function = builder.partition(":")
    theirs = getattr(pytest.importorskip(module, exc_type=ImportError), function)(**arguments).eval()
    generator = torch.Generator().manual_seed(0)
    for key, value in theirs.state_dict().items():
        # New networks start as their shortcuts, which would leave most of them unseen.
        if value.ndim == 1:
            value.uniform_(0.5, 1.0, generator=generator)
        elif key.endswith("proj.weight"):
            value.normal_(generator=generator)
    ours = classifier(backbone, head)().eval()
    ours.load_state_dict(map_keys(theirs.state_dict(), maps.TO_OURS))
    clip = torch.randn(shape, generator=generator)
    with torch.no_grad():
        expected = theirs(clip)
        error = (scores(ours, clip)["out"] - expected).abs().max()
    assert error < 1e-4 * expected.std()

"""ResNet3D and its presets: overrides, depths, what they refuse, and how they trace, export, copy and pickle."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import BACKBONES, BRICKS
from essmc_core.errors import ConfigError, InputError, SchemaError, UnknownComponent
from essmc_video.networks.resnet3d.backbone import ResNet3D
from essmc_video.networks.resnet3d.branches.base import ResidualBranch
from essmc_video.networks.resnet3d.stage import Base3DBlock, Base3DResStage

NARROW: dict[str, Any] = {"num_filters": (8, 16, 16, 16, 24)}
# Every preset, small enough to run in a moment.
PRESETS: dict[str, dict[str, Any]] = {
    "ResNet3D": {"depth": 10, **NARROW},
    "ResNetR2D3D": {"depth": 10, **NARROW},
    "ResNet2Plus1d": {"depth": 10, **NARROW},
    "ResNet3D_CSN": {"depth": 26, **NARROW},
    "ResNet3D_TAda": {"depth": 26, **NARROW},
}
every_preset = pytest.mark.parametrize("name", PRESETS)


def build(name: str, **arguments: Any) -> ResNet3D:
    backbone: ResNet3D = BACKBONES.build({"type": name, **PRESETS[name], **arguments})
    return backbone


def randomized(model: nn.Module) -> nn.Module:
    """Moves all weights off their initial zeros and ones."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.05)
    return model.eval()


def clips(batch: int = 2, frames: int = 4, size: int = 32) -> Tensor:
    return torch.randn(batch, 3, frames, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.slow
@every_preset
def test_every_argument_of_resnet3d_can_be_overridden(name: str) -> None:
    assert list(inspect.signature(BACKBONES[name]).parameters) == list(inspect.signature(ResNet3D).parameters)
    model = build(name, bn_params={"eps": 0.25, "momentum": 0.5}, non_local=(False, False, False, False, True))
    assert {norm.momentum for path, norm in batch_norms(model).items() if ".b_rf." not in path} == {0.5}
    assert "conv5.nonlocal.qconv.weight" in model.state_dict()


def batch_norms(model: nn.Module) -> dict[str, nn.BatchNorm3d]:
    return {path: module for path, module in model.named_modules() if isinstance(module, nn.BatchNorm3d)}


@every_preset
def test_a_misspelt_argument_is_refused(name: str) -> None:
    with pytest.raises(SchemaError, match="num_filter"):
        build(name, num_filter=(1, 2, 3, 4, 5))
    with pytest.raises(TypeError, match="num_filter"):
        BACKBONES[name](num_filter=(1, 2, 3, 4, 5))


def test_presets_have_the_defaults_of_the_published_networks() -> None:
    shown = {
        name: {key: parameter.default for key, parameter in inspect.signature(BACKBONES[name]).parameters.items()}
        for name in PRESETS
    }
    assert {name: defaults["depth"] for name, defaults in shown.items()} == {
        "ResNet3D": inspect.Parameter.empty,
        "ResNetR2D3D": 18,
        "ResNet2Plus1d": 10,
        "ResNet3D_CSN": 152,
        "ResNet3D_TAda": 50,
    }
    assert shown["ResNet3D_TAda"]["downsampling"] == (True,) * 5
    assert shown["ResNet3D_CSN"]["expansion_ratio"] == 4
    assert shown["ResNet2Plus1d"]["stem_name"] == "R2Plus1DStem"


@pytest.mark.parametrize(
    ("name", "shape", "features"),
    [
        ("ResNetR2D3D", (1, 3, 16, 112, 112), (1, 24, 4, 4, 4)),
        ("ResNet2Plus1d", (1, 3, 16, 112, 112), (1, 24, 2, 7, 7)),
        ("ResNet3D_CSN", (1, 3, 32, 224, 224), (1, 24, 4, 7, 7)),
        ("ResNet3D_TAda", (1, 3, 8, 224, 224), (1, 24, 8, 7, 7)),
    ],
)
def test_strides_of_the_presets(name: str, shape: tuple[int, ...], features: tuple[int, ...]) -> None:
    with torch.no_grad():
        assert build(name).eval()(torch.randn(shape)).shape == features


def test_depth_26_is_not_depth_18_again() -> None:
    keys = {depth: set(build("ResNet3D", depth=depth).state_dict()) for depth in (18, 26)}
    assert "conv5.res_2.conv_branch.c.weight" in keys[26] - keys[18]
    assert not any(".c." in key for key in keys[18])


def test_default_batch_norm_is_eps_1e_3_momentum_0_1() -> None:
    assert {(norm.eps, norm.momentum) for norm in batch_norms(build("ResNetR2D3D")).values()} == {(1e-3, 0.1)}


def test_a_non_local_block_leaves_the_eps_of_later_stages_and_the_callers_mapping_alone() -> None:
    bn_params = {"eps": 1e-3, "momentum": 0.1}
    model = ResNet3D(10, bn_params=bn_params, non_local=(False, True, True, False, False), **NARROW)
    assert bn_params == {"eps": 1e-3, "momentum": 0.1}
    assert {path for path, norm in batch_norms(model).items() if norm.eps == 1e-5} == {
        "conv2.nonlocal.out_bn",
        "conv3.nonlocal.out_bn",
    }


def test_a_stage_of_one_block_can_change_width_and_end_with_a_non_local_block() -> None:
    model = build("ResNet3D", depth=10, non_local=(False, False, True, True, True)).eval()
    assert model(clips()).shape[1] == 24


def test_kaiming_initialisation_starts_every_block_as_its_shortcut() -> None:
    model = build("ResNet3D", depth=18, init_cfg={"name": "kaiming"}).eval()
    block = next(module for module in model.modules() if isinstance(module, Base3DBlock) and module.short_cut is None)
    features = torch.rand(1, 16, 2, 8, 8)
    torch.testing.assert_close(block(features), features)
    kept = build("ResNet3D", init_cfg={"name": "kaiming", "zero_init_final_bn": False})
    assert all(norm.weight.min() == 1 for norm in batch_norms(kept).values())


@pytest.mark.parametrize("init_cfg", ["kayming", {"name": "kaiming", "zero_init": True}, {}])
def test_an_unknown_initialisation_is_refused(init_cfg: Any) -> None:
    with pytest.raises(ConfigError, match="init_cfg"):
        build("ResNet3D", init_cfg=init_cfg)


def test_nothing_of_the_visualisation_is_left_to_call() -> None:
    assert not hasattr(Base3DResStage, "set_stage_id")
    assert "visual_cfg" not in inspect.signature(ResNet3D).parameters


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"depth": 20}, "depth 20"),
        ({"num_filters": (8, 8, 8)}, "num_filters has 3 entries"),
        ({"non_local": (True, False, False, False, False)}, "stem"),
        ({"kernel_size": ((7, 7), (3, 3), (3, 3), (3, 3), (3, 3))}, "time, height, width"),
        ({"kernel_size": ((1, 7, 7), *((2, 3, 3),) * 4)}, "kernels of residual branches are odd"),
        ({"num_filters": (2,) * 5, "expansion_ratio": 4, "depth": 50}, "2 filters has no channels, expansion_ratio=4"),
        ({"expansion_ratio": 0, "depth": 50}, ", expansion_ratio=0"),
        ({"num_filters": (0,) * 5}, "num_filters must be above 0"),
        (
            {"num_input_channels": 1, "kernel_size": ((1, 1, 1),) * 5, "stem_name": "R2Plus1DStem"},
            "channels to 0",
        ),
        ({"branch_cfg": {"dim_in": 3}}, "branch_cfg sets dim_in"),
        ({"branch_name": "CSNBranch"}, "CSNBranch has no style 'simple_block'"),
        ({"branch_name": "TAdaConvBlockAvgPool", "depth": 26}, "cannot downsample time"),
    ],
)
def test_arguments_that_cannot_be_meant_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build("ResNet3D", **arguments)


def test_an_unknown_branch_names_its_neighbours() -> None:
    with pytest.raises(UnknownComponent, match="R2D3DBranch"):
        build("ResNet3D", branch_name="R2D3Branch")


@pytest.mark.parametrize(
    ("video", "hint"),
    [
        (torch.zeros(3, 4, 32, 32), r"unsqueeze\(0\)"),
        (torch.zeros(2, 4, 3, 32, 32), r"transpose\(1, 2\)"),
        (torch.zeros(2, 4, 32, 32, 3), "permute"),
        (torch.zeros(2, 1, 4, 32, 32), "input channels"),
        (torch.zeros(2, 3, 0, 32, 32), "at least 1"),
        (torch.zeros(2, 3, 4, 32, 32, dtype=torch.uint8), "float"),
    ],
)
@every_preset
def test_what_is_no_clip_is_refused_with_what_to_do(name: str, video: Tensor, hint: str) -> None:
    with pytest.raises(InputError, match=hint) as caught:
        build(name).eval()(video)
    assert "(N, 3, T, H, W)" in str(caught.value)


@every_preset
def test_the_smallest_clip_has_features(name: str) -> None:
    assert build(name).eval()(torch.zeros(1, 3, 1, 1, 1)).shape == (1, 24, 1, 1, 1)


def test_a_branch_of_user_code_is_built_by_its_name() -> None:
    @BRICKS.register("PointwiseBranch")
    class PointwiseBranch(ResidualBranch):
        """One pointwise convolution."""

        def construct_simple_block(self) -> None:
            self.add_conv("a", self.dim_in, self.num_filters, stride=self.stride, bn_params=self.bn_params)

    model = build("ResNet3D", branch_name="PointwiseBranch").eval()
    assert model(clips()).shape == (2, 24, 1, 1, 1)
    assert any(isinstance(module, PointwiseBranch) for module in model.modules())


def test_what_configurations_state_of_the_visualisation_is_accepted_where_it_is_off() -> None:
    off = {"visualize": False, "visualize_output_dir": ""}
    built = build("ResNet3D", visual_cfg=None, branch_cfg=off)
    assert built.state_dict().keys() == build("ResNet3D").state_dict().keys()
    with pytest.raises(SchemaError, match="ResNet3D takes visual_cfg no more, other than as None"):
        build("ResNet3D", visual_cfg={"visualize": True})
    with pytest.raises(SchemaError, match="R2D3DBranch takes visualize no more, other than as False"):
        build("ResNet3D", branch_cfg={"visualize": True})
    assert BRICKS.build({"type": "NonLocal", "dim_in": 4, "num_filters": 4, **off})
    assert BRICKS.build({"type": "BaseTransformerLayer", "dim": 12, **off})


def test_non_local_stages_may_be_written_as_numbers() -> None:
    built = build("ResNet3D", non_local=[0, 0, 1, 0, 0])
    assert (
        built.state_dict().keys() == build("ResNet3D", non_local=[False, False, True, False, False]).state_dict().keys()
    )
    with pytest.raises(SchemaError, match="non_local"):
        build("ResNet3D", non_local=[0, 0, 2, 0, 0])

"""MViT gives pytorchvideo's and torchvision's numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from essmc_core import MODELS
from essmc_core.models.recipes import read_recipe
from essmc_core.weights import load_pretrained
from essmc_core.weights.state_dict import map_keys
from essmc_video.key_maps import pytorchvideo_mvit, torchvision_mvit
from tests.parity.beyond import BeyondCase, KeyMap, Parity, Port, Ported, load_port, scores
from tests.parity.fill import fill_model, make_input, probe
from tests.parity.golden import described_state

MVIT_B: dict[str, Any] = {
    "embed_dim_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
    "atten_head_mul": [[1, 2.0], [3, 2.0], [14, 2.0]],
    "pool_q_stride_size": [[1, 1, 2, 2], [3, 1, 2, 2], [14, 1, 2, 2]],
    "pool_kv_stride_adaptive": [1, 8, 8],
    "pool_kvq_kernel": [3, 3, 3],
}
# A constant added to all keys moves all of a query's logits alike: this gradient is zero but for rounding.
KEY_BIAS = "attn.norm_k.bias"


def classifier(num_classes: int = 400, images: bool = False, **backbone: Any) -> nn.Module:
    """Returns a classifier without dropout, since cases have no random numbers."""
    model: nn.Module = MODELS.build(
        {
            "type": "Classifier" if images else "VideoClassifier",
            "backbone": {"type": "MViT", "use_2d_patch": images, **backbone},
            "head": {
                "type": "ClassifierHead" if images else "VideoClassifierHead",
                "num_classes": num_classes,
                "dropout_rate": 0.0,
            },
        }
    )
    return model


def port(name: str, **preset: Any) -> Port:
    """Returns the port of a case, whose arguments are ours but for the head's."""
    arguments = {**preset, **BeyondCase(name)["cfg"]["args"]}
    arguments.pop("head_dropout_rate", None)
    num_classes = arguments.pop("head_num_classes", 400)
    return Port(
        lambda: classifier(num_classes, **arguments),
        pytorchvideo_mvit.TO_OURS,
        pytorchvideo_mvit.TO_THEIRS,
        outputs=scores,
    )


PORTS = {
    "ptv_mvit_b_i64_f8": port("ptv_mvit_b_i64_f8", **MVIT_B),
    "ptv_mvit_small_d4": port("ptv_mvit_small_d4"),
    "ptv_mvit_v2like_d4": port("ptv_mvit_v2like_d4"),
}


class TestMViT(Parity):
    """Every case of the family, both ways through the key maps."""

    ports = PORTS

    # No case of the family has an activation behind its scores.
    test_scores_before_the_activation = None

    @pytest.fixture(scope="class")
    @classmethod
    def ported(cls, request: pytest.FixtureRequest) -> Ported:
        """One of the ports, without the gradients that are rounding and nothing else."""
        loaded = load_port(request.param, cls.ports[request.param])
        norms: dict[str, float] = loaded.case["grad_eval"]["params_l2"]
        for key in [key for key in norms if key.endswith(KEY_BIAS)]:
            assert norms.pop(key) < 1e-7
        return loaded


@pytest.mark.parametrize("layout", ["short", "long", "both"])
def test_zoo_entry_takes_a_checkpoint_of_theirs_under_any_of_its_names(layout: str, tmp_path: Path) -> None:
    recipe = read_recipe("mvit_b_16x4_k400", {"model.backbone.spatial_size": 64, "model.backbone.temporal_size": 8})
    stated = tuple(tuple(pair) for pair in recipe.section("weights")["key_map"])
    assert stated == pytorchvideo_mvit.TO_OURS
    short = BeyondCase("ptv_mvit_b_i64_f8").state_dict()
    long = map_keys(short, pytorchvideo_mvit.SHORT_TO_LONG)
    assert long.keys() != short.keys()
    theirs = {"short": short, "long": long, "both": {**long, **short}}[layout]
    assert pytorchvideo_mvit.once(theirs).keys() == short.keys()
    path = tmp_path / "theirs.pyth"
    torch.save({"model_state": theirs if layout != "long" else pytorchvideo_mvit.once(theirs), "epoch": 1}, path)
    model = MODELS.build(recipe.model)
    report = load_pretrained(model, path, key_map=stated)
    assert report.coverage == 1.0
    ours = model.state_dict()
    assert all(torch.equal(ours[key], value) for key, value in map_keys(short, stated).items())


def test_entry_for_images_states_the_key_map() -> None:
    stated = tuple(tuple(pair) for pair in read_recipe("mvit_b_16_in1k").section("weights")["key_map"])
    assert stated == pytorchvideo_mvit.IMAGES_TO_OURS


HALVING: dict[str, Any] = {
    "depth": 3,
    "patch_embed_dim": 16,
    "embed_dim_mul": [[1, 2.0], [2, 1.5]],
    "atten_head_mul": [[1, 2.0]],
    "pool_q_stride_size": [[1, 1, 2, 2]],
    "pool_kv_stride_adaptive": [1, 4, 4],
}
CLIP = {"spatial_size": (32, 48), "temporal_size": 4}
IMAGE_PATCH = {
    "use_2d_patch": True,
    "conv_patch_embed_kernel": [7, 7],
    "conv_patch_embed_stride": [4, 4],
    "conv_patch_embed_padding": [3, 3],
}
VARIANTS = {
    "pair_of_sizes": {**CLIP, **HALVING, "pool_kvq_kernel": [3, 3, 3]},
    "kernels_from_strides": {**CLIP, **HALVING},
    "mean_over_tokens": {**CLIP, **HALVING, "cls_embed_on": False},
    "mean_one_table": {**CLIP, **HALVING, "cls_embed_on": False, "sep_pos_embed": False},
    "one_table": {**CLIP, **HALVING, "sep_pos_embed": False, "pool_kvq_kernel": [1, 3, 3]},
    "pool_first": {**CLIP, **HALVING, "pool_first": True, "pool_kvq_kernel": [3, 3, 3]},
    "pool_first_no_class": {**CLIP, **HALVING, "pool_first": True, "cls_embed_on": False},
    "average": {**CLIP, "temporal_size": 8, **HALVING, "pooling_mode": "avg", "pool_kvq_kernel": [3, 3, 3]},
    "maximum": {**CLIP, **HALVING, "pooling_mode": "max"},
    "maximum_no_class": {**CLIP, **HALVING, "pooling_mode": "max", "cls_embed_on": False},
    "strides_per_block": {
        **CLIP,
        "depth": 3,
        "patch_embed_dim": 24,
        "num_heads": 3,
        "embed_dim_mul": [[2, 2.0]],
        "pool_q_stride_size": [[0, 2, 1, 1], [2, 1, 2, 2]],
        "pool_kv_stride_size": [[0, 1, 2, 2], [1, 1, 1, 1]],
    },
    "stride_three": {**CLIP, **HALVING, "pool_q_stride_size": [[1, 1, 3, 3]], "pool_kv_stride_adaptive": [2, 9, 9]},
    "plain": {**CLIP, "depth": 2, "patch_embed_dim": 16, "num_heads": 4, "mlp_ratio": 2.5, "qkv_bias": False},
    "one_frame": {
        "spatial_size": 32,
        "temporal_size": 1,
        **HALVING,
        "conv_patch_embed_kernel": (1, 7, 7),
        "conv_patch_embed_stride": (1, 4, 4),
        "conv_patch_embed_padding": (0, 3, 3),
    },
    "images": {"spatial_size": 32, "temporal_size": 1, **HALVING, **IMAGE_PATCH, "pool_kvq_kernel": [1, 3, 3]},
    "images_mean": {"spatial_size": (64, 32), "temporal_size": 1, **HALVING, **IMAGE_PATCH, "cls_embed_on": False},
    "image_b": {
        "spatial_size": 64,
        "temporal_size": 1,
        **MVIT_B,
        **IMAGE_PATCH,
        "pool_kv_stride_adaptive": [1, 4, 4],
        "pool_kvq_kernel": [1, 3, 3],
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_equal_the_original_where_it_is_installed(name: str) -> None:
    module = pytest.importorskip("pytorchvideo.models.vision_transformers", exc_type=ImportError)
    arguments: Mapping[str, Any] = VARIANTS[name]
    images = arguments.get("use_2d_patch", False)
    theirs = module.create_multiscale_vision_transformers(**arguments, head_num_classes=10, head_dropout_rate=0.0)
    # Its release 0.1.5 has torch's default in the norms of pools, where later versions have that of all other norms.
    for part in theirs.modules():
        if isinstance(part, nn.LayerNorm):
            part.eps = 1e-6
    fill_model(theirs)
    ours = classifier(**{**arguments, "num_classes": 10, "images": images, "use_2d_patch": images})
    maps = (pytorchvideo_mvit.IMAGES_TO_OURS, pytorchvideo_mvit.IMAGES_TO_THEIRS)
    if not images:
        maps = (pytorchvideo_mvit.TO_OURS, pytorchvideo_mvit.TO_THEIRS)
    size = arguments["spatial_size"]
    sizes = (size, size) if isinstance(size, int) else size
    inputs = make_input((2, 3, *sizes) if images else (2, 3, arguments["temporal_size"], *sizes), 0)
    assert_same(theirs, ours, *maps, inputs)


def assert_same(theirs: nn.Module, ours: nn.Module, to_ours: KeyMap, to_theirs: KeyMap, inputs: Tensor) -> None:
    """Loads their weights into ours and compares keys both ways, outputs and all gradients."""
    state = pytorchvideo_mvit.once(theirs.state_dict())
    ours.load_state_dict(map_keys(state, to_ours))
    assert map_keys(described_state(ours), to_theirs).keys() == state.keys()
    expected, gradients = outputs_and_gradients(theirs.eval(), lambda: theirs(inputs))
    found, our_gradients = outputs_and_gradients(ours.eval(), lambda: ours.raw_scores(inputs))  # type: ignore[operator]
    assert_equal(found, expected)
    total = torch.stack([one.norm() for one in gradients.values()]).norm()
    for key, gradient in map_keys(pytorchvideo_mvit.once(gradients), to_ours).items():
        assert (our_gradients[key] - gradient).norm() < 1e-4 * gradient.norm() + 1e-7 * total, key


def outputs_and_gradients(model: nn.Module, run: Callable[[], Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the output and the gradients of its first probe, by the names of parameters."""
    model.zero_grad()
    outputs = run()
    probe(outputs).backward()
    gradients = {name: one.grad for name, one in model.named_parameters()}
    assert all(gradient is not None for gradient in gradients.values())
    return outputs.detach(), {name: one for name, one in gradients.items() if one is not None}


def assert_equal(found: Tensor, expected: Tensor) -> None:
    """Compares outputs, whose spread must be far above rounding."""
    assert expected.std() > 1e-2
    assert (found - expected).abs().max() < 1e-5 * expected.std()


def torchvision_mvit_b(spatial_size: int, temporal_size: int) -> nn.Module:
    """Returns torchvision's network of the depths, widths and strides of its mvit_v1_b, for clips of another size."""
    mvit = pytest.importorskip("torchvision.models.video.mvit")
    widths = [96, 192, 192, *[384] * 11, 768, 768]
    queries = [[1, 2, 2] if index in (1, 3, 14) else [] for index in range(16)]
    keys = [8, 4, 4, *[2] * 11, 1, 1]
    blocks = [
        mvit.MSBlockConfig(
            num_heads=width // 96,
            input_channels=width,
            output_channels=following,
            kernel_q=[3, 3, 3] if query else [],
            kernel_kv=[3, 3, 3],
            stride_q=query,
            stride_kv=[1, key, key],
        )
        for width, following, query, key in zip(widths, [*widths[1:], 768], queries, keys, strict=True)
    ]
    network: nn.Module = mvit.MViT(
        spatial_size=(spatial_size, spatial_size),
        temporal_size=temporal_size,
        block_setting=blocks,
        residual_pool=False,
        residual_with_cls_embed=False,
        rel_pos_embed=False,
        proj_after_attn=False,
        dropout=0.0,
    )
    return network


@pytest.mark.parametrize("separate_qkv", [True, False])
def test_torchvisions_weights_give_torchvisions_outputs_and_gradients(separate_qkv: bool) -> None:
    theirs = torchvision_mvit_b(64, 8).double()
    fill_model(theirs)
    ours = classifier(spatial_size=64, temporal_size=8, separate_qkv=separate_qkv, **MVIT_B).double()
    ours.load_state_dict(torchvision_mvit.from_torchvision(theirs.state_dict(), separate_qkv))
    inputs = make_input((2, 3, 8, 64, 64), 0).double()
    expected, gradients = outputs_and_gradients(theirs.eval(), lambda: theirs(inputs))
    found, our_gradients = outputs_and_gradients(ours.eval(), lambda: ours.raw_scores(inputs))  # type: ignore[operator]
    assert_equal(found, expected)
    total = torch.stack([one.norm() for one in gradients.values()]).norm()
    for key, gradient in torchvision_mvit.from_torchvision(gradients, separate_qkv).items():
        assert (our_gradients[key] - gradient).norm() < 1e-9 * total, key
    back = torchvision_mvit.to_torchvision(ours.state_dict())
    assert back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[key], value) for key, value in theirs.state_dict().items())


def test_weights_of_torchvisions_mvit_v1_b_fit_the_zoo_entry() -> None:
    video = pytest.importorskip("torchvision.models.video")
    with torch.device("meta"):
        theirs, ours = video.mvit_v1_b(), MODELS.build(read_recipe("mvit_b_16x4_k400").model)
    assert described_state(theirs) == described_state(_with_state(torchvision_mvit.to_torchvision(ours.state_dict())))
    fitted = torchvision_mvit.from_torchvision(theirs.state_dict())
    assert described_state(ours) == described_state(_with_state(fitted))


@pytest.mark.slow
def test_zoo_entry_equals_torchvisions_mvit_v1_b() -> None:
    theirs = pytest.importorskip("torchvision.models.video").mvit_v1_b().eval()
    fill_model(theirs)
    ours = MODELS.build(read_recipe("mvit_b_16x4_k400").model).eval()
    ours.load_state_dict(torchvision_mvit.from_torchvision(theirs.state_dict()))
    clip = make_input((1, 3, 16, 224, 224), 0)
    with torch.no_grad():
        assert_equal(ours.raw_scores(clip), theirs(clip))


class _with_state:
    """Something with a state dict, for `described_state`."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        self._state = state

    def state_dict(self) -> Mapping[str, Tensor]:
        """Returns it."""
        return self._state

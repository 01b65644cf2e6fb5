"""Networks of any arguments compute what EssentialMC2 itself computes, where it is installed."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from essmc_core import BACKBONES
from essmc_core.errors import ConfigError
from tests.parity.peer_pairs import essmc2_backbones

STAGES = 5
BRANCHES = {"R2D3DBranch": 1, "R2Plus1DBranch": 1, "CSNBranch": 50, "TAdaConvBlockAvgPool": 50}
"""Least depth that each has."""
EVERY = settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


@pytest.fixture(scope="module")
def originals() -> Any:
    try:
        return essmc2_backbones()
    except ImportError as error:
        pytest.skip(f"EssentialMC2 is not installed: {error}")


@st.composite
def residual_networks(draw: st.DrawFn) -> dict[str, Any]:
    """Draws a narrow ResNet3D. Left out is what EssentialMC2 gets wrong.

    Its depth of 26 builds another network, its stages of one block misplace non-local blocks, and these change the
    eps of the other batch norms.
    """
    depth = draw(st.sampled_from((10, 16, 18, 34, 50)))
    branch = draw(st.sampled_from([name for name, least in BRANCHES.items() if depth >= least]))
    expansion = draw(st.sampled_from((1, 2, 4)))
    widths = [4 * expansion * draw(st.integers(1, 3)) for _ in range(STAGES)]
    kernels = st.tuples(st.sampled_from((1, 3)), st.sampled_from((1, 3))).map(lambda kernel: (*kernel, kernel[1]))
    halved = draw(st.lists(st.booleans(), min_size=STAGES, max_size=STAGES))
    shortened = [half and branch != "TAdaConvBlockAvgPool" and draw(st.booleans()) for half in halved]
    attending = [False, *(depth > 16 and draw(st.booleans()) for _ in range(STAGES - 1))]
    config = {
        "type": "ResNet3D",
        "depth": depth,
        "num_filters": tuple(widths),
        "kernel_size": tuple(draw(kernels) for _ in range(STAGES)),
        "downsampling": tuple(halved),
        "downsampling_temporal": tuple(shortened),
        "expansion_ratio": expansion,
        "stem_name": draw(st.sampled_from(("Base2DStem", "Base3DStem", "DownSampleStem", "R2Plus1DStem"))),
        "branch_name": branch,
        "non_local": tuple(attending),
        "non_local_cfg": {},
        "bn_params": {"eps": 1e-5 if any(attending) else 1e-3, "momentum": 0.1},
        "num_input_channels": draw(st.integers(1, 4)),
    }
    if branch == "TAdaConvBlockAvgPool":
        times = st.sampled_from((1, 3, 5))
        windows = st.sampled_from(((3, 1, 1), (5, 1, 1), (1, 3, 3), (3, 3, 3)))
        route = {"route_func_r": draw(st.sampled_from((1, 2, 4))), "route_func_k": (draw(times), draw(times))}
        config["branch_cfg"] = {**route, "pool_k": draw(windows)}
    return config


@st.composite
def transformers(draw: st.DrawFn) -> dict[str, Any]:
    """Draws a narrow Transformer or FactorizedTransformer without the random parts."""
    kind = draw(st.sampled_from(("Transformer", "FactorizedTransformer")))
    heads, patch = draw(st.sampled_from((1, 2, 4))), draw(st.sampled_from((4, 8)))
    branch = {"num_heads": heads, "attn_dropout": 0.0, "ff_dropout": 0.0, "mlp_mult": draw(st.integers(2, 4))}
    config = {
        "type": kind,
        "num_frames": draw(st.sampled_from((2, 4, 8))),
        "image_size": patch * draw(st.integers(2, 4)),
        "num_features": 8 * heads,
        "patch_size": patch,
        "depth": draw(st.integers(1, 3)),
        "drop_path": 0.0,
        "tubelet_size": draw(st.integers(1, 2)),
        "branch_cfg": branch,
        "num_input_channels": draw(st.integers(1, 4)),
    }
    return {**config, "depth_temp": draw(st.integers(1, 2))} if kind == "FactorizedTransformer" else config


@st.composite
def clips(draw: st.DrawFn, config: dict[str, Any]) -> Tensor:
    """Draws the size of a clip that a network of this configuration takes."""
    frames, height, width = (draw(st.integers(4, 8)), *(draw(st.integers(16, 40)) for _ in range(2)))
    if "image_size" in config:
        frames, height, width = config["num_frames"], config["image_size"], config["image_size"]
    batch = draw(st.integers(2, 3))
    return torch.randn(batch, config["num_input_channels"], frames, height, width, dtype=torch.float64)


def both(config: dict[str, Any], originals: Any) -> tuple[nn.Module, nn.Module]:
    """Returns ours and theirs in float64, with equal weights none of which is zero."""
    try:
        ours = BACKBONES.build(config)
    except ConfigError as error:
        # EssentialMC2 builds it, and fails when it runs.
        assume("channels to 0" not in str(error))
        raise
    theirs = originals.build(copy.deepcopy(config))
    for parameter in theirs.parameters():
        parameter.data.add_(torch.randn_like(parameter), alpha=0.1)
    ours.load_state_dict(theirs.state_dict())
    return ours.double(), theirs.double()


def results(model: nn.Module, clip: Tensor) -> dict[str, Tensor]:
    """Returns the features of evaluation and training, gradients, and statistics after the step."""
    found = {"eval": model.eval()(clip).detach(), "train": model.train()(clip)}
    (found["train"] * torch.linspace(-1, 1, found["train"].numel()).view_as(found["train"])).sum().backward()
    found["train"] = found["train"].detach()
    found.update({f"gradient of {name}": p.grad for name, p in model.named_parameters() if p.grad is not None})
    found.update({f"buffer {name}": buffer.double() for name, buffer in model.named_buffers()})
    return found


def assert_same(ours: nn.Module, theirs: nn.Module, clip: Tensor) -> None:
    try:
        expected = results(theirs, clip)
    except (RuntimeError, ValueError) as error:
        # Their pools refuse maps smaller than the window, and batch norms a single position.
        assume("kernel size" not in str(error) and "more than 1 value" not in str(error))
        raise
    found = results(ours, clip)
    assert found.keys() == expected.keys()
    # Behind a batch norm, the gradient of a bias is rounding of the others, and so is any gradient before one of few
    # positions, whose results are little but signs.
    largest = max(float(value.abs().max()) for name, value in expected.items() if name.startswith("gradient"))
    for name, value in expected.items():
        atol = 1e-5 * largest if name.startswith("gradient") else 1e-8 * float(value.abs().max())
        torch.testing.assert_close(
            found[name], value, rtol=1e-7, atol=atol, msg=lambda text, name=name: f"{name}: {text}"
        )


@EVERY
@given(st.data(), residual_networks())
def test_residual_networks_of_any_arguments(originals: Any, data: st.DataObject, config: dict[str, Any]) -> None:
    clip = data.draw(clips(config))
    assert_same(*both(config, originals), clip)


@EVERY
@given(st.data(), transformers())
def test_transformers_of_any_arguments(originals: Any, data: st.DataObject, config: dict[str, Any]) -> None:
    clip = data.draw(clips(config))
    assert_same(*both(config, originals), clip)

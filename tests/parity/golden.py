"""Golden cases: reading them, building what they describe, and comparing outputs with them."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from essmc_core import REGISTRIES
from tests.parity.fill import summarize

FOLDER = Path(__file__).parent
TYPE_KEYS = ("type", "stem_name", "branch_name")
Outputs = dict[str, Tensor]


def read_case(path: Path) -> dict[str, Any]:
    """Returns one case."""
    case: dict[str, Any] = json.loads(path.read_text())
    return case


def missing_component(cfg: Mapping[str, Any]) -> str | None:
    """Returns the first type in a configuration that no installed pack registers."""
    return next((name for name in _types(cfg) if not REGISTRIES.find_everywhere(name)), None)


def _types(cfg: Mapping[str, Any]) -> Iterator[str]:
    for key, value in cfg.items():
        if key in TYPE_KEYS:
            yield value
        elif isinstance(value, Mapping):
            yield from _types(value)


def as_outputs(returned: Tensor | Mapping[str, Tensor]) -> Outputs:
    """Returns a model's outputs by the names that cases use."""
    return {"out": returned} if isinstance(returned, Tensor) else dict(returned)


def described_state(model: nn.Module) -> dict[str, str]:
    """Returns key → dtype and shape, as cases write them."""
    return {
        key: f"{str(value.dtype).removeprefix('torch.')}[{','.join(map(str, value.shape))}]"
        for key, value in model.state_dict().items()
    }


def noise(model: nn.Module, video: Tensor) -> dict[str, float]:
    """Returns per output how far float32 is from float64, in standard deviations, leaving the model unchanged."""
    single, double = copy.deepcopy(model), copy.deepcopy(model).double()
    with torch.no_grad():
        ours, exact = as_outputs(single(video)), as_outputs(double(video.double()))
    return {key: ((ours[key] - exact[key]).abs().max() / exact[key].std()).item() for key in exact}


def assert_close(output: Tensor, golden: Mapping[str, Any], noise_over_std: float) -> None:
    """Compares an output with its golden summary.

    The tolerance is twenty times the case's own rounding noise, at least 1e-5 of the standard deviation.
    """
    ours = summarize(output)
    assert ours["shape"] == golden["shape"]
    tolerance = max(20 * noise_over_std, 1e-5) * golden["std"]
    for name in ("first16", "strided16", "mean", "std", "absmax", "probes4"):
        np.testing.assert_allclose(ours[name], golden[name], rtol=0, atol=tolerance, err_msg=name)
    np.testing.assert_allclose(ours["l2"], golden["l2"], rtol=0, atol=tolerance * np.sqrt(output.numel()), err_msg="l2")

"""Every network that EssentialMC2 0.1.4 has too gives its numbers: keys, outputs, statistics and gradients."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from essmc_core import REGISTRIES
from tests.parity.fill import RULE_VERSION, fill_array, fill_model, make_input, probe
from tests.parity.golden import (
    FOLDER,
    as_outputs,
    assert_close,
    described_state,
    missing_component,
    noise,
    read_case,
)

CASES = {path.stem: read_case(path) for path in sorted((FOLDER / "essmc2").glob("*.json"))}
GRADIENT_TOLERANCE = 1e-4

Built = tuple[dict[str, Any], nn.Module, Tensor]


@pytest.fixture(scope="module")
def built(request: pytest.FixtureRequest) -> Built:
    """A case, its filled network in eval mode, and its input."""
    case = CASES[request.param]
    if (name := missing_component(case["cfg"])) is not None:
        pytest.skip(f"type {name} is not registered by any pack yet")
    assert case["rule_version"] == RULE_VERSION
    model = REGISTRIES[case["registry"]].build(case["cfg"])
    fill_model(model, case.get("fill_gain"))
    return case, model.eval(), make_input(case["input_shape"], case["input_seed"])


def having(field: str) -> pytest.MarkDecorator:
    """Runs a test on the cases that have a field."""
    return pytest.mark.parametrize("built", [name for name, case in CASES.items() if case.get(field)], indirect=True)


@having("outputs")
def test_fill_rule_gives_the_first_values_of_the_case(built: Built) -> None:
    case, model, _ = built
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    for key, expected in case["fill_check"].items():
        filled = fill_array(key, shapes[key], case.get("fill_gain"))
        np.testing.assert_allclose(filled.ravel()[: len(expected["first4"])], expected["first4"], rtol=1e-6)
        np.testing.assert_allclose(np.linalg.norm(filled.astype(np.float64)), expected["l2"], rtol=1e-6)


@having("outputs")
def test_state_dict_has_the_keys_shapes_and_parameter_count(built: Built) -> None:
    case, model, _ = built
    assert described_state(model) == case["state_dict"]
    assert sum(parameter.numel() for parameter in model.parameters()) == case["param_count"]


@having("outputs")
def test_eval_output(built: Built) -> None:
    case, model, inputs = built
    with torch.no_grad():
        outputs = as_outputs(model(inputs))
    assert outputs.keys() == case["outputs"].keys()
    for key, output in outputs.items():
        assert_close(output, case["outputs"][key], case["fp32_vs_fp64"][key]["max_abs_over_std"])


@having("pre_activation")
def test_scores_before_the_activation(built: Built) -> None:
    case, model, inputs = built
    returned: list[Any] = []
    handle = model.get_submodule("head").register_forward_hook(lambda _, __, scores: returned.append(scores))
    with torch.no_grad(), handle:
        model(inputs)
    outputs = returned if isinstance(returned[0], Tensor) else returned[0]
    # The case gives the noise after the activation, in the same order.
    noises = case["fp32_vs_fp64"].values()
    for output, golden, measured in zip(outputs, case["pre_activation"].values(), noises, strict=True):
        assert_close(output, golden, measured["max_abs_over_std"])


@having("grad_eval")
def test_gradients_of_the_first_probe(built: Built) -> None:
    case, model, inputs = built
    golden = case["grad_eval"]
    # In float64, so that the rounding of this machine's kernels does not add to that of the case.
    model, inputs = copy.deepcopy(model).double(), inputs.double().requires_grad_()
    parameters = dict(model.named_parameters())
    input_gradient, *found = torch.autograd.grad(
        probe(model(inputs)), [inputs, *parameters.values()], allow_unused=True
    )
    gradients = dict(zip(parameters, found, strict=True))
    assert [key for key, gradient in gradients.items() if gradient is None] == golden["no_grad_params"]
    norms = {key: gradient.double().norm().item() for key, gradient in gradients.items() if gradient is not None}
    np.testing.assert_allclose(input_gradient.double().norm().item(), golden["input_l2"], rtol=GRADIENT_TOLERANCE)
    np.testing.assert_allclose(np.linalg.norm(list(norms.values())), golden["params_total_l2"], rtol=GRADIENT_TOLERANCE)
    for key, expected in golden["params_l2"].items():
        np.testing.assert_allclose(norms[key], expected, rtol=GRADIENT_TOLERANCE, err_msg=key)


@having("train_forward")
def test_train_mode_output_and_statistics(built: Built) -> None:
    case, model, inputs = built
    golden, model = case["train_forward"], copy.deepcopy(model).train()
    # The case does not give the noise of its train mode, which batch statistics amplify.
    noise_over_std = noise(model, inputs)
    with torch.no_grad():
        outputs = as_outputs(model(inputs))
    for key, output in outputs.items():
        assert_close(output, golden[key], noise_over_std[key])
    buffers = dict(model.named_buffers())
    for key, expected in golden["buffers_l2_after"].items():
        np.testing.assert_allclose(buffers[key].double().norm().item(), expected, rtol=1e-4, err_msg=key)

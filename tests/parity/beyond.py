"""Golden cases of other projects' networks: filling ours by their keys and comparing all numbers both ways."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from essmc_core.weights.source import KeyMap
from essmc_core.weights.state_dict import map_keys
from tests.parity.fill import RULE_VERSION, fill_array, make_input, probe
from tests.parity.golden import FOLDER, Outputs, as_outputs, assert_close, described_state, read_case

# In float32 some ReLU of a whole network opens or closes by rounding alone: 1.6e-4 between one thread and several was
# seen. Cases that state the gradients in float64 are compared in it.
GRADIENT_TOLERANCE = 3e-4
GRADIENT_TOLERANCE_FLOAT64 = 1e-9


def call(model: nn.Module, inputs: Tensor) -> Outputs:
    """Returns what a plain network returns, by the names that cases use."""
    return as_outputs(model(inputs))


def scores(model: nn.Module, inputs: Tensor) -> Outputs:
    """Returns a classifier's scores before its activation, in train mode as well."""
    return {"out": model.raw_scores(inputs)}  # type: ignore[operator]


@dataclass(frozen=True)
class Port:
    """How one of our networks takes the place of another project's.

    Attributes:
        build: makes our network.
        to_ours: (regular expression, replacement) pairs from their keys to ours.
        to_theirs: the pairs back.
        outputs: runs our network and names its outputs as the case does. An ``input_prep`` is the network's own work:
            it gets the whole clip.
        pre_activation: likewise for the ``pre_activation`` of a case; without, it is not compared.
    """

    build: Callable[[], nn.Module]
    to_ours: KeyMap = ()
    to_theirs: KeyMap = ()
    outputs: Callable[[nn.Module, Tensor], Outputs] = call
    pre_activation: Callable[[nn.Module, Tensor], Outputs] | None = None


class BeyondCase:
    """A case in tests/parity/beyond, whose ``aliases``, ``fill_gain`` and ``not_filled`` are resolved."""

    def __init__(self, name: str) -> None:
        self.fields = read_case(FOLDER / "beyond" / f"{name}.json")
        assert self.fields["rule_version"] == RULE_VERSION
        self.aliases: Mapping[str, str] = self.fields.get("aliases") or {}
        # What one tensor is called twice is kept once, under the name that seeds its values.
        self.described = {key: text for key, text in self.fields["state_dict"].items() if key not in self.aliases}

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]

    def has(self, field: str) -> bool:
        """Says whether the case has a field with content."""
        return bool(self.fields.get(field))

    def holder(self, key: str) -> str:
        """Returns the name that a tensor is kept under."""
        return self.aliases.get(key, key)

    def shape(self, key: str) -> tuple[int, ...]:
        """Returns the shape of a tensor, from text like ``float32[64,3,7,7]``."""
        sizes = self.described[self.holder(key)].partition("[")[2].rstrip("]")
        return tuple(int(size) for size in sizes.split(",") if size)

    def filled(self, key: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Returns the values of a tensor."""
        return fill_array(self.holder(key), self.shape(key), self.fields.get("fill_gain"))

    def state_dict(self) -> dict[str, Tensor]:
        """Returns every tensor that the rule fills, by their keys."""
        kept = set(self.fields.get("not_filled") or ())
        keys = [key for key in self.described if key not in kept and not key.endswith("num_batches_tracked")]
        return {key: torch.from_numpy(self.filled(key)) for key in keys}

    def inputs(self) -> Tensor:
        """Returns the input."""
        return make_input(self["input_shape"], self["input_seed"])

    def noise(self, output: str) -> float:
        """Returns how far float32 is from float64 in eval mode, in standard deviations."""
        return float(self["fp32_vs_fp64"][output]["max_abs_over_std"])

    def train_noise(self, output: str) -> float:
        """Returns the same for train mode."""
        noise = self["train_forward"]["fp32_vs_fp64_over_std"]
        return float(noise[output] if isinstance(noise, Mapping) else noise)


@dataclass(frozen=True)
class Ported:
    """A case and our network with its weights, in eval mode."""

    case: BeyondCase
    port: Port
    model: nn.Module

    def our_key(self, key: str) -> str:
        """Returns our name of one of their tensors."""
        return next(iter(map_keys({self.case.holder(key): None}, self.port.to_ours)))


def load_port(name: str, port: Port) -> Ported:
    """Returns a case's network, built and filled."""
    case, model = BeyondCase(name), port.build()
    result = model.load_state_dict(map_keys(case.state_dict(), port.to_ours), strict=False)
    kept = set(map_keys(dict.fromkeys(case["not_filled"] or ()), port.to_ours)) if case.has("not_filled") else set()
    assert not result.unexpected_keys
    assert {key for key in result.missing_keys if not key.endswith("num_batches_tracked")} <= kept
    return Ported(case, port, model.eval())


class Parity:
    """Tests of every port in ``ports``; subclass it as ``TestSomething`` and set ``ports`` by the cases' names."""

    ports: ClassVar[Mapping[str, Port]] = {}
    needs: ClassVar[Mapping[str, str]] = {
        "test_scores_before_the_activation": "pre_activation",
        "test_gradients_of_the_first_probe": "grad_eval",
        "test_train_mode_output_and_statistics": "train_forward",
    }

    @classmethod
    def pytest_generate_tests(cls, metafunc: pytest.Metafunc) -> None:
        """Runs each test on the cases that have what it needs."""
        if "ported" in metafunc.fixturenames:
            field = cls.needs.get(metafunc.function.__name__, "outputs")
            names = [name for name in cls.ports if BeyondCase(name).has(field)]
            metafunc.parametrize("ported", names, indirect=True)

    @pytest.fixture(scope="class")
    @classmethod
    def ported(cls, request: pytest.FixtureRequest) -> Ported:
        """One of the ports, built once for all of its tests."""
        return load_port(request.param, cls.ports[request.param])

    def test_fill_rule_gives_the_first_values_of_the_case(self, ported: Ported) -> None:
        case = ported.case
        for key, expected in case["fill_check"].items():
            filled = case.filled(key)
            np.testing.assert_allclose(filled.ravel()[: len(expected["first4"])], expected["first4"], rtol=1e-6)
            np.testing.assert_allclose(np.linalg.norm(filled.astype(np.float64)), expected["l2"], rtol=1e-6)

    def test_key_map_gives_our_keys_shapes_and_parameter_count(self, ported: Ported) -> None:
        assert described_state(ported.model) == map_keys(ported.case.described, ported.port.to_ours)
        assert sum(parameter.numel() for parameter in ported.model.parameters()) == ported.case["param_count"]

    def test_key_map_back_gives_their_keys(self, ported: Ported) -> None:
        assert map_keys(described_state(ported.model), ported.port.to_theirs) == ported.case.described

    def test_eval_output(self, ported: Ported) -> None:
        case = ported.case
        inputs = case.inputs()
        before = inputs.clone()
        with torch.no_grad():
            outputs = ported.port.outputs(ported.model, inputs)
        assert torch.equal(inputs, before)
        assert outputs.keys() == case["outputs"].keys()
        for name, output in outputs.items():
            assert_close(output, case["outputs"][name], case.noise(name))

    def test_scores_before_the_activation(self, ported: Ported) -> None:
        if ported.port.pre_activation is None:
            pytest.skip("this port returns no scores before an activation")
        with torch.no_grad():
            outputs = ported.port.pre_activation(ported.model, ported.case.inputs())
        noise = max(ported.case.noise(name) for name in ported.case["outputs"])
        assert outputs.keys() == ported.case["pre_activation"].keys()
        for name, output in outputs.items():
            golden = ported.case["pre_activation"][name]
            assert_close(output.reshape(golden["shape"]), golden, noise)

    def test_gradients_of_the_first_probe(self, ported: Ported) -> None:
        case, model, golden, tolerance = ported.case, ported.model, ported.case["grad_eval"], GRADIENT_TOLERANCE
        inputs = case.inputs()
        if case.has("grad_eval_float64"):
            model, inputs = copy.deepcopy(model).double(), inputs.double()
            golden, tolerance = {**golden, **case["grad_eval_float64"]}, GRADIENT_TOLERANCE_FLOAT64
        inputs.requires_grad_()
        parameters = dict(model.named_parameters())
        # Where a case has several outputs, their probes are added.
        loss = sum((probe(one) for one in ported.port.outputs(model, inputs).values()), torch.zeros(()))
        input_gradient, *found = torch.autograd.grad(loss, [inputs, *parameters.values()], allow_unused=True)
        gradients = dict(zip(parameters, found, strict=True))
        unused = {ported.our_key(key) for key in golden["no_grad_params"]}
        assert {key for key, gradient in gradients.items() if gradient is None} == unused
        norms = {key: one.double().norm().item() for key, one in gradients.items() if one is not None}
        np.testing.assert_allclose(input_gradient.double().norm().item(), golden["input_l2"], rtol=tolerance)
        total = np.linalg.norm(list(norms.values()))
        np.testing.assert_allclose(total, golden["params_total_l2"], rtol=tolerance)
        for key, expected in golden["params_l2"].items():
            np.testing.assert_allclose(norms[ported.our_key(key)], expected, rtol=tolerance, err_msg=key)

    def test_train_mode_output_and_statistics(self, ported: Ported) -> None:
        case, golden = ported.case, ported.case["train_forward"]
        model = copy.deepcopy(ported.model).train()
        with torch.no_grad():
            outputs = ported.port.outputs(model, case.inputs())
        for name, output in outputs.items():
            assert_close(output, golden[name], case.train_noise(name))
        buffers = dict(model.named_buffers())
        for key, expected in golden["buffers_l2_after"].items():
            norm = buffers[ported.our_key(key)].double().norm().item()
            np.testing.assert_allclose(norm, expected, rtol=1e-4, err_msg=key)

"""Compares what an engine returns with what the model returns in float64."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Outputs = dict[str, Tensor]

LEAST_AGREEMENT = 0.99
"""Least share of inputs whose most probable class lower precision may leave as it is."""

TOLERANCE = 1e-4
"""Largest difference of outputs in float32."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How far outputs are from expected ones; see `essmc_core.models.engines.report.Trial`."""

    difference: float
    agreement: float

    def complaint(self, precision: str, tolerance: float | None) -> str:
        """Returns why the outputs are not to be used, empty if they are.

        Args:
            precision: what they were computed in.
            tolerance: largest difference; None is `TOLERANCE` for float32, and asks lower precision for the same most
                probable classes instead.
        """
        largest = TOLERANCE if tolerance is None and precision == "fp32" else tolerance
        # Not `difference > largest`: that would let NaN pass.
        if largest is not None and not self.difference <= largest:
            return f"outputs differ by {self.difference:.2g}, more than {largest:.2g}"
        if precision != "fp32" and tolerance is None and not self.agreement >= LEAST_AGREEMENT:
            return f"{self.agreement:.1%} of the inputs have the same class, less than {LEAST_AGREEMENT:.0%}"
        return ""


def probes(example: Tensor) -> Tensor:
    """Returns inputs to compare on: the example, and the same shifted by a pixel, which no engine was prepared with."""
    return torch.cat([example, example.roll(1, dims=-1)])


def expected_outputs(model: nn.Module, inputs: Tensor) -> Outputs:
    """Returns what a model returns in float64; float32 where it cannot compute in that."""
    with torch.no_grad():
        try:
            return named(copy.deepcopy(model).double()(inputs.double()))
        # An accelerator without float64, or a layer that casts.
        except (RuntimeError, TypeError):
            return {key: value.double() for key, value in named(model(inputs)).items()}


def compare(found: Outputs, expected: Outputs) -> Comparison:
    """Returns how far outputs are from expected ones."""
    if {key: value.shape for key, value in found.items()} != {key: value.shape for key, value in expected.items()}:
        return Comparison(float("inf"), 0.0)
    differences, same = [0.0], [torch.ones(1)]
    for key, value in expected.items():
        got = found[key].detach().to("cpu", torch.float64)
        wanted = value.detach().to("cpu", torch.float64)
        largest = float(wanted.abs().max()) if wanted.numel() else 0.0
        error = (got - wanted).abs().max() if wanted.numel() else torch.zeros(())
        differences.append(float(error) / max(1.0, largest))
        if wanted.dim() > 1 and wanted.numel():
            same.append((got.flatten(1).argmax(1) == wanted.flatten(1).argmax(1)).double())
    # `max` of Python would pass over NaN.
    difference = float(torch.tensor(differences).max())
    return Comparison(difference, float(torch.cat([part.double() for part in same[1:] or same]).mean()))


def named(outputs: object) -> Outputs:
    """Returns outputs by name, whatever a test mode returns."""
    if isinstance(outputs, Mapping):
        return {str(key): value for key, value in outputs.items() if isinstance(value, Tensor)}
    if isinstance(outputs, Tensor):
        return {"": outputs}
    assert isinstance(outputs, (list, tuple)), type(outputs)
    return {str(number): value for number, value in enumerate(outputs)}

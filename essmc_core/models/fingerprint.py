"""Computes the fingerprint of a network: numbers that change when any of its weights, or what it computes, does."""

from __future__ import annotations

import copy
import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from essmc_core.errors import ContractError, NonFiniteOutput
from essmc_core.zoo.fingerprint import RULES, Fingerprint, Precision

if TYPE_CHECKING:
    from essmc_core.inputs import InputSpec

# Numbers of each output.
_COUNT = 8
# Multiples of it, modulo 1, are spread evenly; the products are exact enough to be the same on every machine.
_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
# A prime, so that the rows of no common matrix begin at the same place of the period.
_PERIOD = 65_537
_DTYPES: Mapping[Precision, torch.dtype] = {"double": torch.float64, "single": torch.float32}


def fingerprint_of(
    model: nn.Module, spec: InputSpec, at: Sequence[int] | None = None, precision: Precision | None = None
) -> Fingerprint:
    """Computes a model's fingerprint on the CPU, in double precision; the model is not changed.

    Args:
        model: the model, with its weights.
        spec: what it takes.
        at: shape of the input without the batch; that of one view where it is not given.
        precision: what to compute in; None is ``double``, and ``single`` for a network that cannot.

    Raises:
        NonFiniteOutput: an output is NaN or infinite, so that there is nothing to compare.
        ContractError: the output is neither a tensor nor a mapping of tensors.
    """
    shape = tuple(at or spec.shape)
    picture = waves(spec, shape)
    chosen: Precision = precision or ("double" if _computes_in_double(model, picture) else "single")
    return Fingerprint(RULES[0], shape, weight_numbers(model), output_numbers(model, picture, chosen), chosen)


def _computes_in_double(model: nn.Module, picture: Tensor) -> bool:
    """Returns whether a network computes in double precision throughout.

    One that rounds to single precision somewhere answers to a change far below that by nothing, or by far more.
    """
    try:
        outputs = _outputs(model, picture, "double")
        changed = _outputs(model, picture * (1 + 1e-12), "double")
    except (RuntimeError, TypeError, NotImplementedError):
        # It makes tensors of single precision in its forward pass. An error of another kind comes again in that.
        return False
    return all(
        not torch.equal(output, changed[key]) and torch.allclose(output, changed[key], rtol=1e-8, atol=1e-8)
        for key, output in outputs.items()
    )


def waves(spec: InputSpec, shape: Sequence[int]) -> Tensor:
    """Returns the input of the rule ``waves`` (1, *shape) in double precision.

    A pixel of colour c = 0, 1, 2 in frame t = 0, 1 … at row y and column x, both from 0 up to 1, has the value::

        0.5 + 0.3 sin(2π (3x + 2y + 0.31c + 0.13t)) + 0.2 sin(2π (11x - 7y + 0.57c - 0.29t))

    within [0, 1], from which the mean of the model's input is taken and which is divided by its standard deviation.

    Args:
        spec: with order of dimensions, mean and standard deviation.
        shape: in that order, without the batch.
    """
    axes, sizes = spec.layout[1:], dict(zip(spec.layout[1:], shape, strict=True))

    def along(axis: str, values: Sequence[float] | Tensor) -> Tensor:
        # A network may take other channels than three colours.
        found = torch.as_tensor(values, dtype=torch.float64)
        found = found[torch.arange(sizes[axis]) % len(found)]
        return found.view([-1 if other == axis else 1 for other in axes])

    places = {
        axis: along(axis, torch.arange(size, dtype=torch.float64) / (size if axis in "HW" else 1))
        for axis, size in sizes.items()
    }
    time = places.get("T", torch.zeros([1] * len(axes), dtype=torch.float64))
    row, column, colour = places["H"], places["W"], places["C"]
    slow = torch.sin(2 * math.pi * (3 * column + 2 * row + 0.31 * colour + 0.13 * time))
    fast = torch.sin(2 * math.pi * (11 * column - 7 * row + 0.57 * colour - 0.29 * time))
    pixels = 0.5 + 0.3 * slow + 0.2 * fast
    return ((pixels - along("C", spec.mean)) / along("C", spec.std)).unsqueeze(0)


def weight_numbers(model: nn.Module) -> tuple[float, ...]:
    """Returns two numbers that depend on every value of a model's state dict, its place, and the name of its tensor.

    Each tensor gives one number, which does not depend on whether others are large: the sum of its values, weighted by
    their places and divided by their root mean square, and the logarithm of that. The names' digests weigh these, in
    two ways, so that tensors which change places change the sums. Tensors of integers, such as counters, are left out.
    """
    sums = [0.0, 0.0]
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and tensor.numel():
            number, digest = _number_of(tensor), hashlib.sha256(name.encode()).digest()
            for index in range(2):
                turn = int.from_bytes(digest[8 * index : 8 * index + 6], "big") / 2**48
                sums[index] += math.cos(2 * math.pi * turn) * number
    return tuple(round(value, 8) for value in sums)


def _number_of(tensor: Tensor) -> float:
    values = tensor.detach().cpu().to(torch.float64).reshape(-1)
    size = float(values.square().mean().sqrt())
    if size == 0.0 or not math.isfinite(size):
        return 0.0
    whole = len(values) - len(values) % _PERIOD
    weights = _spread(_PERIOD)
    total = values[:whole].view(-1, _PERIOD).sum(0) @ weights + values[whole:] @ weights[: len(values) - whole]
    return float(total) / (size * math.sqrt(len(values))) + math.log(size)


def _spread(count: int, step: int = 1) -> Tensor:
    """Returns cosines of angles that are spread evenly (count,)."""
    places = torch.arange(1, count + 1, dtype=torch.float64) * step
    return torch.cos(2 * math.pi * torch.frac(places * _GOLDEN))


def output_numbers(model: nn.Module, picture: Tensor, precision: Precision) -> dict[str, tuple[float, ...]]:
    """Returns the numbers of each output by its key, which is empty where the model returns one tensor.

    Args:
        model: the model, which is copied to the CPU.
        picture: its input (1, …).
        precision: what to compute in.

    Raises:
        NonFiniteOutput: an output is NaN or infinite.
        ContractError: the output is neither a tensor nor a mapping of tensors.
    """
    return {key: _numbers(key, tensor) for key, tensor in _outputs(model, picture, precision).items()}


def _outputs(model: nn.Module, picture: Tensor, precision: Precision) -> dict[str, Tensor]:
    dtype = _DTYPES[precision]
    with torch.inference_mode():
        outputs = _copied(model, dtype).eval()(picture.to(dtype))
        return {key: tensor.to(torch.float64) for key, tensor in _by_key(outputs).items()}


def _copied(model: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Returns a copy on the CPU whose floating-point tensors have the type."""
    tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    # What the memo has is not copied, so that no copy in the old type is made; tensors that are shared stay shared.
    memo: dict[int, object] = {}
    for number, tensor in tensors.items():
        copied = tensor.detach().to("cpu", dtype if tensor.is_floating_point() else tensor.dtype, copy=True)
        memo[number] = nn.Parameter(copied, requires_grad=False) if isinstance(tensor, nn.Parameter) else copied
    return copy.deepcopy(model, memo)


def _by_key(outputs: object) -> Mapping[str, Tensor]:
    named = {"": outputs} if isinstance(outputs, Tensor) else outputs
    if not isinstance(named, Mapping) or not all(isinstance(value, Tensor) for value in named.values()):
        raise ContractError(
            f"The model returned a {type(outputs).__name__}, neither a tensor nor a mapping of tensors."
        )
    return named


def _numbers(key: str, output: Tensor) -> tuple[float, ...]:
    """Returns the mean of an output's values and sums that are weighted by their places.

    Of probabilities logarithms are taken: where one class is nearly certain, probabilities hardly change.
    """
    values = output.reshape(-1)
    if not bool(torch.isfinite(values).all()):
        raise NonFiniteOutput(f"The model's output {key!r} is NaN or infinite, so that it cannot be compared.")
    if bool((values >= 0).all() and (values <= 1 + 1e-6).all()):
        values = values.clamp(min=1e-300).log()
    sums = [values @ _spread(len(values), step) / math.sqrt(len(values)) for step in range(1, _COUNT)]
    return tuple(round(float(number), 8) for number in (values.mean(), *sums))

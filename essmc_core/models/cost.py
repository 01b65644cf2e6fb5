"""Measures parameters and multiply-accumulates of a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from essmc_core.errors import ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from torch import nn

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one forward pass.

    Attributes:
        params: number of parameters, trainable or not, each tensor counted once.
        macs: multiply-accumulates of convolutions, matrix products and attention, for a batch of one.
        at: input shape without the batch dimension, e.g. (3, 16, 112, 112).
        output_shapes: shape of the output with a batch of one, by key; a single tensor has the key ``""``.
    """

    params: int
    macs: int
    at: Shape
    output_shapes: Mapping[str, Shape]

    @property
    def gmacs(self) -> float:
        """Multiply-accumulates in units of 10^9."""
        return self.macs / 1e9

    def to_dict(self) -> dict[str, object]:
        """Returns the form stated in zoo entries: ``params``, ``gmacs`` (three decimals) and ``at``."""
        return {"params": self.params, "gmacs": round(self.gmacs, 3), "at": list(self.at)}


def measure_cost(model: nn.Module | Callable[[], nn.Module], input_shape: Sequence[int]) -> Cost:
    """Measures a model in test mode on one input.

    A builder is called on the meta device, which neither stores nor computes values; if the model cannot be built or
    run there, it is built and run on the CPU. A built model runs on its own device and is left unchanged.

    Args:
        model: a module, or a function that builds one.
        input_shape: shape of the input without the batch dimension: (C, H, W) or (C, T, H, W).

    Raises:
        ContractError: the model's output is neither a tensor nor a mapping of tensors.
    """
    import torch
    from torch import nn

    from essmc_core.weights.random_fills import skip_init

    shape = tuple(int(size) for size in input_shape)
    if isinstance(model, nn.Module):
        return _measure(model, shape)
    try:
        with torch.device("meta"):
            return _measure(model(), shape)
    except (RuntimeError, NotImplementedError, TypeError, ValueError):
        # Reading a value (`.item()`, a mask turned into indices) raises one of these on the meta device. An error of
        # the model itself is raised again below.
        with skip_init():
            built = model()
        return _measure(built, shape)


def _measure(model: nn.Module, shape: Shape) -> Cost:
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    reference = next((tensor for tensor in model.parameters() if tensor.is_floating_point()), torch.empty(0))
    inputs = torch.zeros(1, *shape, dtype=reference.dtype, device=reference.device)
    counter = FlopCounterMode(display=False)
    # Fused attention kernels report different counts; the unfused form is counted as matrix products.
    with _in_test_mode(model), torch.no_grad(), _plain_attention_layers(), sdpa_kernel(SDPBackend.MATH), counter:
        outputs = model(inputs)
    return Cost(
        params=sum(tensor.numel() for tensor in model.parameters()),
        macs=counter.get_total_flops() // 2,
        at=shape,
        output_shapes={key: tuple(value.shape) for key, value in _tensors(outputs).items()},
    )


@contextmanager
def _plain_attention_layers() -> Iterator[None]:
    """Disables the fused path of `torch.nn.MultiheadAttention`, which the FLOP counter does not count."""
    from torch.backends import mha

    enabled = mha.get_fastpath_enabled()
    mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        mha.set_fastpath_enabled(enabled)


@contextmanager
def _in_test_mode(model: nn.Module) -> Iterator[None]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _tensors(outputs: object) -> dict[str, torch.Tensor]:
    import torch

    if isinstance(outputs, torch.Tensor):
        return {"": outputs}
    if isinstance(outputs, Mapping):
        return {str(key): value for key, value in outputs.items() if isinstance(value, torch.Tensor)}
    if isinstance(outputs, Sequence) and all(isinstance(value, torch.Tensor) for value in outputs):
        return {str(position): value for position, value in enumerate(outputs)}
    raise ContractError(f"The model returned a {type(outputs).__name__}, neither a tensor nor a mapping of tensors.")

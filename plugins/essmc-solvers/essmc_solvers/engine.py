"""Devices, precision and processes: the one place where accelerate is set up."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from essmc_core.errors import ConfigError
from essmc_core.models.devices import find_device

if TYPE_CHECKING:
    from accelerate import Accelerator

Precision = Literal["no", "fp16", "bf16"]


def make_accelerator(device: str, mixed_precision: Precision) -> Accelerator:
    """Returns an Accelerator for this process.

    Args:
        device: ``auto`` for what the machine has, or ``cpu``, ``cuda``, ``mps``.
        mixed_precision: ``no``, ``fp16`` or ``bf16``.

    Raises:
        ConfigError: the device is not there, or cannot do the precision.
    """
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState

    _check_device(device, mixed_precision)
    # Accelerate keeps its settings for the whole process; a second run may want others.
    if AcceleratorState._shared_state and AcceleratorState().mixed_precision != mixed_precision:
        AcceleratorState._reset_state()
    use_cpu = device == "cpu" or (device == "auto" and not _has_accelerator())
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return Accelerator(cpu=use_cpu, mixed_precision=mixed_precision)


def synchronize_batch_norms(model: nn.Module, accelerator: Accelerator) -> nn.Module:
    """Replaces batch norms by ones that share their statistics among processes; returns the model as it is if alone.

    Raises:
        ConfigError: the processes run on CPUs, where torch has no such layer.
    """
    if accelerator.num_processes == 1:
        return model
    if accelerator.device.type == "cpu":
        raise ConfigError("sync_bn needs accelerators: torch has no synchronized batch norm for CPUs")
    converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call,unused-ignore]
    return converted


def is_fsdp(accelerator: Accelerator) -> bool:
    """Returns whether the parameters are sharded among processes."""
    return "FSDP" in str(accelerator.distributed_type)


def steps_plainly(accelerator: Accelerator) -> bool:
    """Returns whether gradients and steps are torch's own: no loss scaling, and no engine that takes them over.

    Accelerate's wrapper of an optimizer looks for other libraries in each step, which costs a millisecond.
    """
    engines = ("DEEPSPEED", "MEGATRON_LM", "XLA")
    return accelerator.scaler is None and not any(name in str(accelerator.distributed_type) for name in engines)


def autocast(accelerator: Accelerator) -> AbstractContextManager[Any]:
    """Returns the context of mixed precision, an empty one where there is none."""
    if accelerator.mixed_precision == "no":
        return nullcontext()
    context: AbstractContextManager[Any] = accelerator.autocast()
    return context


def gather_objects(accelerator: Accelerator, value: Any) -> list[Any]:
    """Returns the values of all processes, by rank."""
    if accelerator.num_processes == 1:
        return [value]
    from accelerate.utils import gather_object

    gathered: list[Any] = gather_object([value])
    return gathered


def sum_over_processes(accelerator: Accelerator, numbers: Tensor) -> Tensor:
    """Returns the sum of all processes' numbers, which are of the same shape."""
    if accelerator.num_processes == 1:
        return numbers
    total: Tensor = accelerator.reduce(numbers, "sum")
    return total


def sum_gradients(accelerator: Accelerator, parameters: Sequence[nn.Parameter]) -> None:
    """Replaces gradients by their sums over processes; one that no process has stays away."""
    if accelerator.num_processes == 1:
        return
    import torch.distributed

    has = torch.tensor([parameter.grad is not None for parameter in parameters], device=accelerator.device)
    for parameter, anywhere in zip(parameters, sum_over_processes(accelerator, has.int()).tolist(), strict=True):
        if anywhere:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)


def any_process(accelerator: Accelerator, flag: bool) -> bool:
    """Returns whether a flag is set in any process."""
    if accelerator.num_processes == 1:
        return flag
    total = accelerator.reduce(torch.tensor(float(flag), device=accelerator.device), "sum")
    return bool(total.item())


def _has_accelerator() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()


def _check_device(device: str, mixed_precision: str) -> None:
    # Accelerate chooses among several of a kind, one for each process.
    if ":" in device:
        raise ConfigError(f"device is 'auto', 'cpu', 'cuda' or 'mps', got {device!r}")
    kind = find_device(device).type
    if mixed_precision not in ("no", "fp16", "bf16"):
        raise ConfigError(f"mixed_precision is 'no', 'fp16' or 'bf16', got {mixed_precision!r}")
    if kind == "cpu" and mixed_precision == "fp16":
        raise ConfigError("mixed_precision 'fp16' needs an accelerator", hint="On a CPU use bf16.")

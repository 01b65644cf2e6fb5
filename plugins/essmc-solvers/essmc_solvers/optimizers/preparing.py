"""Optimizers and schedules of a training, built and wrapped for its devices and processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import nn

from essmc_solvers.engine import is_fsdp, steps_plainly
from essmc_solvers.optimizers.building import build_optimizers, build_schedulers
from essmc_solvers.optimizers.parameter_groups import GroupRules
from essmc_solvers.optimizers.settings import optimizer_settings, schedule_settings

if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Prepared:
    """What a training works with.

    Attributes:
        model: as it is trained, perhaps wrapped for several processes.
        optimizers: by submodule, by the empty string if there is one.
        lr_schedulers: by the same keys.
        settings: of both as they were built, by dotted name.
    """

    model: nn.Module
    optimizers: dict[str, Any]
    lr_schedulers: dict[str, Any]
    settings: dict[str, Any]


def prepare(
    accelerator: Accelerator, module: nn.Module, optimizer: Any, lr_scheduler: Any, rules: GroupRules
) -> Prepared:
    """Builds optimizers and schedules, and puts model and optimizers on their devices.

    Args:
        accelerator: of the run.
        module: the model.
        optimizer: as `build_optimizers` takes it.
        lr_scheduler: as `build_schedulers` takes it.
        rules: how to divide parameters into groups.

    Raises:
        ConfigError: parameters, optimizers and schedules do not go together.
    """
    raw = build_optimizers(module, optimizer, rules)
    model, *wrapped = accelerator.prepare(module, *raw.values())
    optimizers = raw if steps_plainly(accelerator) else dict(zip(raw, wrapped, strict=True))
    if not is_fsdp(accelerator):
        # Accelerate wraps `forward` for mixed precision; autocast is entered by solvers instead, so that the model
        # stays as it was for whoever uses it after the run.
        for name in ("forward", "_original_forward"):
            module.__dict__.pop(name, None)
    # Schedules change what optimizers were built with.
    settings = optimizer_settings(raw)
    # Schedules hold on to the optimizer itself, which accelerate wraps.
    lr_schedulers = build_schedulers(raw, lr_scheduler)
    return Prepared(model, optimizers, lr_schedulers, {**settings, **schedule_settings(lr_schedulers)})

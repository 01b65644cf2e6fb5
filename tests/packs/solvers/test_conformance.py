"""Hooks, optimizers and schedules of essmc-solvers, by the classes of the devkit."""

from __future__ import annotations

from typing import Any

from essmc_core import HOOKS
from essmc_devkit.testing import HookConformance, OptimizerConformance, ScheduleConformance


class TestHooks(HookConformance):
    cases = {name: name for name in HOOKS}


class TestOptimizers(OptimizerConformance):
    """One of torch's, and of timm's some whose states differ in kind."""

    cases = {name: name for name in ("AdamW", "timm_sgd", "timm_lion", "timm_adafactor")}


class TestSchedules(ScheduleConformance):
    cases: dict[str, Any] = {
        **{name: name for name in ("StepLR", "CosineAnnealingLR", "LinearLR", "timm_cosine", "timm_poly")},
        "OneCycleLR": {"type": "OneCycleLR", "max_lr": 0.1, "total_steps": 100},
        "timm_multistep": {"type": "timm_multistep", "decay_t": [1, 3]},
    }

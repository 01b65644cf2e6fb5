"""Names of optimizers and schedules in the installed torch and timm, read from their source without importing them."""

from __future__ import annotations

import re

from essmc_core.signatures.source_files import source_text

_ALL = re.compile(r"^__all__(?::[^=]*)? = \[(.*?)\]", re.DOTALL | re.MULTILINE)
_QUOTED = re.compile(r"""["'](\w+)["']""")
_TIMM_OPTIMIZER = re.compile(r"""(?:OptimInfo\(\s*(?:name=)?|register_alias\()["'](\w+)["']""")
_TIMM_SCHEDULER = re.compile(r"^from \.\w+ import (\w+)Scheduler\b", re.MULTILINE)
_BASES = ("Optimizer", "LRScheduler")


def torch_optimizers() -> list[str]:
    """Returns the optimizer classes of ``torch.optim``."""
    return _classes("torch.optim")


def torch_schedulers() -> list[str]:
    """Returns the schedule classes of ``torch.optim.lr_scheduler``."""
    return _classes("torch.optim.lr_scheduler")


def timm_optimizers() -> list[str]:
    """Returns the names that ``timm.optim.create_optimizer_v2`` takes; empty without timm."""
    return list(dict.fromkeys(_TIMM_OPTIMIZER.findall(source_text("timm.optim._optim_factory"))))


def timm_schedulers() -> dict[str, str]:
    """Returns timm's schedules: short name, such as ``cosine``, to class; empty without timm."""
    found = _TIMM_SCHEDULER.findall(source_text("timm.scheduler"))
    return {name.removesuffix("LR").lower(): f"{name}Scheduler" for name in found}


def _classes(module: str) -> list[str]:
    declared = _ALL.search(source_text(module))
    names = _QUOTED.findall(declared.group(1)) if declared else []
    return [name for name in names if name[0].isupper() and name not in _BASES]

"""How a resumed run differs from the one that wrote the checkpoint: refused, unless `resume_changed` is set."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from essmc_core.foundation.plain_data import plain_data
from essmc_solvers.checkpoint.description import model_card
from essmc_solvers.checkpoint.hook_parts import sets_rates
from essmc_solvers.checkpoint.settings import flat, run_settings
from essmc_solvers.errors import CheckpointMismatch
from essmc_solvers.run.protocol import Run

_SPEED_ALONE = ("num_workers", "pin_memory", "prefetch_factor", "persistent_workers", "multiprocessing_context",
                "timeout")  # fmt: skip
"""What a loader's section may say without any effect on the batches."""
_HORIZONS = {"CosineAnnealingLR": "T_max", "PolynomialLR": "total_iters", "CosineLRScheduler": "t_initial",
             "PolyLRScheduler": "t_initial", "TanhLRScheduler": "t_initial"}  # fmt: skip
"""Schedules that come to an end after some epochs, and how they call their number."""
_HOOKS = "solver.hooks."


@dataclass(frozen=True)
class Change:
    """One setting that is not what it was.

    Attributes:
        name: dotted path in the configuration, or words where it has none.
        was: in the checkpoint; `MISSING` where it was not given.
        now: in this run, likewise.
        note: what it would lead to.
    """

    name: str
    was: Any
    now: Any
    note: str = ""

    def __str__(self) -> str:
        return f"{self.name} was {_shown(self.was)}, is {_shown(self.now)}" + (f": {self.note}" if self.note else "")


class _Missing:
    def __repr__(self) -> str:
        return "not given"


MISSING: Any = _Missing()


def concerns_rates(change: Change, hooks: Iterable[Any]) -> bool:
    """Returns whether schedules have to be derived anew for a change.

    Args:
        change: what is different.
        hooks: of the run.
    """
    name = change.name
    if name.startswith(_HOOKS):
        return sets_rates(hooks, name.removeprefix(_HOOKS))
    is_rate = name.startswith("solver.optimizer") and name.endswith(".lr")
    return is_rate or name.startswith(("solver.lr_scheduler", "solver.max_epochs", "batches of"))


def changes(run: Run, content: Mapping[str, Any]) -> list[Change]:
    """Returns what a run does differently from the one that wrote a checkpoint.

    What only the hardware, logging, saving or evaluation depends on may change and is left out.

    Args:
        run: the run that goes on.
        content: of the checkpoint.
    """
    found = _of_settings(content.get("settings") or {}, run_settings(run), content)
    then, now = content.get("config"), run.config
    if isinstance(then, Mapping) and now is not None:
        listed = {change.name for change in found}
        found += [change for change in _of_sections(then, plain_data(now)) if change.name not in listed]
    model_then, model_now = (_model(card) for card in (content.get("card"), model_card(run.module, run.config)))
    if model_then is not None and model_now is not None:
        found += _differences(flat(model_then, "model"), flat(model_now, "model"))
    return found


def refuse(found: list[Change], path: Path) -> None:
    """Refuses a run that differs.

    Raises:
        CheckpointMismatch: it does; lists every setting.
    """
    if found:
        raise CheckpointMismatch(
            f"{path} belongs to a run that was set up otherwise:\n" + "\n".join(f"  {change}" for change in found),
            hint=f"Put these back; or go on with the new ones by --resume-changed {path} (resume_changed: true), which "
            f"derives schedules anew; or train anew from its weights, in another work dir: weights={path}.",
        )


def _of_settings(then: Mapping[str, Any], now: Mapping[str, Any], content: Mapping[str, Any]) -> list[Change]:
    shared = {name: value for name, value in then.items() if name in now}
    found = _differences(shared, {name: now[name] for name in shared})
    added = [name for name in now if name not in then and name.startswith("solver.lr_scheduler")]
    if any(name.startswith("solver.lr_scheduler") for name in then):
        found += [Change(name, MISSING, now[name]) for name in added]
    epochs = next((change for change in found if change.name == "solver.max_epochs"), None)
    if epochs is not None:
        found.remove(epochs)
        found += _past_the_end(epochs, now, content)
    return found


def _past_the_end(epochs: Change, now: Mapping[str, Any], content: Mapping[str, Any]) -> list[Change]:
    """More epochs are fine, unless the schedule was made for fewer."""
    kinds = content.get("kinds", {}).get("lr_scheduler", {})
    for key, kind in kinds.items():
        front = f"solver.lr_scheduler.{key}".rstrip(".")
        name = _HORIZONS.get(kind, "")
        horizon = now.get(f"{front}.{name}")
        counts_epochs = now.get(f"{front}.t_in_epochs", True)
        if isinstance(horizon, (int, float)) and counts_epochs and epochs.now > max(horizon, epochs.was):
            return [Change(epochs.name, epochs.was, epochs.now, f"{kind} comes to its end at {name} {horizon}")]
    return []


def _of_sections(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    def read(config: Mapping[str, Any]) -> dict[str, Any]:
        data = config.get("data")
        train = data.get("train") if isinstance(data, Mapping) else None
        leaves = {**flat(train, "data.train"), **flat(config.get("input"), "input")}
        return {name: leaf for name, leaf in leaves.items() if name.rpartition(".")[2] not in _SPEED_ALONE}

    return _differences(read(then), read(now))


def _model(card: Any) -> Any:
    config = card.get("config") if isinstance(card, Mapping) else None
    if not isinstance(config, Mapping):
        return None
    return config.get("model", config if "type" in config else None)


def _differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    names = dict.fromkeys([*then, *now])
    pairs = ((name, then.get(name, MISSING), now.get(name, MISSING)) for name in names)
    return [Change(name, was, value) for name, was, value in pairs if not _same(was, value)]


def _same(was: Any, now: Any) -> bool:
    if isinstance(was, float) and isinstance(now, float) and math.isnan(was) and math.isnan(now):
        return True
    return bool(was == now) and isinstance(was, bool) == isinstance(now, bool)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"

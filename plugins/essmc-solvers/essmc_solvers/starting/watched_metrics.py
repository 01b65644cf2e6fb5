"""Names of metrics that hooks choose by, checked before a run starts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from essmc_core.errors import ConfigError
from essmc_solvers.model.calling import call_model
from essmc_solvers.starting.trial import names_of, trial

if TYPE_CHECKING:
    from essmc_solvers.solvers.training import TrainValSolver


def check_watched_metrics(solver: TrainValSolver) -> None:
    """Refuses names that the model does not report; those of streams are found out after the first epoch.

    Raises:
        ConfigError: a hook watches what there is not, or evaluation collects what there is not.
    """
    watched = [entry for hook in solver.hooks if hasattr(hook, "watched") for entry in hook.watched(solver)]
    known: dict[str, set[str] | None] = {}
    if "eval" in solver.loaders and solver.evaluation.collects:
        known["eval"] = _reported(solver, "eval")
    for who, mode, name in watched:
        if mode not in solver.loaders:
            raise ConfigError(
                f"{who} watches {name!r} of the {mode!r} data, and the data are {_listed(solver.loaders)}",
                hint="Metrics are of train or eval: eval/acc@1; the section data.eval has the data for the latter.",
            )
        if (mode, name) == ("train", "loss"):
            continue
        if mode not in known:
            known[mode] = _reported(solver, mode)
        names = known[mode]
        if names is not None and name not in names:
            close = difflib.get_close_matches(name, names, 1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"{who} is told {name!r}, and the {mode} data give no {name!r}{guess}",
                hint=f"They give {', '.join(sorted(names))}.",
            )


def _reported(solver: TrainValSolver, mode: str) -> set[str] | None:
    """Returns the names of what a pass reports, None where a trial does not tell."""
    if solver.is_fsdp:
        return None
    with trial(solver, mode) as inputs:
        if inputs is None:
            return None
        solver.module.eval()
        if mode == "eval":
            return solver.evaluation.names(solver, inputs)
        forward = getattr(solver.module, "forward_train", None)
        return None if forward is None else names_of(call_model(forward, solver.module, inputs)) or None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))

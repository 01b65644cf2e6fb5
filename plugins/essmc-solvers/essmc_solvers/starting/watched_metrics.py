"""Names of metrics that hooks choose by, checked before a run starts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from essmc_core.errors import ConfigError
from essmc_solvers.evaluation.evaluation_pass import EvaluationPass
from essmc_solvers.model.calling import call_model
from essmc_solvers.run.protocol import Run
from essmc_solvers.starting.trial import trial
from essmc_solvers.step.running_means import reported_names


def check_watched_metrics(run: Run, evaluation: EvaluationPass) -> None:
    """Refuses names that the model does not report; with streams, that shows after the first epoch only.

    Args:
        run: that has its data.
        evaluation: what will be reported of the evaluation data.

    Raises:
        ConfigError: a hook watches what there is not, or evaluation collects what there is not.
    """
    watched = [entry for hook in run.hooks if hasattr(hook, "watched") for entry in hook.watched(run)]
    known: dict[str, set[str] | None] = {}
    if "eval" in run.loaders and evaluation.collects:
        known["eval"] = _reported(run, evaluation, "eval")
    for who, mode, name in watched:
        if mode not in run.loaders:
            raise ConfigError(
                f"{who} watches {name!r} of the {mode!r} data, and the data are {_listed(run.loaders)}",
                hint="Metrics are of train or eval: eval/acc@1; the section data.eval has the data for the latter.",
            )
        if (mode, name) == ("train", "loss"):
            continue
        if mode not in known:
            known[mode] = _reported(run, evaluation, mode)
        names = known[mode]
        if names is not None and name not in names:
            close = difflib.get_close_matches(name, names, 1)
            guess = f" (did you mean {close[0]!r}?)" if close else ""
            raise ConfigError(
                f"{who} is told {name!r}, and the {mode} data give no {name!r}{guess}",
                hint=f"They give {', '.join(sorted(names))}.",
            )


def _reported(run: Run, evaluation: EvaluationPass, mode: str) -> set[str] | None:
    """Returns the names of what a pass reports, None where a trial cannot show them."""
    if run.is_fsdp:
        return None
    with trial(run, mode) as inputs:
        if inputs is None:
            return None
        run.module.eval()
        if mode == "eval":
            return evaluation.names(run, inputs)
        forward = getattr(run.module, "forward_train", None)
        return None if forward is None else reported_names(call_model(forward, run.module, inputs)) or None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))

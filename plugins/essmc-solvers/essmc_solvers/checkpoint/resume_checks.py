"""Whether a run can go on from a checkpoint: data, optimizers and length have to be those that it was written with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from essmc_solvers.checkpoint.optimizer_states import kinds, part
from essmc_solvers.checkpoint.settings import run_settings
from essmc_solvers.checkpoint.weights import some
from essmc_solvers.errors import CheckpointMismatch
from essmc_solvers.run.protocol import Run
from essmc_solvers.text import counted


def check_resumable(run: Run, content: Mapping[str, Any], path: Path) -> None:
    """Checks a checkpoint against a run before anything of it is loaded.

    Args:
        run: that is to go on.
        content: of the checkpoint.
        path: its file, for messages.

    Raises:
        CheckpointMismatch: its data, optimizers or frozen parameters are others.
    """
    _check_data(run, content, path)
    _check_kinds(run, content, path)
    _check_frozen(run, content, path)


def _check_data(run: Run, content: Mapping[str, Any], path: Path) -> None:
    if content["seed"] != run.seed and (content["iter"] or not run.resume_changed):
        raise CheckpointMismatch(
            f"{path} belongs to a run with seed {content['seed']}, this one has seed {run.seed}",
            hint=f"Set seed to {content['seed']}: the order of the data depends on it.",
        )
    then, now = content["train_batches"], run.loaders["train"].length
    if content["iter"] and then != now:
        raise CheckpointMismatch(
            f"{path} was written at batch {content['iter']} of {then}, and the data now make {now} batches",
            hint="Resume with the same data and batch size, or from a checkpoint at the end of an epoch.",
        )
    then, now = content.get("train_batch_size"), run.loaders["train"].full_batch
    if content["iter"] and then is not None and then != now:
        raise CheckpointMismatch(
            f"{path} was written within an epoch in batches of {then} items, and they now have {now}",
            hint="Resume with the same batch size, or from a checkpoint at the end of an epoch.",
        )
    then, now = content.get("train_readers"), run.loaders["train"].readers
    if content["iter"] and then != now:
        raise CheckpointMismatch(
            f"{path} was written within an epoch of a stream read by {then} workers, and {now} read it now",
            hint="Resume with as many workers and processes, or from a checkpoint at the end of an epoch.",
        )


def _check_frozen(run: Run, content: Mapping[str, Any], path: Path) -> None:
    then = (content.get("settings") or {}).get("solver.freeze")
    now = run_settings(run)["solver.freeze"]
    if then is not None and then != now:
        raise CheckpointMismatch(
            f"{path} belongs to a run with {_frozen(then)}, this one has {_frozen(now)}: the optimizer's state is that "
            "of other parameters",
            hint=f"Put `freeze` back, or train on from its weights, in another work dir: weights: {path}.",
        )


def _frozen(names: list[str]) -> str:
    return f"{some(names)} frozen" if names else "nothing frozen"


def _check_kinds(run: Run, content: Mapping[str, Any], path: Path) -> None:
    then, now = content.get("kinds", {}), kinds(run)
    for section, names in now.items():
        for key, name in names.items():
            before = then.get(section, {}).get(key, name)
            if before != name:
                place = f" of {key!r}" if key else ""
                raise CheckpointMismatch(
                    f"{path} was written with the {section} {before}{place}, this run has {name}",
                    hint=f"Resume with {before}, or train anew from the weights alone, in another work dir.",
                )
    if not run.is_fsdp:
        for key, optimizer in run.optimizers.items():
            _check_settings(optimizer, part(content, "optimizer", key, path), path)


def _check_settings(optimizer: Any, state: Mapping[str, Any], path: Path) -> None:
    have, wanted = state["param_groups"][0].keys(), optimizer.param_groups[0].keys()
    # Schedules add settings of their own, and versions of torch differ in those that are flags.
    absent = [name for name in ("lr", "momentum", "betas", "alpha", "rho") if name in wanted and name not in have]
    if absent:
        kind = type(getattr(optimizer, "optimizer", optimizer)).__name__
        raise CheckpointMismatch(
            f"{path} was written with another optimizer than {kind}: its groups have no {absent[0]!r}",
            hint="Resume with the optimizer it was written with.",
        )


def check_length(run: Run, content: Mapping[str, Any], path: Path) -> None:
    """Checks that a run is not over before the checkpoint.

    Raises:
        CheckpointMismatch: it is.
    """
    begun = content["epoch"] + bool(content["iter"])
    if begun > run.max_epochs:
        within = f" and {counted(content['iter'], 'iteration')}" if content["iter"] else ""
        done = counted(content["epoch"], "epoch")
        raise CheckpointMismatch(
            f"{path} has {done}{within} behind it, more than max_epochs {run.max_epochs}",
            hint=f"Set max_epochs to {begun} or more, or resume from an earlier checkpoint.",
        )


def tell_changes(run: Run, content: Mapping[str, Any], path: Path) -> None:
    """Logs in what a resumed run differs from the one that wrote the checkpoint, where that is allowed."""
    if content["epoch"] == run.max_epochs:
        run.log(f"all {run.max_epochs} epochs are done already: a larger max_epochs goes on")
    dropped = [name for key, name in content.get("kinds", {}).get("lr_scheduler", {}).items()
               if key not in run.lr_schedulers]  # fmt: skip
    if dropped:
        run.log(f"warning: {path.name} was written with {dropped[0]}; this run has no schedule and keeps its rate")
    loader = run.loaders["train"]
    for what, name, now in (
        ("a batch size of", "train_batch_size", loader.full_batch),
        ("this many batches an epoch:", "train_batches", loader.length),
    ):
        then = content.get(name)
        if then is not None and now is not None and then != now:
            run.log(f"warning: {path.name} was written with {what} {then}, this run has {now}")


def has_these_groups(run: Run, content: Mapping[str, Any]) -> bool:
    """Returns whether the optimizers' states fit; where they do not, the model or the groups are others altogether."""
    then = content.get("settings") or {}
    counts = [name for name in run.built_settings if name.endswith("(parameters by group)")]
    return all(then.get(name, run.built_settings[name]) == run.built_settings[name] for name in counts)

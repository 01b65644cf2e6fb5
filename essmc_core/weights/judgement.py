"""Decides whether a load is acceptable: the module is filled, the weights are used up, their values are finite."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from essmc_core.errors import WeightsMismatch
from essmc_core.weights.faults import Fault, FaultKind
from essmc_core.weights.finite import is_finite
from essmc_core.weights.key_groups import key_groups, matches
from essmc_core.weights.plan import LoadPlan, is_of_head
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import WeightsSource

Purpose = Literal["start", "use", "resume"]
"""The purpose of the module: a start of training, use as it is, or to go on with exactly what was saved."""

_SHOWN_PATTERNS = 6


def judge(module: nn.Module, plan: LoadPlan, source: WeightsSource, purpose: Purpose) -> WeightsMismatch | None:
    """Returns why a plan may not be executed, None if it may.

    Every parameter and every statistic of the module must come from the weights, and every tensor of the weights must
    be used, unless the user allows otherwise: by patterns in ``allow_missing`` and ``allow_unused``, or by a stated
    ``min_coverage`` or ``min_usage``. As a start of training, a head for another number of classes and layers that a
    lift declares as new need no permission. To resume, every key must match as it is, and nothing is allowed. Values
    must be finite.

    Args:
        module: the module to load; it is only read.
        plan: the planned load.
        source: states what the user allows.
        purpose: ``"start"``, ``"use"`` or ``"resume"``.
    """
    if not plan.report.loaded:
        return _nothing_fits(plan, source)
    exact = purpose == "resume" or source.strict
    found = [
        _misfits(plan, source, purpose, exact),
        _missing(plan, source, purpose, exact),
        _unused(plan, source, exact),
    ]
    faults = [fault for fault in found if fault is not None] or _nonfinite(module, plan, source)
    return _mismatch(plan, source, faults, purpose) if faults else None


def _nothing_fits(plan: LoadPlan, source: WeightsSource) -> WeightsMismatch:
    report = plan.report
    images = (
        " They have 2D kernels and the module has 3D ones: an image network's need a key_map to its names, and "
        "inflate='average' or inflate='centre'."
    )
    error = WeightsMismatch(
        f"None of the weights in {source.uri} fits the module.",
        hint=f"At the top level they have: {', '.join(plan.top_level[:10])}. Check sub_level, prefix and key_map, or "
        f"that it is the same model.{images if plan.inflatable else ''}",
    )
    faults = (
        _fault("misfit", plan.misfits, report, "tensors have another shape or type"),
        _fault("missing", report.missing, report, "tensors of the module are missing"),
        _fault("unused", report.unused, report, "tensors have no place in the module"),
    )
    error.report = replace(report, faults=tuple(fault for fault in faults if fault.groups))
    return error


def _misfits(plan: LoadPlan, source: WeightsSource, purpose: Purpose, exact: bool) -> Fault | None:
    report = plan.report
    heads = {} if purpose == "start" else {key: why for key, why in report.skipped.items() if is_of_head(key, source)}
    if exact:
        reasons = {**report.skipped, **(report.adapted if purpose == "resume" else {})}
    else:
        # As a start of training, a head for other classes is no fault.
        reasons = {key: why for key, why in {**plan.misfits, **heads}.items() if not matches(key, source.allow_missing)}
    if not reasons:
        return None
    key, reason = next(iter(reasons.items()))
    words = f"{_counted(reasons)} of another shape or type ({key}: {reason})"
    if not exact and plan.misfits.keys().isdisjoint(reasons):
        words = f"they do not fit the head, whose classes would be random ({key}: {reason})"
    return _fault("misfit", reasons, report, words, "" if exact else "allow_missing")


def _missing(plan: LoadPlan, source: WeightsSource, purpose: Purpose, exact: bool) -> Fault | None:
    report = plan.report
    if exact:
        wanted = (*report.missing, *report.new)
    else:
        wanted = (*report.lacking, *report.new) if purpose == "use" else report.lacking
    keys = [key for key in wanted if exact or not matches(key, source.allow_missing)]
    if not keys:
        return None
    words = f"they lack {len(keys)} of the module's {_size(report)} tensors"
    if source.min_coverage is not None and purpose == "start" and not exact:
        if report.coverage >= source.min_coverage:
            return None
        words = f"they cover {report.coverage:.1%} of the module, less than {source.min_coverage:.0%}, and lack"
    return _fault("missing", keys, report, words, "" if exact else "allow_missing")


def _unused(plan: LoadPlan, source: WeightsSource, exact: bool) -> Fault | None:
    report = plan.report
    keys = [key for key in (report.unexpected if exact else report.unused) if not matches(key, source.allow_unused)]
    if not keys:
        return None
    words = f"{len(keys)} of their tensors have no place in it"
    if source.min_usage is not None and not exact:
        if report.usage >= source.min_usage:
            return None
        words = f"only {report.usage:.1%} of them find a place, less than {source.min_usage:.0%}, and none has"
    return _fault("unused", keys, report, words, "" if exact else "allow_unused")


def _nonfinite(module: nn.Module, plan: LoadPlan, source: WeightsSource) -> list[Fault]:
    if source.allow_nonfinite:
        return []
    bad = [key for key, tensor in plan.tensors.items() if not is_finite(tensor)]
    if not bad:
        return []
    state = module.state_dict(keep_vars=True)
    bad = [key for key in bad if not _is_infinite_by_design(state[key], plan.tensors[key])]
    if not bad:
        return []
    overflown = [key for key in bad if key in plan.overflown]
    what = (
        f"{_counted(bad)} that overflow {str(plan.tensors[overflown[0]].dtype).removeprefix('torch.')}"
        if len(overflown) == len(bad)
        else f"{_counted(bad)} whose values are not finite (NaN or infinite)"
    )
    return [_fault("nonfinite", bad, plan.report, what, "allow_nonfinite")]


def _is_infinite_by_design(own: object, given: Tensor) -> bool:
    """Returns whether a buffer is infinite by construction, as masks are, and the weights have the same values."""
    if not isinstance(own, Tensor) or isinstance(own, nn.Parameter) or own.is_meta or own.shape != given.shape:
        return False
    infinite = given.isinf()
    own = own.detach().to(given.device, given.dtype)
    return not bool(given.isnan().any()) and bool((infinite == own.isinf()).all()) and bool(
        (given[infinite] == own[infinite]).all()
    )  # fmt: skip


def _fault(kind: FaultKind, keys: Iterable[str], report: LoadReport, words: str, option: str = "") -> Fault:
    listed = tuple(keys)
    given, placed = set(listed), (*report.loaded, *report.skipped, *report.missing, *report.new)
    return Fault(kind, key_groups(listed, [key for key in placed if key not in given]), words, option)


def _counted(keys: Collection[str]) -> str:
    return f"they have {len(keys)} tensor{'s' if len(keys) > 1 else ''}"


def _size(report: LoadReport) -> int:
    return len(report.loaded) + len(report.skipped) + len(report.missing) + len(report.new)


def _mismatch(plan: LoadPlan, source: WeightsSource, faults: Sequence[Fault], purpose: Purpose) -> WeightsMismatch:
    lines = [f"{fault}." for fault in faults]
    told = f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)
    error = WeightsMismatch(
        f"The weights in {source.uri} do not fit the module:{told}", hint=_hint(plan, source, faults, purpose)
    )
    error.report = replace(plan.report, faults=tuple(faults))
    return error


def _hint(plan: LoadPlan, source: WeightsSource, faults: Sequence[Fault], purpose: Purpose) -> str:
    if purpose == "resume":
        return "Build the model as it was when they were saved."
    if source.strict:
        return "strict is set."
    kinds = {fault.kind for fault in faults}
    if kinds == {"nonfinite"}:
        return (
            "Training diverged before they were saved, or the file is damaged: take an earlier checkpoint. "
            "allow_nonfinite: true in the weights' mapping loads them all the same."
        )
    advice = ["Is it the whole checkpoint, of the same variant of the model?"]
    wanted = [key for fault in faults if fault.kind != "unused" for key in fault.keys]
    if purpose == "use" and any(is_of_head(key, source) for key in wanted):
        advice.append(
            "Keep the num_classes of the weights, or give weights of your own with --checkpoint; with --random "
            "`predict` and `export` take untrained ones."
        )
    elif "misfit" in kinds:
        advice.append(
            "inflate turns 2D kernels into 3D ones, in_chans adapts the first convolution, position_grid says how "
            "learned positions are laid out."
        )
    said = _permissions(faults)
    options = " and ".join(f"--{line.partition(':')[0].replace('_', '-')}" for line in said)
    advice.append(f"If it is meant, say it in the weights' mapping, {', '.join(said)}, or with {options}.")
    return " ".join(advice)


def _permissions(faults: Sequence[Fault]) -> list[str]:
    """Returns the options that would allow all faults: ``allow_missing: ["head.*"]``."""
    wanted: dict[str, list[str]] = {}
    for fault in faults:
        wanted.setdefault(fault.option, []).extend(f'"{pattern}"' for pattern in fault.patterns)
    return [
        f"{option}: [{', '.join([*named[:_SHOWN_PATTERNS], *(['...'] if len(named) > _SHOWN_PATTERNS else [])])}]"
        for option, named in wanted.items()
    ]

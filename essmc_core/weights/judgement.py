"""Decides whether a load is acceptable: the module is complete, the file was used, its values are finite."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal

from torch import Tensor, nn

from essmc_core.errors import WeightsMismatch
from essmc_core.weights.finite import is_finite
from essmc_core.weights.plan import LoadPlan, is_of_head
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import WeightsSource
from essmc_core.weights.state_dict import strip_key

# Weights of the same architecture fill everything but the head, which is not counted. A coverage below 0.9 is an error
# far more often than intended: another depth, missing statistics of batch norm, a mistyped level.
MIN_COVERAGE = 0.9
MIN_USAGE = 0.9

Purpose = Literal["start", "use"]
"""The purpose of the module: a start of training, or use as it is, for which nothing may stay random."""

_GROUPS = 6


class UnusedWeights(UserWarning):
    """Some weights of a submodule that was loaded are not used, so that its outputs may differ."""


def judge(module: nn.Module, plan: LoadPlan, source: WeightsSource, purpose: Purpose) -> WeightsMismatch | None:
    """Returns why a plan may not be executed, None if it may.

    For use, every parameter and every statistic must come from the weights, and every tensor of the weights that
    belongs to a submodule must be used. As a start of training, missing tensors must be allowed: by a pattern in
    ``allow_missing``, a stated ``min_coverage``, a head for other classes, or layers that a lift declares as new.
    Values must be finite either way.

    Args:
        module: the module to load; it is only read.
        plan: the planned load.
        source: states what the user allows.
        purpose: ``"use"`` or ``"start"``.
    """
    return (
        _fit(plan, source)
        or (_head(plan, source) if purpose == "use" else None)
        or _completeness(plan, source, purpose)
        or _leftovers(plan, source, purpose)
        or _finiteness(module, plan, source)
    )


def warn_of_unused(plan: LoadPlan, source: WeightsSource) -> None:
    """Warns about unused weights of a submodule that is loaded, unless the user allowed them."""
    if source.min_usage is None and (unused := _unused(plan, source)):
        warnings.warn(
            f"{len(unused)} tensors in {source.uri} belong to parts that are loaded and have no place there, so that "
            f"the model may give other numbers than theirs: {grouped(unused)}. Is it another variant? "
            "allow_unused says that they are rightly left over.",
            UnusedWeights,
            stacklevel=3,
        )


def grouped(keys: Iterable[str]) -> str:
    """Returns keys grouped by similar layers: ``bn.running_var of 3 layers, head.bias``."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        groups.setdefault(_tail(key), []).append(key)
    shown = [f"{tail} of {len(found)} layers" if len(found) > 1 else found[0] for tail, found in groups.items()]
    rest = len(shown) - _GROUPS
    return ", ".join(shown[:_GROUPS]) + (f" and {rest} more groups" if rest > 0 else "")


def _tail(key: str) -> str:
    """Returns the end of a key that similar layers share: the tensor's name and the last name before it."""
    parts = key.split(".")
    names = [index for index, part in enumerate(parts[:-1]) if not part.isdigit()]
    return ".".join(re.sub(r"^\d+$", "*", part) for part in parts[names[-1] if names else 0 :])


def matches(key: str, patterns: Sequence[str]) -> bool:
    """Returns whether a key matches a pattern, or is below a name that is one of them."""
    name = strip_key(key)
    return any(fnmatchcase(name, pattern) or name.startswith(f"{pattern.rstrip('.')}.") for pattern in patterns)


def _fit(plan: LoadPlan, source: WeightsSource) -> WeightsMismatch | None:
    report = plan.report
    if not report.loaded:
        images = (
            " They have 2D kernels and the module has 3D ones: an image network's need a key_map to its names, and "
            "inflate='average' or inflate='centre'."
        )
        return _mismatch(
            f"None of the weights in {source.uri} fits the module.", report,
            f"At the top level they have: {', '.join(plan.top_level[:10])}. Check sub_level, prefix and key_map, or "
            f"that it is the same model.{images if plan.inflatable else ''}",
        )  # fmt: skip
    if plan.misfits:
        key, reason = next(iter(plan.misfits.items()))
        more = f" (and {len(plan.misfits) - 1} more)" if len(plan.misfits) > 1 else ""
        return _mismatch(
            f"The weights in {source.uri} do not fit the module: {key}: {reason}{more}.", report,
            "Is it another variant of the model? inflate turns 2D kernels into 3D ones, in_chans adapts the first "
            "convolution, position_grid says how learned positions are laid out, and tensors below head_prefixes may "
            "be dropped.",
        )  # fmt: skip
    return None


def _head(plan: LoadPlan, source: WeightsSource) -> WeightsMismatch | None:
    """Returns an error if the head would stay untrained: its weights are missing or have another shape."""
    report = plan.report
    lacking = [key for key in report.lacking if not matches(key, source.allow_missing)]
    untrained = [key for key in (*report.skipped, *lacking) if is_of_head(key, source)]
    if not untrained:
        return None
    key = untrained[0]
    reason = report.skipped.get(key, "the weights have none")
    return _mismatch(
        f"The weights in {source.uri} do not fit the head, whose classes would be random: {key}: {reason}.", report,
        "Keep the num_classes of the weights, or give weights of your own with --checkpoint; with --random "
        "`predict` and `export` take untrained ones.",
    )  # fmt: skip


def _completeness(plan: LoadPlan, source: WeightsSource, purpose: Purpose) -> WeightsMismatch | None:
    report = plan.report
    wanted = (*report.lacking, *report.new) if purpose == "use" else report.lacking
    lacking = [key for key in wanted if not matches(key, source.allow_missing)]
    least = MIN_COVERAGE if source.min_coverage is None else source.min_coverage
    told = source.min_coverage is not None or not lacking
    if report.coverage < least and not (source.min_coverage is None and not lacking):
        lacks = f" They lack {grouped(lacking)}.{_without_a_place(report)}" if lacking else ""
        return _mismatch(
            f"The weights in {source.uri} cover {report.coverage:.1%} of the module, less than {least:.0%}.{lacks}",
            report,
            "Check sub_level and key_map, and that it is the same model. If only a part is meant to be loaded, load it "
            "into that part, name the rest in allow_missing, or lower min_coverage.",
        )
    if lacking and (purpose == "use" or not told):
        what = "what is used needs all of its parameters and statistics" if purpose == "use" else (
            "they would start from random or initial values"
        )  # fmt: skip
        return _mismatch(
            f"The weights in {source.uri} lack {len(lacking)} of the module's tensors ({what}): {grouped(lacking)}.",
            report,
            f"Is it the whole checkpoint, of the same model?{_without_a_place(report)} If it is meant, say it in the "
            f"weights' mapping, allow_missing: [{', '.join(_patterns(lacking))}], or with --allow-missing.",
        )
    return None


def _without_a_place(report: LoadReport) -> str:
    """Returns which keys the file has instead, so that misspelt names can be compared with the missing ones."""
    return f" Without a place are {grouped(report.unexpected)}." if report.unexpected else ""


def _leftovers(plan: LoadPlan, source: WeightsSource, purpose: Purpose) -> WeightsMismatch | None:
    report = plan.report
    least_used = MIN_USAGE if source.min_usage is None else source.min_usage
    unused = _unused(plan, source) if purpose == "use" else []
    if report.usage < least_used and not (source.min_usage is None and _allows_unused(plan, source)):
        return _mismatch(
            f"Only {report.usage:.1%} of the weights in {source.uri} find a place, less than {least_used:.0%}: they "
            "go on where the module ends.", report,
            "Is the module's depth the same? If only the beginning is meant to be loaded, lower min_usage.",
        )  # fmt: skip
    if unused:
        return _mismatch(
            f"{len(unused)} tensors in {source.uri} belong to parts of the module and have no place there, so that it "
            f"would give other numbers than theirs: {grouped(unused)}.", report,
            "Is it another variant of the model? If they are rightly left over, say it in the weights' mapping, "
            f"allow_unused: [{', '.join(_patterns(unused))}], or with --allow-unused.",
        )  # fmt: skip
    if source.strict and not (report.complete and not report.unexpected):
        return _mismatch(f"The weights in {source.uri} do not match the module key by key.", report, "strict is set.")
    return None


def _allows_unused(plan: LoadPlan, source: WeightsSource) -> bool:
    """Returns whether the user allowed everything that is left over."""
    return bool(source.allow_unused) and all(matches(key, source.allow_unused) for key in plan.report.unused)


def _unused(plan: LoadPlan, source: WeightsSource) -> list[str]:
    replaced = any(is_of_head(key, source) for key in plan.report.skipped)
    return [
        key
        for key in plan.report.unused
        if not matches(key, source.allow_unused) and not (replaced and is_of_head(key, source))
    ]


def _finiteness(module: nn.Module, plan: LoadPlan, source: WeightsSource) -> WeightsMismatch | None:
    if source.allow_nonfinite:
        return None
    bad = [key for key, tensor in plan.tensors.items() if not is_finite(tensor)]
    if not bad:
        return None
    state = module.state_dict(keep_vars=True)
    bad = [key for key in bad if not _is_infinite_by_design(state[key], plan.tensors[key])]
    if not bad:
        return None
    overflown = [key for key in bad if key in plan.overflown]
    what = (
        f"overflow {str(plan.tensors[overflown[0]].dtype).removeprefix('torch.')}"
        if len(overflown) == len(bad)
        else "are not finite (NaN or infinite)"
    )
    return _mismatch(
        f"The weights in {source.uri} {what} in {len(bad)} tensors: {grouped(bad)}.", plan.report,
        "Training diverged before they were saved, or the file is damaged: take an earlier checkpoint. "
        "allow_nonfinite: true in the weights' mapping loads them all the same.",
    )  # fmt: skip


def _is_infinite_by_design(own: object, given: Tensor) -> bool:
    """Returns whether a buffer is infinite by construction, as masks are, and the weights have the same values."""
    if not isinstance(own, Tensor) or isinstance(own, nn.Parameter) or own.is_meta or own.shape != given.shape:
        return False
    infinite = given.isinf()
    own = own.detach().to(given.device, given.dtype)
    return not bool(given.isnan().any()) and bool((infinite == own.isinf()).all()) and bool(
        (given[infinite] == own[infinite]).all()
    )  # fmt: skip


def _patterns(keys: Sequence[str]) -> list[str]:
    """Returns short patterns that match these keys."""
    tails = Counter(_tail(key) for key in keys)
    whole = {_tail(key): key for key in keys}
    named = [f'"*.{tail}"' if count > 1 and "*" not in tail else f'"{whole[tail]}"' if count == 1 else f'"*{tail}"'
             for tail, count in tails.items()]  # fmt: skip
    return [*named[:_GROUPS], "..."] if len(named) > _GROUPS else named


def _mismatch(message: str, report: LoadReport, hint: str) -> WeightsMismatch:
    error = WeightsMismatch(message, hint=hint)
    error.report = report
    return error

"""Chooses how the keys of a file are read, unchanged or by the zoo entry's key map, depending on which fits better."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from essmc_core.errors import WeightsCorrupt, WeightsMismatch
from essmc_core.weights.adapt import DEFAULT_RULES, Rule
from essmc_core.weights.cache import discard
from essmc_core.weights.fetching import locate
from essmc_core.weights.judgement import Purpose, judge
from essmc_core.weights.layouts.readings import recognised_key_maps
from essmc_core.weights.plan import LoadPlan, plan_load
from essmc_core.weights.read import read_weights
from essmc_core.weights.source import WeightsSource
from essmc_core.weights.state_dict import extract_state_dict, find_state_dict


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One reading: its plan, or why there is none, and the error that it would raise."""

    plan: LoadPlan | None
    error: WeightsMismatch | None
    source: WeightsSource

    @property
    def coverage(self) -> float:
        return self.plan.report.coverage if self.plan is not None and not self.plan.misfits else 0.0


def open_checkpoint(source: WeightsSource, *, mmap: bool | None = None) -> Mapping[str, Any]:
    """Fetches and reads the whole file that a source names.

    Args:
        source: what to read.
        mmap: whether to memory-map the file; None: only a file in a cache whose digest was verified.
    """
    local = locate(source.uri, sha256=source.digest)
    try:
        return read_weights(local.path, mmap=local.mappable if mmap is None else mmap)
    except WeightsCorrupt:
        discard(local.path)
        raise


def plan_checkpoint(
    module: nn.Module,
    checkpoint: Mapping[str, Any],
    source: WeightsSource,
    *,
    purpose: Purpose = "start",
    allow_head_mismatch: bool = True,
    rules: Sequence[Rule] = DEFAULT_RULES,
) -> LoadPlan:
    """Plans and checks the load of a checkpoint; the module is only read.

    The keys are tried unchanged first. If they do not fit completely, the source's ``fallback`` is tried, and the
    better of the two is used. If neither may be loaded and the source says nothing of the keys, the key maps of the
    layouts that the file is recognised by are tried, and used if exactly one of them fits in full. The report states
    which was used.

    Args:
        module: the module to load.
        checkpoint: content of the file.
        source: how it is read, and what is allowed.
        purpose: purpose of the module, see `essmc_core.weights.judgement`.
        allow_head_mismatch: as for `load_pretrained`.
        rules: as for `load_pretrained`.

    Raises:
        WeightsMismatch: neither reading fits; the error is that of the better one.
    """

    def attempt(reading: WeightsSource) -> _Attempt:
        try:
            weights = extract_state_dict(checkpoint, reading)
        except WeightsMismatch as error:
            return _Attempt(None, error, reading)
        plan = plan_load(module, weights, reading, allow_head_mismatch=allow_head_mismatch, rules=rules)
        return _Attempt(plan, judge(module, plan, reading, purpose), reading)

    plain, *others = source.readings()
    best = attempt(plain)
    if others and not (best.error is None and best.plan is not None and best.plan.report.fits_whole):
        best = _better(best, attempt(others[0]))
    if best.error is not None:
        best = _by_layout(checkpoint, source, attempt) or best
    if best.error is not None or best.plan is None:
        assert best.error is not None
        raise best.error
    part = ".".join(find_state_dict(checkpoint, best.source.ema).path)
    return replace(best.plan, report=replace(best.plan.report, key_map=best.source.key_map_name, part=part))


def _better(plain: _Attempt, other: _Attempt) -> _Attempt:
    if (plain.error is None) != (other.error is None):
        return plain if plain.error is None else other
    return other if other.coverage > plain.coverage else plain


def _by_layout(
    checkpoint: Mapping[str, Any], source: WeightsSource, attempt: Callable[[WeightsSource], _Attempt]
) -> _Attempt | None:
    """Returns the reading by the layout that a file is recognised by, None unless exactly one fits in full."""
    if source.key_map or source.sub_level or source.prefix:
        return None
    try:
        tensors = find_state_dict(checkpoint, source.ema).tensors
    except WeightsMismatch:
        return None
    attempts = [
        attempt(replace(source, key_map=pairs, key_map_name=name, fallback=None))
        for pairs, name in recognised_key_maps(tensors).items()
    ]
    fitting = [one for one in attempts if one.error is None and one.plan is not None and _fits_in_full(one.plan)]
    return fitting[0] if len(fitting) == 1 else None


def _fits_in_full(plan: LoadPlan) -> bool:
    return not plan.report.lacking and not plan.report.unused and not plan.report.unexpected

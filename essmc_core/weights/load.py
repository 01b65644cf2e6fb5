"""Loads weights into a module, all that fit or nothing at all."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.errors import WeightsCorrupt, WeightsMismatch
from essmc_core.weights.adapt import DEFAULT_RULES, Rule
from essmc_core.weights.cache import discard
from essmc_core.weights.fetching import locate
from essmc_core.weights.plan import LoadPlan, is_of_head, plan_load, tied_groups
from essmc_core.weights.read import read_weights
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import Inflation, TimePositions, WeightsSource
from essmc_core.weights.state_dict import extract_state_dict, top_level_names

# Weights of the same architecture fill everything but the head, which is not counted. Below nine tenths something is
# wrong far more often than meant: another depth, no statistics for batch norm, a mistyped level. Whoever means it
# (a 2D network under new temporal layers) lowers the threshold and thereby says so.
MIN_COVERAGE = 0.9
MIN_USAGE = 0.9

Source = str | os.PathLike[str] | Mapping[str, Any] | WeightsSource


def load_pretrained(
    module: nn.Module,
    source: Source,
    *,
    sha256: str | None = None,
    key_map: Sequence[Sequence[str]] = (),
    sub_level: str | None = None,
    prefix: str | None = None,
    inflate: Inflation | None = None,
    in_chans: bool | None = None,
    positions: TimePositions | None = None,
    position_grid: Sequence[int] | None = None,
    ema: bool | None = None,
    min_coverage: float | None = None,
    min_usage: float | None = None,
    strict: bool | None = None,
    assign: bool = False,
    mmap: bool | None = None,
    allow_head_mismatch: bool = True,
    head_prefixes: Sequence[str] | None = None,
    rules: Sequence[Rule] = DEFAULT_RULES,
) -> LoadReport:
    """Fetches, reads, renames, adapts and loads weights; the module is changed only if enough of them fits.

    Args:
        module: where the weights go; its dtypes and devices stay as they are.
        source: a path, a URI, or a mapping with ``path`` or ``uri`` and any of the options of `WeightsSource`. The
            arguments below take precedence over the mapping.
        sha256: expected digest of the file.
        key_map: (regular expression, replacement) pairs for the keys.
        sub_level: keep the keys below this prefix only.
        prefix: put in front of every key.
        inflate: ``"centre"`` or ``"average"`` to turn 2D kernels into 3D ones.
        in_chans: let the first convolution be adapted to another number of input channels.
        positions: how learned positions in time are made more or fewer: ``"interpolate"`` (default), ``"repeat"``,
            ``"average"`` or ``"centre"``; see `essmc_core.weights.positions`.
        position_grid: (time, height, width) of the weights' tables of positions, where their number alone does not
            tell.
        ema: choose the averaged (True) or plain (False) weights; None prefers the averaged ones.
        min_coverage: share of the module, in [0, 1], that must be loaded, 0.9 by default. The head is not counted if it
            was dropped.
        min_usage: share of the weights, in [0, 1], that must find a place, 0.9 by default; see `LoadReport.usage`.
        strict: refuse unless every key on both sides is used.
        assign: put the tensors themselves into the module instead of copying their values.
        mmap: map the file into memory. By default only where that is safe: for a load that copies, and for files
            in a cache or a package, which nobody overwrites in place.
        allow_head_mismatch: drop a head whose shape differs (another number of classes) instead of refusing.
        head_prefixes: what counts as the head, ``("head",)`` by default.
        rules: the ways to adapt a tensor, see `essmc_core.weights.adapt`.

    Raises:
        WeightsMismatch: too little fits, or a tensor outside the head has another shape; ``error.report`` has it all.
        WeightsError: the weights cannot be found, read or trusted; see `fetch` and `read_weights`.
        ConfigError: the source is malformed.
    """
    parsed = WeightsSource.parse(
        source, sha256=sha256, key_map=tuple(key_map), sub_level=sub_level, prefix=prefix, inflate=inflate,
        in_chans=in_chans, positions=positions,
        position_grid=tuple(position_grid) if position_grid else None,
        ema=ema, min_coverage=min_coverage, min_usage=min_usage, strict=strict,
        head_prefixes=tuple(head_prefixes) if head_prefixes is not None else None,
    )  # fmt: skip
    weights = open_weights(parsed, mmap=mmap if mmap is not None else (None if assign else True))
    plan = plan_load(module, weights, parsed, allow_head_mismatch=allow_head_mismatch, rules=rules)
    check_plan(plan, parsed, weights)
    execute_plan(module, plan, assign=assign)
    note_report(module, plan.report)
    return plan.report


def note_report(module: nn.Module, report: LoadReport) -> None:
    """Keeps on a module what was loaded into it, for the log of a training."""
    module.load_report = report  # type: ignore[assignment]


def open_weights(source: WeightsSource, *, mmap: bool | None = None) -> dict[str, Tensor]:
    """Fetches and reads the state dict that a source describes, under the names it gives the tensors.

    Args:
        source: what to read.
        mmap: whether to map the file into memory; None: only files in a cache or a package.
    """
    local = locate(source.uri, sha256=source.digest)
    try:
        checkpoint = read_weights(local.path, mmap=local.managed if mmap is None else mmap)
    except WeightsCorrupt:
        discard(local.path)
        raise
    return extract_state_dict(checkpoint, source)


def check_plan(plan: LoadPlan, source: WeightsSource, weights: Mapping[str, Tensor]) -> None:
    """Refuses a plan that would leave the module poorly loaded.

    Raises:
        WeightsMismatch: with the report as its ``report``.
    """
    report = plan.report
    least = MIN_COVERAGE if source.min_coverage is None else source.min_coverage
    least_used = MIN_USAGE if source.min_usage is None else source.min_usage
    if not report.loaded:
        tops = ", ".join(top_level_names(weights)[:10])
        images = (
            " They have 2D kernels and the module has 3D ones: an image network's need a key_map to its names, and "
            "inflate='average' or inflate='centre'."
        )
        raise _mismatch(
            f"None of the weights in {source.uri} fits the module.", report,
            f"At the top level they have: {tops}. Check sub_level, prefix and key_map, or that it is the same model."
            f"{images if plan.inflatable else ''}",
        )  # fmt: skip
    if plan.misfits:
        key, reason = next(iter(plan.misfits.items()))
        more = f" (and {len(plan.misfits) - 1} more)" if len(plan.misfits) > 1 else ""
        raise _mismatch(
            f"The weights in {source.uri} do not fit the module: {key}: {reason}{more}.", report,
            "Is it another variant of the model? inflate turns 2D kernels into 3D ones, in_chans adapts the first "
            "convolution, position_grid says how learned positions are laid out, and tensors below head_prefixes may "
            "be dropped.",
        )  # fmt: skip
    if report.coverage < least:
        raise _mismatch(
            f"The weights in {source.uri} cover {report.coverage:.1%} of the module, less than {least:.0%}.", report,
            "Check sub_level and key_map, and that it is the same model. If only a part is meant to be loaded, load it "
            "into that part, or lower min_coverage.",
        )  # fmt: skip
    if report.usage < least_used:
        raise _mismatch(
            f"Only {report.usage:.1%} of the weights in {source.uri} find a place, less than {least_used:.0%}: they "
            "go on where the module ends.", report,
            "Is the module's depth the same? If only the beginning is meant to be loaded, lower min_usage.",
        )  # fmt: skip
    if source.strict and not (report.complete and not report.unexpected):
        raise _mismatch(f"The weights in {source.uri} do not match the module key by key.", report, "strict is set.")


def require_head(source: Source, report: LoadReport) -> None:
    """Refuses a load that left the head untrained, by its weights' shapes or for want of any.

    Raises:
        WeightsMismatch: with the report as its ``report``.
    """
    parsed = WeightsSource.parse(source)
    untrained = [key for key in (*report.skipped, *report.missing) if is_of_head(key, parsed)]
    if untrained:
        key = untrained[0]
        reason = report.skipped.get(key, "the weights have none")
        raise _mismatch(
            f"The weights in {parsed.uri} do not fit the head, whose classes would be random: {key}: {reason}.", report,
            "Keep the num_classes of the weights, or give weights of your own with --checkpoint; with --random "
            "`predict` and `export` take untrained ones.",
        )  # fmt: skip


def execute_plan(module: nn.Module, plan: LoadPlan, *, assign: bool = False) -> None:
    """Puts the plan's tensors into the module, by copying or by assignment; ties between parameters are kept."""
    current = module.state_dict(keep_vars=True)
    if not assign:
        if any(isinstance(current[key], Tensor) and current[key].is_meta for key in plan.tensors):
            raise WeightsMismatch(
                "The module is on the meta device, where values cannot be copied to.", hint="assign=True."
            )
        module.load_state_dict(plan.tensors, strict=False)
        return
    ties = tied_groups(module)
    module.load_state_dict(_assignable(plan.tensors, current), strict=False, assign=True)
    for group in ties:
        _tie(module, group, plan)


def _assignable(tensors: Mapping[str, Tensor], current: Mapping[str, Any]) -> dict[str, Tensor]:
    """Moves tensors to the module's devices and separates those that share memory."""
    ready: dict[str, Tensor] = {}
    taken: set[int] = set()
    for key, tensor in tensors.items():
        target = current[key]
        moved = tensor if target.is_meta else tensor.to(target.device)
        # Parameters that shared memory, with each other or among their own elements, would be trained as one.
        if moved.data_ptr() in taken or 0 in moved.stride():
            moved = moved.clone(memory_format=torch.contiguous_format)
        taken.add(moved.data_ptr())
        ready[key] = moved
    return ready


def _tie(module: nn.Module, group: Sequence[str], plan: LoadPlan) -> None:
    source = next((key for key in group if key in plan.tensors), None)
    if source is None:
        return
    owner, name = _owner(module, source)
    for key in group:
        other, other_name = _owner(module, key)
        setattr(other, other_name, getattr(owner, name))


def _owner(module: nn.Module, key: str) -> tuple[nn.Module, str]:
    path, _, name = key.rpartition(".")
    return module.get_submodule(path), name


def _mismatch(message: str, report: LoadReport, hint: str) -> WeightsMismatch:
    error = WeightsMismatch(message, hint=hint)
    error.report = report
    return error

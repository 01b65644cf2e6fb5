"""Loads weights into a module: either everything that was planned or nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core.errors import WeightsMismatch
from essmc_core.weights.adapt import DEFAULT_RULES, Rule
from essmc_core.weights.judgement import Purpose, judge
from essmc_core.weights.plan import LoadPlan, plan_load, tied_groups
from essmc_core.weights.random_weights import say_random
from essmc_core.weights.readings import open_checkpoint, plan_checkpoint
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import Inflation, TimePositions, WeightsSource
from essmc_core.weights.state_dict import extract_state_dict

Source = str | os.PathLike[str] | Mapping[str, Any] | WeightsSource


def load_pretrained(
    module: nn.Module,
    source: Source,
    *,
    sha256: str | None = None,
    key_map: str | Sequence[Sequence[str]] = (),
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
    allow_missing: Sequence[str] = (),
    allow_unused: Sequence[str] = (),
    allow_nonfinite: bool | None = None,
    purpose: Purpose = "start",
    rules: Sequence[Rule] = DEFAULT_RULES,
) -> LoadReport:
    """Fetches, reads, renames, adapts and loads weights; the module is changed only if they fit.

    They fit if they fill every parameter and every statistic of the module, and each of their tensors has its place,
    except what the options allow.

    Args:
        module: where the weights go; its dtypes and devices stay as they are.
        source: a path, a URI, or a mapping with ``path`` or ``uri`` and any of the options of `WeightsSource`. The
            arguments below take precedence over the mapping.
        sha256: expected digest of the file.
        key_map: (regular expression, replacement) pairs for the keys, or the name of a registered key map.
        sub_level: keep the keys below this prefix only.
        prefix: prefix to add to every key.
        inflate: ``"centre"`` or ``"average"`` to inflate 2D kernels to 3D.
        in_chans: whether the first convolution may be adapted to another number of input channels.
        positions: how position embeddings are resized in time: ``"interpolate"`` (default), ``"repeat"``,
            ``"average"`` or ``"centre"``; see `essmc_core.weights.positions`.
        position_grid: (time, height, width) of the weights' position embeddings, if their number of tokens is
            ambiguous.
        ema: choose the averaged (True) or plain (False) weights; None prefers the averaged ones.
        min_coverage: share of the module, in [0, 1], that is enough, see `LoadReport.coverage`; without it, all but
            ``allow_missing`` must be loaded.
        min_usage: share of the weights, in [0, 1], that is enough, see `LoadReport.usage`; without it, all but
            ``allow_unused`` must be used.
        strict: raise unless every key on both sides is used.
        assign: assign the tensors to the module instead of copying their values.
        mmap: memory-map the file. By default only where that is safe: files of a cache whose digest was verified,
            which nobody overwrites in place.
        allow_head_mismatch: drop a head for another number of classes instead of raising.
        head_prefixes: key prefixes of the head, ``("head",)`` by default.
        allow_missing: patterns of the module's keys that the weights may lack, or have in another shape; a name
            includes all keys below it.
        allow_unused: patterns of the weights' keys that may stay unused.
        allow_nonfinite: load NaN and infinity as well.
        purpose: ``"start"`` of training, or ``"use"`` as it is, for which no parameter or statistic may be missing; see
            `essmc_core.weights.judgement`.
        rules: the ways to adapt a tensor, see `essmc_core.weights.adapt`.

    Raises:
        WeightsMismatch: a required tensor is missing, has another shape or is not finite, or a tensor of the weights
            has no place; ``error.report.faults`` lists what is wrong, and what would allow it.
        WeightsError: the weights cannot be found, read or trusted; see `fetch` and `read_weights`.
        ConfigError: the source is malformed.
    """
    parsed = WeightsSource.parse(
        source, sha256=sha256, key_map=key_map if isinstance(key_map, str) else tuple(key_map),
        sub_level=sub_level, prefix=prefix, inflate=inflate,
        in_chans=in_chans, positions=positions,
        position_grid=tuple(position_grid) if position_grid else None,
        ema=ema, min_coverage=min_coverage, min_usage=min_usage, strict=strict,
        head_prefixes=tuple(head_prefixes) if head_prefixes is not None else None,
        allow_missing=tuple(allow_missing), allow_unused=tuple(allow_unused), allow_nonfinite=allow_nonfinite,
    )  # fmt: skip
    checkpoint = open_checkpoint(parsed, mmap=mmap)
    plan = plan_checkpoint(
        module, checkpoint, parsed, purpose=purpose, allow_head_mismatch=allow_head_mismatch, rules=rules
    )
    execute_plan(module, plan, assign=assign)
    note_report(module, plan.report)
    return plan.report


def load_exactly(module: nn.Module, weights: Mapping[str, Any], name: str) -> LoadReport:
    """Loads the state dict of the same module, to go on with exactly what was saved, or changes nothing.

    Args:
        module: where the weights go.
        weights: its state dict, as it was saved.
        name: what the weights are from, for messages.

    Raises:
        WeightsMismatch: a key on either side is without its counterpart, or a tensor has another shape or type, or is
            not finite; ``error.report`` lists the details.
    """
    tensors = {key: value for key, value in weights.items() if isinstance(value, Tensor)}
    source = WeightsSource(name)
    plan = plan_load(module, tensors, source, allow_head_mismatch=False, rules=())
    if error := judge(module, plan, source, "resume"):
        raise error
    # What is no tensor (a module's extra state) is torch's to check.
    module.load_state_dict(weights, strict=True)
    return plan.report


def note_report(module: nn.Module, report: LoadReport) -> None:
    """Stores a load report on a module, for the training log, and says what stays random."""
    module.load_report = report  # type: ignore[assignment]
    say_random(report)


def open_weights(source: WeightsSource, *, mmap: bool | None = None) -> dict[str, Tensor]:
    """Fetches and reads the state dict that a source describes, under the keys that the source maps to.

    Args:
        source: what to read.
        mmap: whether to memory-map the file; None: only a file in a cache whose digest was verified.
    """
    return extract_state_dict(open_checkpoint(source, mmap=mmap), source)


def execute_plan(module: nn.Module, plan: LoadPlan, *, assign: bool = False) -> None:
    """Puts the plan's tensors into the module, by copying or by assignment; ties between parameters are kept."""
    current = module.state_dict(keep_vars=True)
    if not assign:
        for key in plan.tensors:
            if reason := _unwritable(current[key]):
                raise WeightsMismatch(f"{key} of the module {reason}.", hint="Nothing was changed. Try assign=True.")
        module.load_state_dict(plan.tensors, strict=False)
        return
    ties = tied_groups(module)
    module.load_state_dict(_assignable(plan.tensors, current), strict=False, assign=True)
    for group in ties:
        _tie(module, group, plan)


def _unwritable(target: Any) -> str:
    """Returns why values cannot be copied into a tensor, empty if they can; a partial load could not be undone."""
    if not isinstance(target, Tensor):
        return ""
    if target.is_meta:
        return "is on the meta device, where values cannot be copied to"
    if target.is_inference() and not torch.is_inference_mode_enabled():
        return "was made in inference mode and cannot be written to"
    repeated = any(step == 0 and size > 1 for step, size in zip(target.stride(), target.shape, strict=True))
    return "repeats elements in memory (it was expanded) and cannot be written to" if repeated else ""


def _assignable(tensors: Mapping[str, Tensor], current: Mapping[str, Any]) -> dict[str, Tensor]:
    """Moves tensors to the module's devices and separates those that share memory."""
    ready: dict[str, Tensor] = {}
    taken: set[int] = set()
    for key, tensor in tensors.items():
        target = current[key]
        moved = tensor if target.is_meta else tensor.to(target.device)
        # Parameters that share memory, with each other or among their own elements, would be updated as one.
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

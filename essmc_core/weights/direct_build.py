"""Builds a module directly from its weights: parameters are neither initialised at random nor copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from torch import nn

from essmc_core.weights.adapt import DEFAULT_RULES, Rule
from essmc_core.weights.judgement import Purpose
from essmc_core.weights.load import Source, execute_plan, note_report
from essmc_core.weights.random_fills import skip_init
from essmc_core.weights.readings import open_checkpoint, plan_checkpoint
from essmc_core.weights.report import LoadReport
from essmc_core.weights.source import WeightsSource

M = TypeVar("M", bound=nn.Module)


def build_with_weights(
    build: Callable[[], M],
    source: Source,
    *,
    mmap: bool | None = None,
    allow_head_mismatch: bool = True,
    purpose: Purpose = "start",
    rules: Sequence[Rule] = DEFAULT_RULES,
    **options: Any,
) -> tuple[M, LoadReport]:
    """Builds a module and loads its weights, as `load_pretrained` after ``build()`` would, but faster.

    The module is built without random initialisation, and the tensors of the file are assigned to it. If they do not
    cover all of it (a new head, for example), it is built again, with random initialisation, and loaded by copying.

    Args:
        build: makes the module; may be called twice.
        source: as for `load_pretrained`.
        mmap: whether the tensors stay memory-mapped; None: only if the file is in a cache and its digest was verified.
            A mapped file must not be overwritten in place while the module exists.
        allow_head_mismatch: as for `load_pretrained`.
        purpose: as for `load_pretrained`.
        rules: as for `load_pretrained`.
        **options: attributes of `WeightsSource` that take precedence over those in ``source``.

    Returns:
        The module and the report.

    Raises:
        As `load_pretrained`.
    """
    parsed = WeightsSource.parse(source, **options)
    checkpoint = open_checkpoint(parsed, mmap=mmap)
    with skip_init():
        module = build()
    plan = plan_checkpoint(
        module, checkpoint, parsed, purpose=purpose, allow_head_mismatch=allow_head_mismatch, rules=rules
    )
    # Buffers were initialised, so that those missing from the weights are correct already.
    if plan.filled.issuperset(name for name, _ in module.named_parameters(remove_duplicate=False)):
        execute_plan(module, plan, assign=True)
        note_report(module, plan.report)
        return module, plan.report
    module = build()
    execute_plan(module, plan, assign=False)
    note_report(module, plan.report)
    return module, plan.report

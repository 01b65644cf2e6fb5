"""All checks of a component or a zoo entry, by kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from essmc_devkit.components import (
    backbone,
    copying,
    dataset,
    declared,
    engine,
    entry,
    exporting,
    head,
    hook,
    loss,
    metric,
    model,
    optimizer,
    refusals,
    running,
    sampler,
    schedule,
    traces_left,
    transform,
)
from essmc_devkit.components.backbone_subject import BackboneSubject
from essmc_devkit.components.check import Check, NotChecked
from essmc_devkit.components.model_subject import ModelSubject
from essmc_devkit.components.module_subject import ModuleSubject
from essmc_devkit.components.subject import Subject
from essmc_devkit.finding import Finding

_MODULES = (running.runs, running.in_place, running.eval_state, *copying.MODULES, *exporting.ALL)
CHECKS: Mapping[str, Sequence[Check[Any]]] = {
    "backbones": (*backbone.ALL, *refusals.BACKBONES, *_MODULES),
    "necks": _MODULES,
    "heads": (*head.ALL, refusals.width, *_MODULES),
    "models": (*model.ALL, *_MODULES),
    "losses": (running.measures, *loss.ALL, copying.objects),
    "metrics": (running.measures, *metric.ALL, copying.objects),
    "transforms": transform.ALL,
    "datasets": dataset.ALL,
    "frame_samplers": (*sampler.ALL, copying.objects),
    "hooks": (*hook.ALL, copying.objects),
    "optimizers": optimizer.ALL,
    "lr_schedulers": schedule.ALL,
    "engines": engine.ALL,
}
"""What is checked once a component is built, by kind; of others only that they can be copied."""
_SUBJECTS: Mapping[str, Callable[[str], Subject]] = {
    "backbones": lambda name: BackboneSubject("backbones", name),
    "necks": lambda name: ModuleSubject("necks", name),
    "heads": lambda name: ModuleSubject("heads", name),
    "models": ModelSubject,
    "losses": loss.LossSubject,
    "metrics": metric.MetricSubject,
    "transforms": transform.TransformSubject,
    "datasets": dataset.DatasetSubject,
    "frame_samplers": sampler.SamplerSubject,
    "hooks": hook.HookSubject,
    "optimizers": optimizer.OptimizerSubject,
    "lr_schedulers": schedule.ScheduleSubject,
    "engines": engine.EngineSubject,
}


def _all(check: str) -> bool:
    return True


def check_component(kind: str, name: str, wanted: Callable[[str], bool] = _all) -> Iterator[Finding]:
    """Yields the findings of all checks of a registered component, with arguments and inputs that are found for it.

    Args:
        kind: plural name of its registry.
        name: its name there.
        wanted: says by the name of a check whether it is made; checks of what is built need `component.builds`.
    """
    subject = _SUBJECTS[kind](name) if kind in _SUBJECTS else Subject(kind, name)
    for one in declared.DECLARED:
        if wanted(one.name):
            found = one(subject)
            yield from found
            # Without the target every other check would say the same.
            if one is declared.target and any(finding.status == "failed" for finding in found):
                return
    later = [one for one in (*traces_left.ALL, *CHECKS.get(kind, (copying.objects,))) if wanted(one.name)]
    if not later and not wanted(declared.builds.name):
        return
    built = declared.builds(subject)
    yield from built
    # What cannot be built would be skipped by every check that follows.
    if any(finding.status in ("failed", "skipped") for finding in built):
        return
    for one in later:
        yield from one(subject)


def check_entry(name: str, wanted: Callable[[str], bool] = _all) -> Iterator[Finding]:
    """Yields the findings of all checks of a zoo entry; those that run its model only where that is small.

    Args:
        name: its name, or ``pack/name``.
        wanted: says by the name of a check whether it is made.
    """
    subject = entry.EntrySubject(name)
    for stated in entry.STATED:
        if wanted(stated.name):
            yield from stated(subject)
    if not any(wanted(one.name) for one in entry.RUN):
        return
    try:
        small = subject.model
    except NotChecked as reason:
        yield Finding("entry.model", name, "skipped", str(reason))
        return
    except Exception:
        # The file's mistakes were said.
        return
    for one_of_model in entry.RUN:
        if wanted(one_of_model.name):
            yield from one_of_model(small)

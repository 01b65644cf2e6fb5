"""The page on conformance names every check and every class, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from essmc_devkit import testing
from essmc_devkit.components import checking, declared, entry, traces_left
from essmc_devkit.components.check import Check
from essmc_devkit.testing import conforming

PAGE = (Path(__file__).parents[4] / "docs" / "conformance.md").read_text(encoding="utf-8")
CHECKS = {
    check.name: check
    for checks in (*checking.CHECKS.values(), declared.DECLARED, (declared.builds,), traces_left.ALL, entry.STATED)
    for check in checks
} | {"copying.objects": checking.copying.objects}
GROUPS = {name.partition(".")[0] for name in CHECKS}


def test_the_page_names_every_check_and_no_other():
    named = {name for name in re.findall(r"`([a-z-]+\.[a-z-]+)`", PAGE) if name.partition(".")[0] in GROUPS}
    assert named == set(CHECKS)


def test_the_page_names_every_class():
    assert [name for name in testing.__all__ if f"`{name}`" not in PAGE] == []


@pytest.mark.parametrize(
    ("cls", "kind"),
    [
        ("BackboneConformance", "backbones"),
        ("HeadConformance", "heads"),
        ("NeckConformance", "necks"),
        ("ModelConformance", "models"),
        ("LossConformance", "losses"),
        ("MetricConformance", "metrics"),
        ("TransformConformance", "transforms"),
        ("DatasetConformance", "datasets"),
        ("HookConformance", "hooks"),
        ("OptimizerConformance", "optimizers"),
        ("ScheduleConformance", "lr_schedulers"),
        ("EngineConformance", "engines"),
        ("SamplerConformance", "frame_samplers"),
    ],
)
def test_a_class_runs_every_check_of_its_kind(cls, kind):
    made: list[str] = []

    class Recorder(getattr(testing, cls)):
        def conforms(self, check: Check, subject: object) -> None:
            made.append(check.name)

    for name in dir(Recorder):
        if name.startswith("test_"):
            getattr(Recorder(), name)(None)
    wanted = {check.name for check in (*declared.DECLARED, declared.builds, *traces_left.ALL, *checking.CHECKS[kind])}
    assert set(made) == wanted and len(made) == len(wanted)


def test_a_failure_names_what_to_do_and_a_reason_skips():
    class Failing(conforming.Conformance):
        without = {"loss.*": "for a reason"}

    finding = conforming.Finding("head.scores", "heads/Broken", "failed", "it is wrong", "mend it")
    with pytest.raises(pytest.fail.Exception, match=r"heads/Broken: it is wrong \[head.scores\]\n  mend it"):
        Failing().judge([finding])
    with pytest.raises(pytest.skip.Exception, match="for a reason"):
        Failing().conforms(CHECKS["loss.scalar"], None)

"""Each check of backbones finds the fault it is for, and none in a sound backbone."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest

from essmc_devkit.components import backbone, copying, exporting, refusals, running
from essmc_devkit.components.backbone_subject import BackboneSubject
from essmc_devkit.components.module_subject import ModuleSubject
from tests.packs.devkit.conformance.broken_backbones import FAULTS, Sound

# A spawned process and ONNX cost seconds each, and are run once, below.
QUICK = {
    check.name: check
    for check in (running.runs, *backbone.ALL, *refusals.BACKBONES, *copying.MODULES, *exporting.ALL)
    if check.name not in ("copying.spawn", "exporting.onnx")
}


def subject_of(cls: type, register: Any) -> BackboneSubject:
    return BackboneSubject("backbones", {"type": register("backbones", cls)}, (3, 32, 32))


def test_a_sound_backbone_passes_every_check(register):
    subject = subject_of(Sound, register)
    findings = [finding for check in QUICK.values() for finding in check(subject)]
    assert [finding for finding in findings if finding.status != "ok"] == []


@pytest.mark.parametrize(("cls", "name"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_is_found_by_its_check(cls, name, register):
    (finding, *_) = QUICK[name](subject_of(cls, register))
    assert finding.status == "failed" and finding.message
    assert finding.subject == f"backbones/{cls.__name__}"


@pytest.mark.parametrize("kind", ["backbones", "models", "heads"])
def test_what_takes_no_input_at_all_is_a_fault_and_not_skipped(kind, register):
    class TakesNothing(Sound):
        def __init__(self) -> None:
            super().__init__()

        def forward(self, x: Any) -> Any:
            raise RuntimeError("sizes do not match")

    subject = BackboneSubject if kind == "backbones" else ModuleSubject
    (finding,) = running.runs(subject(kind, register(kind, TakesNothing)))
    assert finding.status == "failed" and "sizes do not match" in finding.message


def test_each_check_has_a_fault():
    assert QUICK.keys() - set(FAULTS.values()) == {"refusals.number-type"}


def test_bytes_are_refused(register):
    class TakesBytes(Sound):
        def maps(self, x: Any) -> Any:
            return super().maps(x.float())

    (finding, *_) = refusals.number_type(subject_of(TakesBytes, register))
    assert "uint8" in finding.message and "check_backbone_input" in finding.fix


@pytest.mark.slow
def test_a_kept_process_that_died_is_replaced_and_one_that_is_killed_by_a_call_is_not_tried_for_ever():
    kept = copying.run_elsewhere(os.getpid)
    with pytest.raises(BrokenProcessPool):
        copying.run_elsewhere(os._exit, 3)
    other = copying.run_elsewhere(os.getpid)
    os.kill(other, signal.SIGKILL)
    assert copying.run_elsewhere(os.getpid) not in (kept, other)


@pytest.mark.slow
def test_a_spawned_process_and_onnx_compute_the_same(register, sound_elsewhere):
    subject = subject_of(sound_elsewhere, register)
    for check in (copying.spawned, exporting.written_as_onnx):
        assert [(finding.status, finding.message) for finding in check(subject)] == [("ok", "")]


@pytest.mark.slow
def test_what_another_process_cannot_import_is_a_fault(register, sound_elsewhere, monkeypatch):
    subject = subject_of(sound_elsewhere, register)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if not Path(folder, "sound_elsewhere.py").exists()])
    (finding,) = copying.spawned(subject)
    assert finding.status == "failed" and "No module named 'sound_elsewhere'" in finding.message


@pytest.fixture
def sound_elsewhere(tmp_path, monkeypatch) -> Iterator[type]:
    """The sound backbone in a module that other processes can import, from a folder unknown to a kept process."""
    assert copying.run_elsewhere(os.getpid) != os.getpid()
    shutil.copy(Path(__file__).with_name("broken_backbones.py"), tmp_path / "sound_elsewhere.py")
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("sound_elsewhere").Sound
    del sys.modules["sound_elsewhere"]

"""Each check of models, of declarations and of zoo entries finds its fault, and none where there is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from essmc_core import ZOO
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import ZooEntry
from essmc_devkit.components import check_component, copying, declared, entry, model
from essmc_devkit.components.entry import EntrySubject
from essmc_devkit.components.model_subject import ModelSubject
from essmc_devkit.components.subject import Subject
from tests.packs.devkit.conformance.broken_models import FAULTS, SoundModel


def failures(findings: Any) -> list[str]:
    return [finding.check for finding in findings if finding.status == "failed"]


def troubles(findings: Any) -> set[str]:
    return {finding.check for finding in findings if finding.status in ("failed", "warning")}


def test_a_sound_model_passes_every_check(register):
    subject = ModelSubject(register("models", SoundModel), (3, 8, 8))
    assert [finding.status for check in model.ALL for finding in check(subject)] == ["ok"] * len(model.ALL)


@pytest.mark.parametrize(("cls", "name"), FAULTS.items(), ids=lambda value: getattr(value, "__name__", value))
def test_a_fault_of_a_model_is_found_by_its_check(cls, name, register):
    subject = ModelSubject(register("models", cls), (3, 8, 8))
    check = next(one for one in model.ALL if one.name == name)
    assert set(failures(check(subject))) == {name}


def test_each_check_of_models_has_a_fault():
    assert {check.name for check in model.ALL} == set(FAULTS.values())


class Documented(nn.Module):
    """A linear layer: (N, dim) → (N, 2).

    Args:
        dim: width of the features.
    """

    def __init__(self, dim: int = 8) -> None:
        super().__init__()
        self.linear = nn.Linear(dim, 2)

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.linear(features)
        return found


class NoAnnotation(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, dim=8) -> None:
        super().__init__(dim)


class TakesAModule(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()


class SwallowsArguments(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, dim: int = 8, **more: object) -> None:
        super().__init__(dim)


class SharesADefault(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, dims: list[int] = [8]) -> None:  # noqa: B006 - the fault
        super().__init__(dims[0])


class NoShapes(nn.Module):
    """Computes something."""


class DefaultOfAnotherType(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, dim: int = "eight") -> None:  # type: ignore[assignment]
        super().__init__()


class RaisesWhenBuilt(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, dim: int = 8) -> None:
        raise RuntimeError("there is no such layer")


class HoldsALambda(Documented):
    """(N, dim) → (N, 2). Args: dim."""

    def __init__(self, dim: int = 8) -> None:
        super().__init__(dim)
        self.twice = lambda value: 2 * value


@pytest.mark.parametrize(
    ("cls", "check"),
    [
        (NoAnnotation, declared.annotated),
        (TakesAModule, declared.annotated),
        (SwallowsArguments, declared.arguments),
        (SharesADefault, declared.arguments),
        (NoShapes, declared.docstring),
        (DefaultOfAnotherType, declared.stub),
        (RaisesWhenBuilt, declared.builds),
        (HoldsALambda, copying.objects),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_fault_of_a_declaration_is_found_by_its_check(cls, check, register):
    assert failures(check(Subject("bricks", register("bricks", cls)))) == [check.name]
    sound = Subject("bricks", register("bricks", Documented))
    assert failures(check(sound)) == []


def test_what_cannot_be_built_is_one_failure_and_no_long_list(register):
    name = register("heads", RaisesWhenBuilt)
    assert failures(check_component("heads", name)) == ["component.builds"]


SOUND_ENTRY = """
summary: A little network
model:
  type: Classifier
  backbone: {type: timm/test_resnet}
  head: {type: ClassifierHead, num_classes: 3}
input: {modality: image, size: 32, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
weights: {uri: "hf://someone/little@0123abc/model.safetensors", licence: MIT}
labels: [a, b, c]
"""


@pytest.fixture
def add_entry(tmp_path: Path):
    def add(text: str) -> EntrySubject:
        path = tmp_path / "little_for_a_test.yaml"
        path.write_text(text)
        ZOO.add(ZooEntry("little_for_a_test", "local", EntryFile(path)))
        return EntrySubject("local/little_for_a_test")

    yield add
    ZOO.table.remove_where(lambda record: record.name == "little_for_a_test")


STATED = {check.name: check for check in entry.STATED}


@pytest.mark.parametrize(
    ("name", "written", "instead"),
    [
        ("entry.file", "num_classes: 3", "num_clases: 3"),
        ("entry.input", "mean: [0.5, 0.5, 0.5], ", ""),
        ("entry.cost", "labels: [", "cost: {params: 1, gmacs: 1.0, at: [3, 32, 32]}\nlabels: ["),
        ("entry.labels", "[a, b, c]", "[a, b]"),
        ("entry.weights", "hf://someone/little@0123abc/", "pkg://essmc-motion/essmc_motion/"),
        ("entry.weights-pinned", "@0123abc", ""),
        ("entry.licence", ", licence: MIT", ""),
    ],
)
def test_a_fault_of_an_entry_is_found_by_its_check(
    name: str, written: str, instead: str, add_entry: Callable[[str], EntrySubject]
) -> None:
    assert written in SOUND_ENTRY
    assert troubles(STATED[name](add_entry(SOUND_ENTRY.replace(written, instead)))) == {name}


def test_a_sound_entry_states_all_that_is_asked_for_but_its_cost(add_entry):
    subject = add_entry(SOUND_ENTRY)
    findings = [finding for check in entry.STATED for finding in check(subject)]
    assert troubles(findings) == {"entry.cost"}, findings

"""Every exception of ours crosses process borders whole."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import pkgutil
from pathlib import Path

import pytest

import essmc_core
from essmc_core.errors import EssmcError, Issue
from essmc_core.location import Location

OURS = ("essmc_core", *(f"essmc_{name}" for name in ("classifiers", "data", "solvers", "timm", "torchvision", "video")))


def _all_classes() -> list[type[EssmcError]]:
    for package in OURS:
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}."):
            if module.name.rpartition(".")[2] in ("errors", "exporting", "compatibility", "trouble", "settings"):
                importlib.import_module(module.name)
    classes: list[type[EssmcError]] = []
    pending = [EssmcError]
    while pending:
        kind = pending.pop()
        classes.append(kind)
        pending.extend(kind.__subclasses__())
    return sorted((kind for kind in set(classes) if kind.__module__.startswith(OURS)), key=lambda kind: kind.__name__)


_SAMPLES = {"int": 3, "float": 0.5, "Path": Path("last.pt"), "Sequence[Issue]": [Issue("model.head", "is wrong")]}


def _made(kind: type[EssmcError]) -> EssmcError:
    parameters = inspect.signature(kind).parameters.values()
    required = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    given = [_SAMPLES.get(str(p.annotation).partition(" | ")[0], "what was wrong") for p in required]
    error = kind(*given)
    error.where, error.hint = Location("net.yaml", 3, 5), "do this"
    error.extra = {"coverage": 0.5}  # type: ignore[attr-defined]
    if isinstance(error, ImportError):
        error.name = "a.module"
    if isinstance(error, OSError):
        error.filename = "a.file"
    error.__notes__ = ["while building"]  # type: ignore[attr-defined,unused-ignore]
    return error


@pytest.mark.parametrize("kind", _all_classes(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy, copy.copy])
def test_copies_keep_type_text_and_attributes(kind, again):
    error = _made(kind)
    copied = again(error)
    assert type(copied) is kind and copied is not error
    assert str(copied) == str(error) and "net.yaml:3:5" in str(copied) and "do this" in str(copied)
    assert copied.args == error.args
    assert vars(copied) == vars(error)
    for name in ("name", "path", "filename", "errno"):
        assert getattr(copied, name, None) == getattr(error, name, None)


def test_there_are_as_many_classes_as_the_packs_define():
    names = {kind.__name__ for kind in _all_classes()}
    assert {"UnknownComponent", "ExportError", "TrainingDiverged", "UnreadableInput", "IncompatibleCore"} <= names


def test_attributes_that_cannot_be_pickled_are_told_in_words():
    error = EssmcError("what", hint="do")
    error.stream = open(__file__)  # type: ignore[attr-defined]  # noqa: SIM115
    try:
        copied = pickle.loads(pickle.dumps(error))
    finally:
        error.stream.close()  # type: ignore[attr-defined]
    assert str(copied) == str(error) and "TextIOWrapper" in copied.stream
    assert essmc_core.EssmcError is EssmcError

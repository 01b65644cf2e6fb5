"""What packs replace in shared modules is named and put back, also in libraries that they import first."""

from __future__ import annotations

import builtins
import json
import pathlib
import sys
import types

import pytest

from essmc_core.discovery.first_imports import FirstImports
from essmc_core.discovery.shared_objects import SharedObjects


def test_functions_methods_modules_and_builtin_names_are_put_back(monkeypatch):
    # Undone by monkeypatch whatever this test finds.
    for owner, name in ((json, "dumps"), (pathlib.Path, "exists")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setitem(sys.modules, "json", json)
    dumps, exists = json.dumps, pathlib.Path.exists
    shared = SharedObjects()
    json.dumps = pathlib.Path.exists = lambda *_: "mine"
    sys.modules["json"] = types.ModuleType("json")
    builtins.shout = len
    assert sorted(shared.put_back()) == ["builtins.shout", "json.dumps", "pathlib.Path.exists", "sys.modules['json']"]
    assert (json.dumps, pathlib.Path.exists, sys.modules["json"]) == (dumps, exists, json)
    assert not hasattr(builtins, "shout")
    assert shared.put_back() == []


def test_what_modules_add_to_themselves_and_plain_values_stay(monkeypatch):
    shared = SharedObjects()
    monkeypatch.setattr(json, "later", len, raising=False)
    monkeypatch.setattr(json, "__version__", "other", raising=False)
    assert shared.put_back() == []
    assert json.later is len and json.__version__ == "other"


@pytest.fixture
def library(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "a_library", raising=False)
    (tmp_path / "a_library.py").write_text("value = 1\n")
    yield
    sys.modules.pop("a_library", None)


def test_the_first_import_of_a_library_is_told_when_it_is_complete(library):
    told = []
    finders = list(sys.meta_path)
    with FirstImports(["a_library", "json"], lambda name: told.append((name, sys.modules[name].value))):
        import a_library

        a_library.value = 2
    assert told == [("a_library", 1)]
    assert sys.meta_path == finders
    assert type(a_library.__loader__).__name__ == type(a_library.__spec__.loader).__name__ == "SourceFileLoader"


def test_a_library_that_is_missing_stays_missing():
    with FirstImports(["a_library_that_is_missing"], lambda name: None), pytest.raises(ModuleNotFoundError):
        __import__("a_library_that_is_missing")

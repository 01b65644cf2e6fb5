"""The index of timm's models: exact, made without importing timm, and safe against a bad cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from essmc_timm.index import Index, load_index

REGISTERING_MODULE = """
from ._registry import register_model, register_model_deprecations

def helper():
    return '@register_model'

@register_model
def tiny_net(pretrained=False, **kwargs) -> Tiny:
    return make()

@register_model
@another_decorator
def tiny_net_large(
        pretrained=False,
):
    return make()

class Tiny:
    @register_model
    def not_a_model(self): ...

register_model_deprecations(__name__, {
    'tiny': 'tiny_net.in1k',  # a comment
    'tiny_gone': None,
})
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(folder))
    return folder


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """A timm with one exported module, one private one and one that is not exported."""
    folder = tmp_path / "timm" / "models"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from .tiny import *\nfrom ._registry import register_model as register_model\n"
    )
    (folder / "tiny.py").write_text(REGISTERING_MODULE)
    (folder / "_registry.py").write_text("@register_model\ndef private_net(): ...\n")
    (folder / "leftover.py").write_text("@register_model\ndef leftover_net(): ...\n")
    return folder


def run_python(code: str, **environment: str) -> Any:
    """Runs code in a process of its own and returns the JSON it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.mark.slow
def test_names_and_deprecations_are_exactly_those_of_the_installed_timm(cache: Path) -> None:
    real = run_python(
        "import json, timm; from timm.models import get_deprecated_models as old\n"
        "print(json.dumps([timm.list_models(), old()]))"
    )
    index = load_index()
    assert sorted(index.names()) == sorted(real[0])
    assert index.deprecated == real[1]


@pytest.mark.slow
def test_reading_the_index_imports_neither_timm_nor_torch(cache: Path) -> None:
    code = (
        "import json, sys; from essmc_timm.index import load_index; names = load_index().names()\n"
        "print(json.dumps([len(names), [m for m in ('timm', 'torch', 'torchvision') if m in sys.modules]]))"
    )
    count, heavy = run_python(code)
    assert count > 1000
    assert heavy == []


def test_only_registered_functions_of_exported_modules_are_listed(cache: Path, models_folder: Path) -> None:
    index = load_index(models_folder)
    assert index == Index(models={"tiny": ("tiny_net", "tiny_net_large")}, deprecated={"tiny": "tiny_net.in1k"})
    assert index.old_names() == {"tiny_net": {"tiny": "tiny_net.in1k"}}


def test_an_index_is_read_back_from_the_cache(cache: Path, models_folder: Path) -> None:
    load_index(models_folder)
    (file,) = (cache / "timm").iterdir()
    content = json.loads(file.read_text())
    content["models"]["tiny"] = ["from_the_cache"]
    file.write_text(json.dumps(content))
    assert load_index(models_folder).names() == ["from_the_cache"]


def test_a_changed_source_file_makes_the_cache_stale(cache: Path, models_folder: Path) -> None:
    load_index(models_folder)
    (models_folder / "tiny.py").write_text("@register_model\ndef new_net(): ...\n")
    assert load_index(models_folder).names() == ["new_net"]


def test_two_installations_keep_their_own_cache_files(cache: Path, models_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "models"
    other.mkdir(parents=True)
    (other / "__init__.py").write_text("from .one import *\n")
    (other / "one.py").write_text("@register_model\ndef other_net(): ...\n")
    load_index(models_folder), load_index(other)
    assert len(list((cache / "timm").iterdir())) == 2
    assert load_index(other).names() == ["other_net"]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, models_folder: Path, monkeypatch: Any) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ESSMC_CACHE_DIR", str(tmp_path / "file" / "cache"))
    assert load_index(models_folder).names() == ["tiny_net", "tiny_net_large"]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def is_index(models: object, deprecated: object) -> bool:
    return (
        isinstance(models, dict)
        and all(isinstance(names, list) and all(isinstance(name, str) for name in names) for names in models.values())
        and isinstance(deprecated, dict)
        and all(isinstance(name, str) for name in deprecated.values())
    )


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(models=JSON_VALUES, deprecated=JSON_VALUES)
def test_a_cache_file_of_the_wrong_shape_is_rebuilt(
    cache: Path, models_folder: Path, models: object, deprecated: object
) -> None:
    assume(not is_index(models, deprecated))
    expected = load_index(models_folder)
    (file,) = (cache / "timm").iterdir()
    fingerprint = json.loads(file.read_text())["fingerprint"]
    file.write_text(json.dumps({"fingerprint": fingerprint, "models": models, "deprecated": deprecated}))
    assert load_index(models_folder) == expected


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"[]", b"null", b"{}", b'{"fingerprint": 1}'])
def test_a_corrupt_cache_file_is_replaced(cache: Path, models_folder: Path, content: bytes) -> None:
    expected = load_index(models_folder)
    (file,) = (cache / "timm").iterdir()
    file.write_bytes(content)
    assert load_index(models_folder) == expected
    assert json.loads(file.read_text())["models"] == {"tiny": ["tiny_net", "tiny_net_large"]}
    assert [path.suffix for path in (cache / "timm").iterdir()] == [".json"]

"""Dotted overrides: what they set, where the values then come from, and which are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from essmc_core.config import Config, load_config
from essmc_core.errors import OverrideError
from essmc_core.location import Location

CONTENT: dict[str, object] = {
    "model": {"type": "Net", "head": {"num_classes": 400, "bias": None}},
    "pipeline": [{"type": "Resize", "size": 256}, {"type": "Crop", "size": [224, 224]}],
}


@pytest.fixture
def config() -> Config:
    return Config.from_mapping(CONTENT)


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("model.head.num_classes=51", ("model", "head", "num_classes"), 51),
        (" model.type = Other ", ("model", "type"), "Other"),
        ("model.lr=1e-3", ("model", "lr"), 1e-3),
        ("model.flag=no", ("model", "flag"), "no"),
        ("model.flag=true", ("model", "flag"), True),
        ("model.head=", ("model", "head"), None),
        ("model.head='#5'", ("model", "head"), "#5"),
        ("model.uri=https://a.b/c?d=e", ("model", "uri"), "https://a.b/c?d=e"),
        ("model.head=[1, {a: 2}]", ("model", "head"), (1, {"a": 2})),
        ("model.head={a: [x]}", ("model", "head"), {"a": ("x",)}),
        ("pipeline.0.size=112", ("pipeline", 0, "size"), 112),
        ("pipeline.1.size.0=112", ("pipeline", 1, "size", 0), 112),
        ("new.branch.leaf=1", ("new", "branch", "leaf"), 1),
        ("model.neck.0=1", ("model", "neck", "0"), 1),
    ],
)
def test_a_string_sets_one_value(config: Config, override: str, path: tuple[str | int, ...], value: object) -> None:
    changed = config.with_overrides([override])
    found: object = changed
    for part in path:
        found = found[part]  # type: ignore[index]
    assert found == value
    assert type(found) is type(value) or isinstance(found, Config)
    assert changed.where(*path) == Location(f"override {override!r}")
    assert config == CONTENT


def test_setting_a_mapping_replaces_it(config: Config) -> None:
    assert config.with_overrides(["model.head={dim: 1}"])["model"] == {"type": "Net", "head": {"dim": 1}}


def test_a_mapping_of_paths_sets_python_values(config: Config) -> None:
    module = object()
    changed = config.with_overrides({"model.head": module, "pipeline.1": {"size": (1, 2)}, "model.text": "1e-3"})
    assert changed["model"]["head"] is module
    assert changed["pipeline"][1] == {"size": [1, 2]}
    assert changed["model"]["text"] == "1e-3"
    assert changed.where("model", "text") == Location("override 'model.text=1e-3'")
    assert changed.where("model", "head") == Location("override 'model.head=object'")


def test_later_overrides_see_earlier_ones(config: Config) -> None:
    assert config.with_overrides(["a={b: 1}", "a.c=2", "a.b=3"])["a"] == {"b": 3, "c": 2}


def test_the_rest_keeps_its_positions(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("a:\n  b: 1\n  c: 2\n")
    config = load_config(path, ["a.b=5"])
    assert config.where("a", "b") == Location("override 'a.b=5'")
    assert config.where_key("a", "b") == Location(str(path), 2, 3)
    assert config.where("a", "c") == Location(str(path), 3, 6)
    assert config.where("a") == Location(str(path), 2, 3)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.type.name=1", r"cannot set model\.type\.name: model\.type is 'Net'"),
        ("model.head.bias.x=1", r"model\.head\.bias is None"),
        ("pipeline.0.size.h.w=1", r"pipeline\.0\.size is 256"),
        ("pipeline.2.size=1", r"pipeline has no item 2\n.*0 to 1"),
        ("pipeline.99999999999999999999=1", "has no item"),
        ("pipeline.-1.size=1", "'-1' is not an index"),
        ("pipeline.size=1", "'size' is not an index"),
        ("pipeline.²=1", "is not an index"),
        ("model", "there is no '='"),
        ("", "there is no '='"),
        ("=5", "'' is not a dotted path"),
        ("model..head=5", "not a dotted path"),
        (".model=5", "not a dotted path"),
        ("model. head=5", "not a dotted path"),
        ("model={a: 1", "cannot be used"),
        ("model=[1, 2", "cannot be used"),
        ("model=!!python/name:os.system", "not allowed"),
        ("model={a: 1, a: 2}", "already set"),
        ("model=a: b", r"would be a mapping\n.*quote"),
        ("model=- a", "would be a list"),
        ("model=#fff", "is a YAML comment"),
        ("model=a\n---\nb", "second document"),
        ("model={_base_: a.yaml}", "_base_"),
        ("model._delete_=true", "cannot be overridden"),
        ("_base_=a.yaml", "cannot be overridden"),
        ("model=\udcff", r"U\+DCFF"),
        (".".join("a" * 65) + "=1", "levels deep"),
    ],
)
def test_what_cannot_be_set_is_refused_and_named(config: Config, override: str, words: str) -> None:
    with pytest.raises(OverrideError, match=words) as caught:
        config.with_overrides([override])
    assert caught.value.where == Location(f"override {override!r}")


def test_a_refusal_shows_where_the_value_in_the_way_was_written(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("a: 1\n")
    with pytest.raises(OverrideError) as caught:
        load_config(path, ["a.b=2"])
    assert f"{path}:1:4" in str(caught.value)


def test_one_override_may_be_a_string(config: Config) -> None:
    assert config.with_overrides("model.type=X") == config.with_overrides(["model.type=X"])
    assert config.with_overrides("model.type=X")["model"]["type"] == "X"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("model.type", "there is no '='"),
        ([("model", 1)], "overrides are a list of strings, or a mapping from path to value"),
        ({3: 4}, "the path 3 is a int, not a string"),
        ({"a": {1: 2}}, "the key 1 is a int; keys are strings"),
        ({"a..b": 1}, r"'a\.\.b' is not a dotted path"),
    ],
)
def test_overrides_of_another_form_are_refused(config: Config, overrides: object, message: str) -> None:
    with pytest.raises(OverrideError, match=message):
        config.with_overrides(overrides)  # type: ignore[arg-type]


def test_an_override_is_never_run_as_code(config: Config, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    text = f"__import__('os').mkdir('{marker}')"
    assert config.with_overrides([f"model.type={text}"])["model"]["type"] == text
    assert not marker.exists()

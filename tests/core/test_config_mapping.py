"""`Config` as a Python object: immutable, comparable, copyable, printable."""

from __future__ import annotations

import copy
import json
import operator
import pickle
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from essmc_core.config import Config, load_config
from essmc_core.errors import ConfigError
from essmc_core.location import Location

CONTENT: dict[str, Any] = {"model": {"type": "Net", "sizes": [1, (2, 3)]}, "items": 5, "lr": 0.1}


@pytest.fixture
def config() -> Config:
    return Config.from_mapping(CONTENT)


def test_it_is_a_mapping(config: Config) -> None:
    assert isinstance(config, Mapping)
    assert list(config) == ["model", "items", "lr"]
    assert len(config) == 3
    assert "lr" in config
    assert "type" not in config
    assert config.get("absent", 7) == 7
    assert dict(**config)["lr"] == 0.1
    with pytest.raises(KeyError):
        config["absent"]


def test_keys_read_as_attributes_unless_a_method_has_the_name(config: Config) -> None:
    assert config.model.type == "Net"
    assert config["items"] == 5
    assert dict(config.items())["items"] == 5
    assert "model" in dir(config)


def test_a_misspelt_attribute_names_the_nearest_key(config: Config) -> None:
    with pytest.raises(AttributeError, match="no key 'modle' in <Config: model, items, lr>; did you mean 'model'"):
        _ = config.modle
    assert not hasattr(config, "anything_else")


@pytest.mark.parametrize(
    "statement",
    [
        "config['lr'] = 1",
        "del config['lr']",
        "config.lr = 1",
        "del config.lr",
        "config.model.new = 1",
        "config._data = {}",
    ],
)
def test_no_form_of_assignment_works(config: Config, statement: str) -> None:
    with pytest.raises(TypeError, match="with_overrides"):
        exec(statement, {"config": config})
    assert config == CONTENT


def test_a_sequence_cannot_be_assigned_to(config: Config) -> None:
    with pytest.raises(TypeError):
        config.model.sizes[0] = 4


def test_it_equals_mappings_of_equal_content(config: Config) -> None:
    assert config == CONTENT
    assert CONTENT.__eq__(config) is NotImplemented
    assert operator.eq(CONTENT, config)
    assert config == Config.from_mapping(OrderedDict(reversed(list(CONTENT.items()))))
    assert config == MappingProxyType(CONTENT)
    assert config.model == {"type": "Net", "sizes": (1, [2, 3])}
    assert config != {**CONTENT, "lr": 0.2}
    assert config != {**CONTENT, "model": {"type": "Net", "sizes": [1, [2]]}}
    assert config != {"model": 1}
    assert config != list(CONTENT)
    assert Config() == {}
    with pytest.raises(TypeError):
        hash(config)


def test_positions_do_not_take_part_in_equality(config: Config) -> None:
    assert Config.from_mapping(CONTENT, Location("somewhere")) == config


def test_copies_and_pickles_are_equal_and_keep_positions(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("a: {b: [1, {c: d}]}\n")
    config = load_config(path)
    for other in (copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert other == config
        assert other.where("a", "b", 1, "c") == Location(str(path), 1, 16)
    nested = pickle.loads(pickle.dumps(config.a, protocol=2))
    assert nested.where("b", 0) == Location(str(path), 1, 9)


def test_the_callers_objects_are_neither_kept_nor_changed() -> None:
    inner = {"sizes": [1, 2]}
    content = {"model": inner, "_delete_": True}
    before = copy.deepcopy(content)
    config = Config.from_mapping(content)
    assert content == before
    inner["sizes"].append(3)
    assert config == {"model": {"sizes": [1, 2]}}
    thawed = config.to_dict()
    thawed["model"]["sizes"].append(4)
    assert config == {"model": {"sizes": [1, 2]}}


def test_objects_that_are_not_yaml_are_kept_by_identity() -> None:
    module, callback = object(), {1, 2}.union
    config = Config.from_mapping({"backbone": module, "list": [callback]})
    assert config.backbone is module
    assert config.list[0] is callback
    assert copy.deepcopy(config).backbone is module
    assert config.merged({"x": 1}).backbone is module
    assert config.with_overrides({"x": 1}).to_dict()["backbone"] is module


def test_a_value_that_yaml_cannot_hold_is_not_dumped() -> None:
    config = Config.from_mapping({"a": [{"b": object()}]}, Location("here"))
    with pytest.raises(ConfigError, match=r"here: a\.0\.b holds a object"):
        config.dump()


def test_what_cannot_be_a_config_is_refused() -> None:
    loop: dict[str, Any] = {"a": []}
    loop["a"].append(loop)
    with pytest.raises(ConfigError, match=r"a\.0 contains itself"):
        Config.from_mapping(loop)
    with pytest.raises(ConfigError, match="a: the key 1 is a int"):
        Config.from_mapping({"a": {1: 2}})
    with pytest.raises(ConfigError, match="_base_"):
        Config.from_mapping({"_base_": "a.yaml"})
    with pytest.raises(ConfigError, match="_delete_ must be true or false"):
        Config.from_mapping({"a": {"_delete_": "yes"}})
    with pytest.raises(TypeError, match="made of a mapping"):
        Config.from_mapping([1])  # type: ignore[arg-type]
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"a": deep}
    with pytest.raises(ConfigError, match="levels deep"):
        Config.from_mapping(deep)


def test_the_same_object_may_occur_twice() -> None:
    shared = {"a": [1]}
    assert Config.from_mapping({"x": shared, "y": [shared, shared]}).y[1] == {"a": [1]}


def test_where_gives_the_position_of_a_mapping_made_in_python() -> None:
    config = Config.from_mapping({"a": [1, {"b": 2}]}, Location("knob"))
    assert config.where() == config.where("a", 1, "b") == config.where_key("a", 1, "b") == Location("knob")
    assert Config.from_mapping({"a": 1}).where("a") is None


def test_an_embedded_config_keeps_its_positions(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("head:\n  dim: 3\n")
    outer = Config.from_mapping({"model": load_config(path)}, Location("outside"))
    assert outer.where("model", "head", "dim") == Location(str(path), 2, 8)
    assert outer.where_key("model") == Location("outside")


def test_merging_returns_a_new_config(config: Config) -> None:
    merged = config.merged({"model": {"sizes": None}}, {"lr": {"start": 1}})
    assert merged == {"model": {"type": "Net", "sizes": None}, "items": 5, "lr": {"start": 1}}
    assert config == CONTENT
    assert config.merged({"model": {"_delete_": True, "x": 1}})["model"] == {"x": 1}
    assert config.merged() == config


def test_to_dict_is_plain_json_data(config: Config) -> None:
    plain = config.to_dict()
    assert type(plain["model"]) is dict
    assert plain["model"]["sizes"] == [1, [2, 3]]
    assert json.loads(json.dumps(plain)) == plain


def test_the_dump_is_readable_and_in_order(config: Config) -> None:
    assert config.dump() == ("model:\n  type: Net\n  sizes:\n  - 1\n  - [2, 3]\nitems: 5\nlr: 0.1\n")


def test_the_dump_of_nothing_is_a_mapping(tmp_path: Path) -> None:
    assert Config().dump() == "{}\n"


def test_nothing_is_masked_dropped_or_added_by_a_dump(tmp_path: Path) -> None:
    content = {"password": "p", "oss": {"ak": "a", "sk": "s", "nested": [{"secret_key": "k"}]}, "_secure": False}
    config = Config.from_mapping(content)
    assert config == content
    path = tmp_path / "dumped.yaml"
    path.write_text(config.dump())
    assert load_config(path) == content


def test_a_dump_is_read_alike_by_yaml_1_1_readers() -> None:
    import yaml

    content = {
        "lr": 1e-05,
        "big": 1e17,
        "a": "no",
        "b": "1e-3",
        "c": "1:30",
        "d": "2024-01-31",
        "e": "010",
        "f": ["0o7"],
    }
    assert yaml.safe_load(Config.from_mapping(content).dump()) == content


def test_subclasses_of_yaml_types_are_dumped_as_them(tmp_path: Path) -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    path = tmp_path / "dumped.yaml"
    path.write_text(Config.from_mapping({"a": Name("text")}).dump())
    assert load_config(path) == {"a": "text"}


def test_the_representation_stays_short() -> None:
    config = Config.from_mapping({f"key{i}": {"x": "y" * 1000} for i in range(1000)})
    assert repr(config) == "<Config: key0, key1, key2, key3, key4, key5, ...>"
    assert repr(Config()) == "<Config: empty>"

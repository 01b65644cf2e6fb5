"""Laws of configurations, checked on generated trees and files."""

from __future__ import annotations

import copy
import math
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from essmc_core.config import Config, load_config
from essmc_core.config.merge import merge
from essmc_core.config.tree import MappingNode, from_python, settled

law = settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])

RESERVED = {"_base_", "_delete_"}
TRICKY = [
    "1e-3",
    "no",
    "~",
    "",
    "010",
    "0o7",
    "1:30",
    "<<",
    "- a",
    "# b",
    "a: b",
    "{",
    "*x",
    "&x",
    "!t",
    "2024-01-31",
    " x ",
]
KEYS = st.text(max_size=6).filter(lambda key: key not in RESERVED)
SHORT_KEYS = st.sampled_from(["a", "b", "c"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(TRICKY)
)


def trees(keys: st.SearchStrategy[str], *, directives: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    def extend(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        mappings = st.dictionaries(keys, inner, max_size=4)
        if directives:
            mappings |= mappings.map(lambda mapping: {**mapping, "_delete_": True})
        return st.lists(inner, max_size=3) | mappings

    return st.dictionaries(keys, st.recursive(SCALARS, extend, max_leaves=12), max_size=4)


def load_text(text: str, *overrides: str) -> tuple[Config, str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_bytes(text.encode())
        return load_config(path, overrides), str(path)


@pytest.mark.slow
@law
@given(trees(KEYS | st.sampled_from(TRICKY)))
def test_a_dump_reads_back_equal_to_the_type(content: dict[str, Any]) -> None:
    config = Config.from_mapping(content)
    loaded, _ = load_text(config.dump())
    assert loaded == config == content
    assert same_types(loaded.to_dict(), config.to_dict())
    assert loaded.dump() == config.dump()


@law
@given(st.floats())
def test_every_float_survives_a_dump(value: float) -> None:
    loaded, _ = load_text(Config.from_mapping({"x": value}).dump())
    assert isinstance(loaded["x"], float)
    assert loaded["x"] == value or (math.isnan(value) and math.isnan(loaded["x"]))
    assert math.copysign(1, loaded["x"]) == math.copysign(1, value) or math.isnan(value)


@pytest.mark.slow
@law
@given(trees(SHORT_KEYS, directives=True), trees(SHORT_KEYS, directives=True), trees(SHORT_KEYS, directives=True))
def test_merging_files_is_associative(first: Any, second: Any, third: Any) -> None:
    a, b, c = (mapping_node(content) for content in (first, second, third))
    assert Config.from_node(merge(merge(a, b), c)) == Config.from_node(merge(a, merge(b, c)))


@law
@given(trees(SHORT_KEYS, directives=True))
def test_nothing_changes_when_merged_with_nothing_or_itself(content: dict[str, Any]) -> None:
    config = Config.from_mapping(content)
    assert config.merged({}) == Config().merged(content) == config.merged(config) == config


@law
@given(trees(SHORT_KEYS), trees(SHORT_KEYS))
def test_a_merge_agrees_with_merging_dicts(under: dict[str, Any], over: dict[str, Any]) -> None:
    def expected(base: Any, top: Any) -> Any:
        if not (isinstance(base, dict) and isinstance(top, dict)):
            return top
        return {key: expected(base.get(key, top.get(key)), top.get(key, base.get(key))) for key in {**base, **top}}

    assert Config.from_mapping(under).merged(over) == expected(under, over)


@pytest.mark.slow
@law
@given(trees(SHORT_KEYS, directives=True), trees(SHORT_KEYS, directives=True))
def test_merging_changes_neither_side(under: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((under, over))
    base = Config.from_mapping(under)
    base.merged(over)
    assert (under, over) == before
    assert base == Config.from_mapping(under)


@pytest.mark.slow
@law
@given(trees(SHORT_KEYS), st.data())
def test_an_override_equals_editing_the_dict(content: dict[str, Any], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(paths(content), key=repr)) if content else st.just(("new", "leaf")))
    value = data.draw(trees(SHORT_KEYS) | SCALARS)
    edited = copy.deepcopy(content)
    target: Any = edited
    for part in path[:-1]:
        target = target[part] if not isinstance(target, dict) else target.setdefault(part, {})
    target[path[-1]] = value
    config = Config.from_mapping(content)
    changed = config.with_overrides({".".join(map(str, path)): value})
    assert changed == edited
    assert config == content
    assert str(changed.where(*path)).startswith("override ")


@law
@given(trees(SHORT_KEYS), st.data())
def test_an_override_in_words_equals_one_in_python(content: dict[str, Any], data: st.DataObject) -> None:
    assume(content)
    path = ".".join(map(str, data.draw(st.sampled_from(sorted(paths(content), key=repr)))))
    written, value = data.draw(
        st.sampled_from([("1e-3", 1e-3), ("[1, a]", [1, "a"]), ("{x: ~}", {"x": None}), ("", None)])
    )
    config = Config.from_mapping(content)
    assert config.with_overrides([f"{path}={written}"]) == config.with_overrides({path: value})


@pytest.mark.slow
@law
@given(trees(st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=5)))
@example({"0": ["0000\x1f\x1f" + 5 * "\U00010000", "0\x1f\x1f" + 3 * "\U00010000" + "0"]})
def test_positions_point_at_the_text_of_keys_and_values(content: dict[str, Any]) -> None:
    text = Config.from_mapping(content).dump()
    config, source = load_text(text)
    lines = text.split("\n")
    for path in paths(config.to_dict()):
        where, where_key = config.where(*path), config.where_key(*path)
        assert where is not None
        assert where_key is not None
        assert where.source == where_key.source == source
        rest = "\n".join([lines[where.line - 1][where.column - 1 :], *lines[where.line :]])
        value = config.to_dict()
        for part in path:
            value = value[part]
        assert starts_with_value(rest, value), (path, rest)
        if isinstance(path[-1], str):
            assert starts_with_value(lines[where_key.line - 1][where_key.column - 1 :], path[-1])


def starts_with_value(text: str, value: Any) -> bool:
    """Whether the text starts as the value is written; strings differ between block and flow style."""
    if isinstance(value, list):
        return text[:1] in ("[", "-")
    if isinstance(value, dict):
        return starts_with_value(text, next(iter(value))) if value else text.startswith("{}")
    block = Config.from_mapping({"k": value}).dump().removeprefix("k:").strip()
    flow = Config.from_mapping({"k": [value]}).dump().removeprefix("k: [").removesuffix("]\n")
    # Where a long string is broken depends on what stands before it.
    return without_breaks(text).startswith((without_breaks(block), without_breaks(flow)))


def without_breaks(text: str) -> str:
    return re.sub(r"\\\n\s*(\\(?= ))?", "", text) if text.startswith('"') else text


def mapping_node(content: dict[str, Any]) -> MappingNode:
    node = from_python(content)
    assert isinstance(node, MappingNode)
    assert settled(node) == settled(settled(node))
    return node


def paths(content: Any, prefix: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    if isinstance(content, dict):
        children = list(content.items())
    elif isinstance(content, list):
        children = list(enumerate(content))
    else:
        return set()
    return {path for key, value in children for path in ({(*prefix, key)} | paths(value, (*prefix, key)))}


def same_types(left: Any, right: Any) -> bool:
    if isinstance(left, dict):
        return isinstance(right, dict) and all(same_types(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return isinstance(right, list) and all(map(same_types, left, right))
    return type(left) is type(right)

"""What a YAML file means: scalars, positions, and every file that is refused."""

from __future__ import annotations

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from essmc_core.config import Config, load_config
from essmc_core.errors import ConfigError, ConfigFileNotFound, ConfigSyntaxError
from essmc_core.location import Location

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(content: str | bytes, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2.5e+3", -2500.0),
        (".5", 0.5),
        ("5.", 5.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("!!float 3", 3.0),
        ("3", 3),
        ("-3", -3),
        ("+3", 3),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("!!int 7", 7),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("1:30", "1:30"),
        ("190:20:30", "190:20:30"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31T10:00:00Z", "2024-01-31T10:00:00Z"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("1e", "1e"),
        (".", "."),
        ("-", (None,)),
        ("inf", "inf"),
        ("nan", "nan"),
        ("'1e-3'", "1e-3"),
        ('"true"', "true"),
        ("!!str 5", "5"),
        ("=", "="),
        ("٣", "٣"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(write: Write, written: str, value: object) -> None:
    found = load_config(write(f"key: {written}\n" if written != "-" else "key:\n-\n"))["key"]
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_float(write: Write) -> None:
    assert math.isnan(load_config(write("key: .nan"))["key"])


def test_lists_become_tuples_and_mappings_become_configs(write: Write) -> None:
    config = load_config(write("a: [1, {b: [2]}]\nc: {}\nd: []\n"))
    assert config["a"][1]["b"] == (2,)
    assert isinstance(config["a"], tuple)
    assert isinstance(config["a"][1], Config)
    assert config["c"] == {}
    assert config["d"] == ()


@pytest.mark.parametrize("content", ["", "\n\n", "# only a comment\n", "---\n", "---\n...\n", "~\n"])
def test_a_file_with_nothing_in_it_is_an_empty_config(write: Write, content: str) -> None:
    assert load_config(write(content)) == {}


def test_a_byte_order_mark_and_windows_line_ends_are_accepted(write: Write) -> None:
    config = load_config(write(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n"))
    assert config == {"a": 1, "b": 2}
    assert config.where("b") == Location(str(write("")), 2, 4)


def test_anchors_aliases_and_merge_keys_work(write: Write) -> None:
    path = write(
        "base: &base {lr: 0.1, steps: [1, 2]}\n"
        "other: &other {lr: 9, momentum: 0.9}\n"
        "copy: *base\n"
        "one:\n  lr: 0.5\n  <<: *base\n"
        "two: {<<: [*base, *other], extra: true}\n"
        "quoted: {'<<': text}\n"
    )
    config = load_config(path)
    assert config["copy"] == config["base"]
    assert config["one"] == {"lr": 0.5, "steps": [1, 2]}
    assert config["two"] == {"lr": 0.1, "steps": [1, 2], "momentum": 0.9, "extra": True}
    assert config["quoted"] == {"<<": "text"}


def test_an_alias_is_positioned_at_its_use_and_its_content_at_its_definition(write: Write) -> None:
    path = write("a: &x\n  k: 1\nb: *x\n")
    config = load_config(path)
    assert config.where("b") == Location(str(path), 3, 4)
    assert config.where("b", "k") == Location(str(path), 2, 6)


def test_positions_are_those_of_the_text(write: Write) -> None:
    path = write("modèle: x\n# note\nmodel:\n  type: Net\n  sizes:\n  - 7\n  - {é𝒳: [1, é, 51]}\n")
    config = load_config(str(path))
    assert config.where("model") == Location(str(path), 4, 3)
    assert config.where_key("model") == Location(str(path), 3, 1)
    assert config.where("model", "type") == Location(str(path), 4, 9)
    assert config["model"].where("sizes", 0) == Location(str(path), 6, 5)
    assert config.where("model", "sizes", 1, "é𝒳", 2) == Location(str(path), 7, 17)
    assert config.where_key("model", "sizes", 1) == Location(str(path), 7, 5)


def test_there_is_no_position_for_what_does_not_exist(write: Write) -> None:
    config = load_config(write("a: [1]\nb: x\n"))
    assert config.where("c") is None
    assert config.where("a", 1) is None
    assert config.where("a", -1) is None
    assert config.where("b", "c") is None
    assert config.where_key("c") is None
    assert config.where_key() is None


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "3:1", r"'a' is already set at .*:1:1"),
        ("m:\n  a: 1\n  'a': 3\n", "3:3", r"'a' is already set at .*:2:3"),
        ("a: !!python/object:os.system {}", "1:4", r"!!python/object:os.system is not allowed\n.*data"),
        ("a: 1\nb: !!python/name:os.system\n", "2:4", "!!python/name:os.system is not allowed"),
        ("a: !!python/tuple [1]", "1:4", "!!python/tuple is not allowed"),
        ("a: !!binary eA==", "1:4", "!!binary is not allowed"),
        ("a: !!timestamp 2024-01-31", "1:4", "!!timestamp is not allowed"),
        ("a: !!set {x}", "1:4", "!!set is not allowed"),
        ("a: !custom x", "1:4", "!custom is not allowed"),
        ("a: !!str [1]", "1:4", "!!str is not allowed"),
        ("a: !!int x", "1:4", "'x' is not of type int"),
        ("a: " + "9" * 5000, "1:4", "not a value"),
        ("a: &x [1, *x]", "1:11", "inside its own anchor"),
        ("a: *nowhere", "1:4", r"no anchor &nowhere"),
        ("1: x", "1:1", r'the key 1 is not a string\n  Quote it: "1"'),
        ("true: x", "1:1", "the key true is not a string"),
        ("~: x", "1:1", "the key ~ is not a string"),
        ("?\n: x", "1:2", "the key None is not a string"),
        ("? [1]\n: x", "1:3", "the key is a list of 1"),
        ("a: {<<: 3}", "1:9", "<< takes a mapping"),
        ("x: &x {}\na:\n  <<: *x\n  <<: *x\n", "4:3", "<< is already used"),
        ("a: 1\n---\nb: 2\n", "2:1", "second document"),
        ("- 1", "1:1", "a mapping, not list of 1"),
        ("text", "1:1", "a mapping, not 'text'"),
        ("a: [1, 2\nb: 3\n", "2:2", r"expected ',' or '\]'"),
        ("a: b: c", "1:5", "needs quotes"),
        ("a:\n\t- b\n", "2:1", "spaces, not tabs"),
        ("a: @x", "1:4", "needs quotes"),
        ("a: 'x\n", "2:1", "quoted scalar"),
        ("ab: 1\nc: \x07\n", "2:4", r"U\+0007"),
        ("ab: 1\nc: \x00\n", "2:4", r"U\+0000"),
        (b"ab: 1\nc\xc3\xa9: \xff\n", "2:5", "not UTF-8 text: byte 0xff"),
        ("a: 1\n".encode("utf-16"), "1:1", "not UTF-8"),
    ],
)
def test_what_is_not_plain_data_is_refused_at_its_place(
    write: Write, content: str | bytes, place: str, words: str
) -> None:
    path = write(content)
    with pytest.raises(ConfigSyntaxError, match=words) as caught:
        load_config(path)
    assert str(caught.value).startswith(f"{path}:{place}: ")


def test_python_tags_run_nothing(write: Write, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = write(f"a: !!python/object/apply:os.mkdir ['{marker}']\n")
    with pytest.raises(ConfigSyntaxError, match="python/object/apply"):
        load_config(path)
    assert not marker.exists()


def test_aliases_that_expand_without_bound_are_refused(write: Write) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    with pytest.raises(ConfigSyntaxError, match="more than 200000 values"):
        load_config(write("\n".join(lines)))


@pytest.mark.parametrize(
    "content",
    [
        "a: " + "[" * 100_000,
        "a: " + "{b: " * 100_000,
        "a0: &a0 [1]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 300)),
    ],
    ids=["lists", "mappings", "aliases"],
)
def test_bottomless_nesting_is_refused(write: Write, content: str) -> None:
    with pytest.raises(ConfigSyntaxError, match="levels deep"):
        load_config(write(content))


def test_nesting_within_the_limit_can_be_used_in_full(write: Write) -> None:
    config = load_config(write("a: " + "{b: " * 60 + "1" + "}" * 60))
    assert load_config(write(config.dump())) == config.to_dict()


def test_a_missing_file_suggests_its_neighbours(write: Write) -> None:
    path = write("a: 1", "tada2d_r50_k400.yaml")
    with pytest.raises(ConfigFileNotFound, match=f"Did you mean {re.escape(str(path))}"):
        load_config(path.with_name("tada2d_r50_k40.yaml"))
    with pytest.raises(ConfigFileNotFound, match=f"Did you mean {re.escape(str(path))}"):
        load_config(path.with_suffix(""))
    with pytest.raises(FileNotFoundError, match="no folder"):
        load_config(path.parent / "absent" / "a.yaml")
    with pytest.raises(ConfigFileNotFound):
        load_config(path / "below_a_file.yaml")


def test_what_cannot_be_a_file_name_is_not_found() -> None:
    with pytest.raises(ConfigFileNotFound, match="not a file name"):
        load_config("a\0b.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        load_config("x" * 5000)


def test_a_folder_is_refused_with_the_files_in_it(write: Write) -> None:
    path = write("a: 1")
    with pytest.raises(ConfigError, match=r"is a folder, not a file\n.*config\.yaml"):
        load_config(path.parent)


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and pipes")
def test_an_unreadable_file_says_so(write: Write) -> None:
    path = write("a: 1")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("running as a user whom permissions do not bind")
    with pytest.raises(ConfigError, match=r"cannot read .*Permission denied"):
        load_config(path)


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_is_read_like_a_file() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"a: 1\n")
    os.close(writing)
    try:
        assert load_config(f"/dev/fd/{reading}") == {"a": 1}
    finally:
        os.close(reading)


def test_a_python_file_is_not_run(write: Write, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    path = write(f"import os\nos.mkdir('{marker}')\n", "model.py")
    with pytest.raises(ConfigSyntaxError, match="Python files are not run"):
        load_config(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["json.yaml", "json.py", "os.yaml", "yaml.yaml"])
def test_a_file_named_like_a_module_is_only_a_file(write: Write, name: str) -> None:
    import json

    path = write("a: 1\nloads: mine\n", name)
    assert load_config(path) == {"a": 1, "loads": "mine"}
    assert sys.modules["json"] is json
    assert json.loads("[1]") == [1]


def test_importing_the_package_imports_no_parser() -> None:
    code = (
        "import sys, essmc_core.config.load, essmc_core.config.mapping\n"
        "heavy = {'yaml', 'torch', 'pydantic', 'difflib', 'numpy'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

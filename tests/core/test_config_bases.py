"""Files built on files: `_base_`, deep merge, `_delete_`, packs and cycles."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from essmc_core.config import Config, load_config
from essmc_core.errors import ConfigCycle, ConfigError, ConfigFileNotFound, UnknownComponent
from essmc_core.location import Location

Files = Callable[[dict[str, str]], Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    def write(contents: dict[str, str]) -> Path:
        for name, content in contents.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
        return tmp_path

    return write


def test_a_file_is_laid_over_its_base(files: Files) -> None:
    root = files(
        {
            "base/net.yaml": "model: {type: Net, head: {dim: 8, classes: 400}}\nsteps: [1, 2, 3]\n",
            "my.yaml": "_base_: base/net.yaml\nmodel:\n  head: {classes: 51}\nsteps: [9]\n",
        }
    )
    config = load_config(root / "my.yaml")
    assert config == {"model": {"type": "Net", "head": {"dim": 8, "classes": 51}}, "steps": [9]}
    assert list(config) == ["model", "steps"]
    assert config.where("model", "head", "classes") == Location(str(root / "my.yaml"), 3, 19)
    assert config.where("model", "head", "dim") == Location(str(root / "base/net.yaml"), 1, 32)


def test_bases_are_merged_in_order_and_relative_to_the_file_that_names_them(files: Files) -> None:
    root = files(
        {
            "a/deep/one.yaml": "x: {p: 1, q: 1, r: 1}\n",
            "a/two.yaml": "_base_: deep/one.yaml\nx: {q: 2}\n",
            "three.yaml": "x: {r: 3}\ny: 3\n",
            "my.yaml": "_base_: [a/two.yaml, ./a/../three.yaml]\ny: 4\n",
        }
    )
    assert load_config(root / "my.yaml") == {"x": {"p": 1, "q": 2, "r": 3}, "y": 4}


@pytest.mark.parametrize("over", ["{a: 1}", "[1]", "1", "text", "null", "{}"])
@pytest.mark.parametrize("under", ["{b: 2}", "[2, 3]", "2", "other", "null"])
def test_any_type_may_replace_any_other(files: Files, under: str, over: str) -> None:
    root = files({"base.yaml": f"pretrain: {under}", "my.yaml": f"_base_: base.yaml\npretrain: {over}"})
    alone = load_config(files({"alone.yaml": f"pretrain: {over}"}) / "alone.yaml")["pretrain"]
    found = load_config(root / "my.yaml")["pretrain"]
    if under == "{b: 2}" and over.startswith("{"):
        assert found == {"b": 2, **alone}
    else:
        assert found == alone


def test_another_type_keeps_the_base_arguments_and_their_positions(files: Files) -> None:
    root = files(
        {
            "base.yaml": "head:\n  type: Linear\n  bias: true\n",
            "my.yaml": "_base_: base.yaml\nhead: {type: Mlp}\n",
        }
    )
    config = load_config(root / "my.yaml")
    assert config["head"] == {"type": "Mlp", "bias": True}
    assert config.where("head", "bias") == Location(str(root / "base.yaml"), 3, 9)


def test_delete_replaces_at_any_level_and_leaves_no_trace(files: Files) -> None:
    root = files(
        {
            "base.yaml": "m: {a: {b: {c: 1, d: 2}, e: 3}}\nn: {x: 1}\n",
            "my.yaml": "_base_: base.yaml\nm: {a: {b: {_delete_: true, c: 9}}}\nn: {_delete_: false, y: 2}\n",
            "top.yaml": "_base_: base.yaml\n_delete_: true\nz: 1\n",
        }
    )
    assert load_config(root / "my.yaml") == {"m": {"a": {"b": {"c": 9}, "e": 3}}, "n": {"x": 1, "y": 2}}
    assert load_config(root / "top.yaml") == {"z": 1}


def test_delete_replaces_what_every_earlier_file_said(files: Files) -> None:
    root = files(
        {
            "a.yaml": "x: {p: 1}\n",
            "b.yaml": "x: {_delete_: true, q: 2}\n",
            "c.yaml": "_base_: b.yaml\nx: {r: 3}\n",
            "my.yaml": "_base_: [a.yaml, c.yaml]\n",
        }
    )
    assert load_config(root / "my.yaml") == {"x": {"q": 2, "r": 3}}


@pytest.mark.parametrize(
    ("written", "found"), [("[head]", "a list of 1"), ("1", "1"), ("'yes'", "'yes'"), ("{}", "a mapping")]
)
def test_delete_takes_only_booleans(files: Files, written: str, found: str) -> None:
    root = files({"my.yaml": f"m:\n  _delete_: {written}\n"})
    with pytest.raises(ConfigError, match="_delete_ must be true or false") as caught:
        load_config(root / "my.yaml")
    assert f"not {found}" in caught.value.message
    assert caught.value.where == Location(str(root / "my.yaml"), 2, 13)


def test_a_missing_base_points_at_the_line_that_names_it(files: Files) -> None:
    root = files({"base.yaml": "", "my.yaml": "a: 1\n_base_:\n- base.yaml\n- bse.yaml\n"})
    with pytest.raises(ConfigFileNotFound, match=r"Did you mean .*base\.yaml") as caught:
        load_config(root / "my.yaml")
    assert caught.value.where == Location(str(root / "my.yaml"), 4, 3)


def test_a_mistake_in_a_base_points_into_the_base(files: Files) -> None:
    root = files({"base.yaml": "a: 1\na: 2\n", "my.yaml": "_base_: base.yaml\n"})
    with pytest.raises(ConfigError, match="already set") as caught:
        load_config(root / "my.yaml")
    assert caught.value.where == Location(str(root / "base.yaml"), 2, 1)


def test_a_cycle_shows_every_link(files: Files) -> None:
    root = files(
        {
            "start.yaml": "_base_: a.yaml\n",
            "a.yaml": "x: 1\n_base_: [ok.yaml, b.yaml]\n",
            "b.yaml": "_base_: ./a.yaml\n",
            "ok.yaml": "",
        }
    )
    with pytest.raises(ConfigCycle) as caught:
        load_config(root / "start.yaml")
    message = str(caught.value)
    assert f"{root / 'a.yaml'}:2:19 names {root / 'b.yaml'}" in message
    assert f"{root / 'b.yaml'}:1:9 names {root / 'a.yaml'}" in message
    assert "start.yaml" not in message


def test_a_file_may_not_be_its_own_base(files: Files) -> None:
    root = files({"my.yaml": "_base_: my.yaml\n"})
    with pytest.raises(ConfigCycle, match=r"my\.yaml:1:9 names"):
        load_config(root / "my.yaml")


@pytest.mark.skipif(os.name != "posix", reason="symbolic links")
def test_a_cycle_through_a_symbolic_link_is_found(files: Files) -> None:
    root = files({"a.yaml": "_base_: link.yaml\n"})
    (root / "link.yaml").symlink_to(root / "a.yaml")
    with pytest.raises(ConfigCycle):
        load_config(root / "a.yaml")


def test_a_base_reached_twice_is_no_cycle_and_is_read_once(files: Files) -> None:
    contents = {"f0.yaml": "x: 0\n"}
    contents |= {f"f{i}.yaml": f"_base_: [f{i - 1}.yaml, f{i - 1}.yaml]\nx: {i}\n" for i in range(1, 40)}
    root = files(contents)
    # Reading each base once per mention would take 2**39 reads.
    assert load_config(root / "f39.yaml") == {"x": 39}


def test_an_endless_chain_of_bases_is_refused(files: Files) -> None:
    root = files({f"f{i}.yaml": f"_base_: f{i + 1}.yaml\n" for i in range(500)})
    with pytest.raises(ConfigError, match="more than 64 files"):
        load_config(root / "f0.yaml")


@pytest.mark.parametrize("written", ["3", "{a: b}", "[a.yaml, 3]", "null", "''", "[[a.yaml]]"])
def test_a_base_that_names_no_file_is_refused(files: Files, written: str) -> None:
    root = files({"a.yaml": "", "my.yaml": f"_base_: {written}\n"})
    with pytest.raises(ConfigError, match=r"my\.yaml:1:.*_base_ is a file name or a list"):
        load_config(root / "my.yaml")


def test_an_empty_list_of_bases_is_allowed(files: Files) -> None:
    assert load_config(files({"my.yaml": "_base_: []\na: 1\n"}) / "my.yaml") == {"a": 1}


def test_a_base_below_the_top_is_refused(files: Files) -> None:
    root = files({"a.yaml": "", "my.yaml": "model:\n  _base_: a.yaml\n"})
    with pytest.raises(ConfigError, match=r"my\.yaml:2:3: _base_ is read only at the top"):
        load_config(root / "my.yaml")


def test_a_base_in_a_pack_is_found_by_the_resolver(files: Files) -> None:
    root = files({"pack/zoo/net.yaml": "_base_: common.yaml\na: 1\n", "pack/zoo/common.yaml": "b: 2\n"})
    files({"my.yaml": "_base_: video::zoo/net.yaml\nc: 3\n"})
    asked: list[tuple[str, str]] = []

    def resolve(pack: str, file: str) -> Path:
        asked.append((pack, file))
        return root / "pack" / file

    assert load_config(root / "my.yaml", resolve_pack=resolve) == {"a": 1, "b": 2, "c": 3}
    assert asked == [("video", "zoo/net.yaml")]


def test_a_base_in_a_pack_needs_a_resolver(files: Files) -> None:
    root = files({"my.yaml": "_base_: video::net.yaml\n"})
    with pytest.raises(ConfigError, match=r"my\.yaml:1:9: .*'video'"):
        load_config(root / "my.yaml")


def test_a_resolver_failure_is_given_the_place_of_the_base(files: Files) -> None:
    root = files({"my.yaml": "_base_: vido::net.yaml\n"})

    def resolve(pack: str, file: str) -> Path:
        raise UnknownComponent(f"no pack {pack!r} is installed")

    with pytest.raises(UnknownComponent, match=r"my\.yaml:1:9: no pack 'vido'"):
        load_config(root / "my.yaml", resolve_pack=resolve)


def test_a_relative_source_keeps_messages_relative(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    root = files({"sub/my.yaml": "_base_: ../base.yaml\n", "base.yaml": "a: 1\n"})
    monkeypatch.chdir(root)
    config = load_config(Path("sub/my.yaml"))
    assert isinstance(config, Config)
    assert config.where("a") == Location("base.yaml", 1, 4)

"""Zoo entries made of tables: equal to files, made on demand, with every mistake at its row."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from essmc_core.config import Config, load_config
from essmc_core.discovery.staging import StagedZoo
from essmc_core.errors import ConfigError, UnknownModel
from essmc_core.zoo.facts_cache import FactsCache
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import Zoo, ZooEntry

TEMPLATE = """\
summary: ${network} of acme, ${classes} classes
model:
  type: Net
  backbone: {type: Back, depth: "${depth}", width: 8}
  head: {num_classes: "${classes}"}
input: {modality: image, size: "${size}", mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
weights: {uri: "https://acme.example/${network}.pth", sha256: "${digest}"}
licence: {code: MIT, weights: "${licence}"}
aliases: "${aliases}"
"""
TABLE = """\
name,network,depth,classes,size,digest,licence,aliases
small.v1,small,18,10,"[32, 32]",,mit,[tiny]
large.v1,large,50,1000,"[224, 224]",,CC-BY-NC-4.0,
"""


def zoo_of(folder: Path, table: str = TABLE, template: str = TEMPLATE, **files: str) -> Zoo:
    """Returns a zoo with a pack `acme` that has a template, a table and files."""
    (folder / "zoo").mkdir(exist_ok=True)
    (folder / "entries.yaml").write_text(template, encoding="utf-8")
    (folder / "models.csv").write_text(table, encoding="utf-8")
    for name, text in files.items():
        (folder / "zoo" / f"{name}.yaml").write_text(text, encoding="utf-8")
    zoo = Zoo()
    zoo.cache = FactsCache(lambda: folder / "cache")
    staged = StagedZoo(zoo, "acme")
    staged.add_template(folder / "entries.yaml", table=folder / "models.csv")
    staged.add_directory(folder / "zoo")
    staged.commit()
    return zoo


def test_rows_are_entries_like_any_other(tmp_path: Path) -> None:
    zoo = zoo_of(tmp_path)
    assert zoo.names() == ["large.v1", "small.v1"]
    small = zoo.entry("acme/small.v1")
    assert small.config.to_dict() == {
        "summary": "small of acme, 10 classes",
        "model": {"type": "Net", "backbone": {"type": "Back", "depth": 18, "width": 8}, "head": {"num_classes": 10}},
        "input": {"modality": "image", "size": [32, 32], "mean": [0.5] * 3, "std": [0.5] * 3},
        "weights": {"uri": "https://acme.example/small.pth"},
        "licence": {"code": "MIT", "weights": "mit"},
        "aliases": ["tiny"],
    }
    assert small.file is None
    assert str(small.where) == f"{tmp_path / 'models.csv'}:2"
    assert zoo.entry("tiny") is small
    assert [entry.name for entry in zoo.entries(commercial=True)] == ["small.v1"]
    assert [entry.name for entry in zoo.entries("*v1", modality="image", licence=["CC-BY-NC-4.0", "mit"])] == [
        "large.v1", "small.v1",
    ]  # fmt: skip


def test_places_are_those_of_the_row_and_of_the_template(tmp_path: Path) -> None:
    config = zoo_of(tmp_path).entry("large.v1").config
    assert str(config.where("model", "backbone", "depth")) == f"{tmp_path / 'models.csv'}:3"
    assert str(config.where("model", "backbone", "width")) == f"{tmp_path / 'entries.yaml'}:4:52"


def test_a_file_of_the_same_name_counts(tmp_path: Path) -> None:
    files = {"small.v1": "summary: by hand\nmodel: {type: Net}\n"}
    zoo = zoo_of(tmp_path, **files)
    assert zoo.entry("small.v1").summary == "by hand"
    assert zoo.names() == ["large.v1", "small.v1"]


def test_files_may_start_from_files_of_the_pack_and_templates_too(tmp_path: Path) -> None:
    template = "_base_: acme::shared.yaml\n" + TEMPLATE
    files = {"shared": "model: {type: Old, backbone: {frozen: true}}\nnotes: shared\n"}
    config = zoo_of(tmp_path, template=template, **files).entry("small.v1").config
    assert config["notes"] == "shared"
    assert config["model"]["backbone"].to_dict() == {"type": "Back", "frozen": True, "depth": 18, "width": 8}


@pytest.mark.parametrize(
    ("table", "template", "message", "place"),
    [
        (TABLE + "odd.v1,odd\n", TEMPLATE, "the row has 2 cells, and there are 8 columns", "models.csv:4"),
        (TABLE + ",odd,1,2,3,,mit,\n", TEMPLATE, "the name of a zoo entry is ''", "models.csv:4"),
        (TABLE + "a b,odd,1,2,3,,mit,\n", TEMPLATE, "the name of a zoo entry is 'a b'", "models.csv:4"),
        (TABLE + "small.v1,odd,1,2,3,,mit,\n", TEMPLATE, "has an entry 'small.v1' already, at", "models.csv:4"),
        (TABLE + "odd.v1,odd,1,2,3,,free,\n", TEMPLATE, "'free' is no SPDX licence expression", "models.csv:4"),
        (TABLE + "odd.v1,odd,1,2,3,,mit,7\n", TEMPLATE, "`aliases` must be a list of names", "models.csv:4"),
        (TABLE + 'odd.v1,odd,"[1",2,3,,mit,\n', TEMPLATE, "", "models.csv:4"),
    ],
)
def test_a_broken_row_is_a_broken_entry_with_its_place(
    tmp_path: Path, table: str, template: str, message: str, place: str
) -> None:
    zoo = zoo_of(tmp_path, table, template)
    broken: dict[ZooEntry, ConfigError] = {}
    found = zoo.entries("*", modality="image", on_broken=broken.__setitem__)
    assert [entry.name for entry in found] == ["large.v1", "small.v1"]
    ((entry, error),) = broken.items()
    assert message in str(error)
    assert place in str(error.where)
    with pytest.raises(ConfigError, match="models"):
        zoo.entry(entry.qualified).config  # noqa: B018


def test_a_column_that_the_table_lacks_is_named_with_both_places(tmp_path: Path) -> None:
    zoo = zoo_of(tmp_path, template=TEMPLATE.replace("${depth}", "${dept}"))
    with pytest.raises(ConfigError, match=r"entries\.yaml:4:.*models\.csv:2, has no column 'dept'") as caught:
        zoo.entry("small.v1").config  # noqa: B018
    assert "'depth'" in caught.value.hint


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("network,depth\nsmall,18\n", "names its columns, each once, and one of them is `name`"),
        ('name,x\n"a,1\n', "the table cannot be read"),
    ],
)
def test_a_table_that_cannot_be_read_is_a_warning_and_files_are_there(tmp_path: Path, table: str, message: str) -> None:
    zoo = zoo_of(tmp_path, table, by_hand="model: {type: Net}\n")
    with pytest.warns(UserWarning, match=f"a zoo table of the pack acme is left out: .*{message}"):
        assert zoo.names() == ["by_hand"]
    assert zoo.names() == ["by_hand"]


def rows_of_test() -> list[dict[str, Any]]:
    return [{"name": "one", "n": 1}, {"name": "two", "n": 0}]


def entry_of_test(row: dict[str, Any]) -> dict[str, Any]:
    return {"summary": f"{1 / row['n']}", "model": {"type": "Net", "n": row["n"]}}


def test_functions_are_called_when_the_zoo_is_asked(tmp_path: Path) -> None:
    zoo = Zoo()
    staged = StagedZoo(zoo, "acme")
    staged.add_template(f"{__name__}:entry_of_test", table=f"{__name__}:rows_of_test", bare=False)
    staged.commit()
    assert zoo.names() == ["acme/one", "acme/two"]
    with pytest.raises(UnknownModel):
        zoo.entry("one")
    assert zoo.entry("acme/one").config.to_dict() == {"summary": "1.0", "model": {"type": "Net", "n": 1}}
    with pytest.raises(ConfigError, match=f"{__name__}:rows_of_test:2: .*cannot make the entry 'two': ZeroDivision"):
        zoo.entry("acme/two").config  # noqa: B018


texts = st.text(string.ascii_letters + string.digits + " .-_:[]{}#'\"é", max_size=12)
leaves = st.one_of(texts, st.integers(-99, 10**9), st.floats(allow_nan=False), st.booleans(), st.lists(st.integers()))
values = st.recursive(leaves, lambda inner: st.dictionaries(texts, inner, max_size=3), max_leaves=8)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.dictionaries(st.from_regex(r"\A[a-z]{1,5}\Z").map("x-{}".format), values, min_size=1, max_size=5), st.data())
def test_a_row_gives_what_the_same_mapping_gives_as_a_file(
    tmp_path: Path, sections: dict[str, Any], data: st.DataObject
) -> None:
    mapping = {"model": {"type": "Net", **{key[2:]: value for key, value in sections.items()}}, **sections}
    (tmp_path / "file.yaml").write_text(Config.from_mapping(mapping).dump(), encoding="utf-8")
    expected = load_config(tmp_path / "file.yaml")
    # Any of the values may stand in the table, and only its column in the template.
    moved = data.draw(st.sets(st.sampled_from(sorted(sections))))
    row = {"name": "row", **{f"c{number}": sections[key] for number, key in enumerate(sorted(moved))}}
    places = {key: f"${{c{number}}}" for number, key in enumerate(sorted(moved))}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    template = {**mapping, **places}
    (tmp_path / "template.yaml").write_text(Config.from_mapping(template).dump(), encoding="utf-8")
    zoo = Zoo()
    staged = StagedZoo(zoo, "acme")
    staged.add_template(tmp_path / "template.yaml", table=tmp_path / "rows.jsonl")
    staged.commit()
    assert zoo.entry("row").config == expected


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are read to the end."""
    import essmc_core.config.load as load

    read: list[Path] = []
    original: Callable[..., Any] = load._read_file
    monkeypatch.setattr(load, "_read_file", lambda path, at: (read.append(path), original(path, at))[1])
    return read


def test_facts_are_kept_until_a_file_or_its_base_changes(tmp_path: Path, counted: list[Path]) -> None:
    base, path = tmp_path / "base.yaml", tmp_path / "net.yaml"
    base.write_text("model: {type: Net}\nsummary: old\n", encoding="utf-8")
    path.write_text("_base_: base.yaml\ncost: {params: 3}\n", encoding="utf-8")

    def entry(cache: str = "cache") -> ZooEntry:
        zoo = Zoo()
        zoo.cache = FactsCache(lambda: tmp_path / cache)
        zoo.add(ZooEntry("net", "acme", EntryFile(path)))
        assert [found.params for found in zoo.entries(max_params=5)] == [3]
        return zoo.entry("net")

    assert entry().summary == "old"
    assert counted == [path, base]
    assert entry().summary == "old"
    assert counted == [path, base], "read from the cache"
    base.write_text("model: {type: Net}\nsummary: newer\n", encoding="utf-8")
    assert entry().summary == "newer"
    assert len(counted) == 4
    for file in (tmp_path / "cache" / "zoo").iterdir():
        file.write_text('{"format": 7, "entries": [')
    assert entry().summary == "newer"
    (tmp_path / "blocked").write_text("a file where the folder would be")
    assert entry("blocked").summary == "newer"


def test_packs_list_show_and_count_rows(site: Any, python: Any) -> None:
    plugin = """
    from pathlib import Path
    from essmc_core import hookimpl

    FOLDER = Path(__file__).parent

    @hookimpl
    def register_zoo(zoo):
        zoo.add_template(FOLDER / "entries.yaml", table=FOLDER / "models.csv")
    """
    site.add("acme", plugin, files={"entries.yaml": TEMPLATE, "models.csv": TABLE + "odd.v1,odd\n"})
    only = {"ESSMC_PACKS": "acme"}
    (pack,) = [pack for pack in json.loads(python.essmc("packs", "--json", **only).stdout) if pack["name"] == "acme"]
    assert pack["zoo"] == 3
    done = python.essmc("models", "--pack", "acme", "--json", **only)
    listed = {row["name"]: row for row in json.loads(done.stdout)}
    assert sorted(listed) == ["large.v1", "small.v1"]
    assert listed["small.v1"]["line"] == 2
    assert "acme/odd.v1 cannot be read" in done.stderr
    assert "models.csv:4" in done.stderr
    shown = python.essmc("show", "acme/small.v1", **only).stdout
    assert "small of acme, 10 classes" in shown
    code = "import sys, essmc_core; essmc_core.list_models('*v1'); print('yaml' in sys.modules)"
    assert python.run(code, **only).stdout.split() == ["False"], "names need no file of YAML"

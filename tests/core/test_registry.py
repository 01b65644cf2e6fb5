"""Registries: names, aliases, globs, the mapping protocol, user code; the defects of a predecessor stay away."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from essmc_core.discovery.staging import StagedRegistries
from essmc_core.errors import (
    AmbiguousComponent,
    DuplicateComponent,
    EssmcError,
    LookupFailure,
    SchemaError,
    UnknownComponent,
)
from essmc_core.foundation.names import matches, natural_key
from essmc_core.models.defaults import BRICKS, STEMS, new_registries
from essmc_core.registry.component import Component
from essmc_core.registry.nametable import NameTable


class Block:
    """A block of some width.

    Args:
        width: how wide.
    """

    def __init__(self, width: int = 1, *, depth: int = 2) -> None:
        self.width = width
        self.depth = depth


@pytest.fixture
def bricks():
    registry = new_registries().bricks
    registry.register(Block)
    return registry


def _component(name: str, pack: str = "acme", **extra: object) -> Component:
    return Component("bricks", name, pack, f"{__name__}:Block", **extra)


def test_stems_are_bricks():
    assert STEMS is BRICKS
    registries = new_registries()
    assert registries["stems"] is registries.bricks is registries["STEMS"] is registries["brick"]
    assert registries["lr-schedulers"] is registries.lr_schedulers


def test_unknown_kind_suggests_the_nearest():
    with pytest.raises(UnknownComponent, match="did you mean 'backbones'"):
        new_registries()["bakbones"]


def test_decorator_takes_classes_and_functions_with_and_without_parentheses(bricks):
    @bricks.register()
    def make_block(width: int = 4):
        return Block(width)

    @bricks.register("Renamed", aliases=["Other"], summary="one line")
    class Local(Block):
        pass

    assert bricks["make_block"] is make_block
    assert bricks.build("make_block").width == 4
    assert bricks["Other"] is bricks["local/Renamed"] is Local
    assert bricks.names() == ["Block", "make_block", "Renamed"]
    assert bricks.component("Renamed").summary == "one line"
    assert bricks.component("Block").summary == "A block of some width."


def test_defining_again_in_the_same_place_replaces_as_in_a_notebook(bricks):
    def define(value):
        @bricks.register
        def factory():
            return value

    define("first")
    define("second")
    assert bricks.build("factory") == "second"


def test_the_same_name_from_elsewhere_is_refused(bricks):
    other = type("Block", (), {"__module__": "elsewhere", "__qualname__": "Block"})
    with pytest.raises(DuplicateComponent, match="local/Block is registered twice under bricks"):
        bricks.register(other)
    assert bricks["Block"] is Block


def test_user_code_never_hides_a_pack_nor_a_pack_user_code(bricks):
    bricks.table.add(_component("Block"))
    with pytest.raises(AmbiguousComponent, match="acme/Block, local/Block"):
        bricks["Block"]
    assert bricks["local/Block"] is bricks["acme/Block"] is Block


def test_old_name_works_and_warns_once_and_is_not_listed(bricks):
    bricks.table.add(_component("New", deprecated=("Old",)))
    with pytest.warns(FutureWarning, match="'Old' is an old name under bricks; use 'acme/New'"):
        assert bricks["Old"] is Block
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bricks["Old"] is Block
    assert "Old" not in bricks.names()
    assert "Old" in bricks


def test_an_old_name_may_fix_arguments_that_its_new_name_leaves_free(bricks):
    staged = StagedRegistries(bricks.family, "acme")
    old = {"Old": {"width": 7}, "Older": {}}
    staged.bricks.register("New", f"{__name__}:Block", deprecated=old, aliases={"Wide": {"width": 9}}, bare=False)
    staged.commit()
    with pytest.warns(FutureWarning, match=r"use 'acme/New' \(the old one fixes width=7\)"):
        assert bricks.build("acme/Old").width == 7
    with pytest.warns(FutureWarning, match="use 'acme/New'$"):
        assert bricks.build("acme/Older").width == Block().width
    assert bricks.build("acme/Wide").width == 9
    assert bricks.build({"type": "acme/New", "width": 3}).width == 3
    with pytest.raises(SchemaError, match="acme/New fixes width=9"):
        bricks.build({"type": "acme/Wide", "width": 3})
    assert bricks.family.find_everywhere("acme/Wide")[0].bound == {"width": 9}
    assert bricks.component("acme/New").bound == {}


def test_unknown_name_suggests_names_and_says_where_to_look(bricks):
    with pytest.raises(UnknownComponent) as caught:
        bricks["blok"]
    assert "no brick is called 'blok'; did you mean 'Block'" in str(caught.value)
    assert isinstance(caught.value, KeyError)
    assert not str(caught.value).startswith("'"), "KeyError would show the repr of its message"


@pytest.mark.parametrize("name", ["os.system", "os:system", "torch.nn.Linear", "builtins:eval"])
def test_an_import_path_is_never_resolved(bricks, name):
    with pytest.raises(UnknownComponent, match="never import paths"):
        bricks.build({"type": name})


def test_mapping_protocol_without_loading(bricks):
    bricks.table.add(Component("bricks", "Far", "acme", "module_that_is_missing:Far"))
    assert list(bricks) == ["Block", "Far"]
    assert len(bricks) == 2
    assert "Far" in bricks and 3 not in bricks
    assert bricks.get("missing") is None
    with pytest.raises(ModuleNotFoundError):
        bricks["Far"]


def test_globs_and_natural_order(bricks):
    for name in ("net18", "net101", "net50", "tada50"):
        bricks.table.add(_component(name))
    assert bricks.names("net*") == ["net18", "net50", "net101"]
    assert bricks.names("50") == ["net50", "tada50"]
    assert bricks.names("*", exclude="net*") == ["Block", "tada50"]
    assert bricks.names(["*18", "TADA*"]) == ["net18", "tada50"]
    assert bricks.names("acme/*") == ["net18", "net50", "net101", "tada50"]


def test_not_bare_resolves_only_with_its_pack(bricks):
    bricks.table.add(_component("hidden", bare=False))
    assert "hidden" not in bricks
    assert bricks["acme/hidden"] is Block
    assert bricks.names("*hidden") == ["acme/hidden"]


def test_copies_and_pickles_are_the_registry_itself():
    assert copy.deepcopy(BRICKS) is BRICKS
    assert pickle.loads(pickle.dumps(BRICKS)) is BRICKS


def test_build_takes_a_name_a_mapping_or_the_built_object_and_changes_none(bricks):
    cfg = {"type": "Block", "width": 3}
    assert bricks.build(cfg).width == 3
    assert bricks.build(cfg).width == 3
    assert cfg == {"type": "Block", "width": 3}
    assert bricks.build(cfg, width=5, depth=7).width == 5
    assert bricks.build("Block").width == 1
    built = Block()
    assert bricks.build(built) is built
    with pytest.raises(TypeError, match="built already"):
        bricks.build(built, width=2)


def test_an_exception_of_a_constructor_keeps_its_type_and_gains_the_place(bricks):
    class Special(Exception):
        pass

    @bricks.register
    def fails(width: int):
        raise Special("why")

    with pytest.raises(Special, match="why") as caught:
        bricks.build({"type": "fails", "width": 1})
    assert "while building local/fails" in caught.value.__notes__[0]


def test_bound_arguments_are_applied_and_cannot_be_changed(bricks):
    bricks.table.add(_component("wide", bound={"width": 9}))
    assert bricks.build("wide", depth=3).width == 9
    with pytest.raises(SchemaError, match="acme/wide fixes width=9"):
        bricks.build("wide", width=1)


def test_keyword_only_arguments_are_seen(bricks):
    assert [parameter.name for parameter in bricks.describe("Block").parameters] == ["width", "depth"]
    assert bricks.stub("Block") == "type: Block\n# how wide. (int)\nwidth: 1\n# (int)\ndepth: 2\n"


@pytest.mark.slow
def test_threads_register_and_resolve_at_once():
    table: NameTable[Component] = NameTable("bricks")
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(200):
                table.add(_component(f"c{worker}_{number}", pack=f"p{worker}"))
                assert table.find(f"c{worker}_{number}")
                table.records("c*_1")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(table) == 1600


names = st.text(alphabet="abcXYZ019_", min_size=1, max_size=8)


@given(st.lists(st.tuples(names, st.sampled_from(["p", "q", "r"])), unique=True))
def test_whatever_the_order_of_registration_every_name_means_the_same(pairs):
    def outcomes(order):
        table: NameTable[Component] = NameTable("bricks")
        for name, pack in order:
            table.add(_component(name, pack))
        found = {}
        for name, pack in pairs:
            assert table.find(f"{pack}/{name}").pack == pack
            try:
                found[name] = table.find(name).qualified
            except AmbiguousComponent as error:
                found[name] = str(error).partition("\n")[0]
        return found, [table.display_name(record) for record in table.records()]

    assert outcomes(pairs) == outcomes(pairs[::-1])


@given(st.lists(st.text(max_size=6), unique=True))
def test_natural_order_does_not_depend_on_the_order_of_the_input(items):
    backwards = list(reversed(items))
    assert sorted(items, key=natural_key) == sorted(backwards, key=natural_key)


@given(names)
def test_a_pattern_without_wildcards_finds_its_own_substring(name):
    for start in range(len(name)):
        assert matches(name, name[start:])
        assert matches(name.upper(), name[start:].lower())


@given(st.text(), st.text())
def test_errors_survive_pickling(message, hint):
    for kind in (EssmcError, UnknownComponent, LookupFailure):
        error = kind(message, hint=hint)
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == str(error) and again.hint == hint

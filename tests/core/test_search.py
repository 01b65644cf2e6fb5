"""What `essmc search` finds, installed or not, and in which order."""

from __future__ import annotations

import json

import pytest

from essmc_core.index.schema import ComponentFacts, EntryFacts, FamilyFacts, PackFacts
from essmc_core.index.search import search, suggestions
from tests.samples.indexes import index_of


def facts(name: str, summary: str = "", **more: object) -> PackFacts:
    return PackFacts.model_validate({"distribution": f"essmc-{name}", "name": name, "summary": summary, **more})


LIBRARY = [
    facts(
        "video",
        "Backbones for clips",
        components={
            "backbones": [
                ComponentFacts(name="SlowFast", summary="two paths", aliases=("SF",)),
                ComponentFacts(name="Fast"),
            ],
            "heads": [ComponentFacts(name="PathHead", summary="of SlowFast"), ComponentFacts(name="SlowFastHead")],
        },
        zoo=[EntryFacts(name="slowfast_r50", summary="Kinetics"), EntryFacts(name="slowfast_r101")],
    ),
    facts("timm", families={"backbones": [FamilyFacts(pattern="timm/*", count=2, names=("vit_b", "fastvit"))]}),
    facts("other", families={"heads": [FamilyFacts(pattern="other/*", count=900)]}, commands=[{"name": "fast"}]),
]


@pytest.mark.parametrize(
    ("text", "kind", "names"),
    [
        ("slowfast", None, ["SlowFast", "slowfast_r50", "slowfast_r101", "SlowFastHead", "PathHead"]),
        ("SF", None, ["SlowFast"]),
        ("fast", "backbones", ["Fast", "timm/fastvit", "SlowFast"]),
        ("fast", "commands", ["fast"]),
        ("slowfast kinetics", None, ["slowfast_r50"]),
        ("paths", None, ["SlowFast"]),
        ("timm", None, ["essmc-timm", "timm/fastvit", "timm/vit_b"]),
        ("timm/vit*", None, ["timm/vit_b"]),
        ("other/x", None, []),
        ("clips", None, ["essmc-video"]),
        ("nothing", None, []),
        ("   ", None, []),
    ],
)
def test_the_best_comes_first(text, kind, names):
    found = [hit.name for hit in search(text, LIBRARY, kind)]
    assert found[: len(names)] == names
    if not names:
        assert found == []


def test_a_component_has_the_lifecycle_of_its_pack_unless_it_states_one():
    parts = {"heads": [ComponentFacts(name="OldHead", lifecycle="deprecated"), ComponentFacts(name="NewHead")]}
    found = search("head", [facts("aged", lifecycle="stable", components=parts)])
    assert {hit.name: hit.lifecycle for hit in found} == {"OldHead": "deprecated", "NewHead": "stable"}


def test_a_misspelled_word_is_suggested():
    assert suggestions("slowfats", LIBRARY)[0] == "SlowFast"
    assert suggestions("qqqqqq", LIBRARY) == []


def test_search_finds_what_is_not_installed_and_imports_nothing_heavy(python):
    code = """
    import json, sys
    from essmc_core.cli.app import cli
    try:
        cli.main(["search", "slowfast", "--json"], standalone_mode=False)
    except SystemExit:
        pass
    print(json.dumps(sorted({"torch", "timm", "torchvision", "transformers"} & set(sys.modules))))
    """
    done = python.run(code, ESSMC_PACKS="", ESSMC_BLOCK="")
    assert done.stdout.splitlines()[-1] == "[]"
    found = json.loads(done.stdout[: done.stdout.rindex("[]")])
    assert [found[0][key] for key in ("name", "kind", "pack")] == ["SlowFast", "backbones", "essmc-video"]
    assert found[0]["status"] == "blocked"


def test_search_among_what_is_installed_imports_nothing_heavy(python):
    code = """
    import sys
    from essmc_core.cli.app import cli
    try:
        cli.main(["search", "slowfast"], standalone_mode=False)
    except SystemExit:
        pass
    print(sorted({"torch", "timm", "torchvision", "transformers", "torchmetrics"} & set(sys.modules)))
    """
    lines = python.run(code).stdout.splitlines()
    assert lines[1].split()[:3] == ["SlowFast", "backbones", "yes"] and lines[-1] == "[]"


def test_search_says_which_core_a_pack_needs(python, tmp_path):
    packs = [
        {"distribution": "essmc-late", "name": "late", "core": ">=99"},
        {"distribution": "essmc-lax", "name": "lax"},
    ]
    (tmp_path / "own.json").write_text(json.dumps({"version": 1, "packs": packs}))
    extra = {"ESSMC_INDEX": str(tmp_path / "own.json"), "ESSMC_PACKS": ""}
    assert "pip install essmc-late  (needs essmc-core>=99)" in python.essmc("search", "late", **extra).stdout
    found = json.loads(python.essmc("search", "essmc-la", "--json", **extra).stdout)
    assert {hit["name"]: hit["compatible"] for hit in found} == {"essmc-late": False, "essmc-lax": True}


def test_search_says_how_to_install(python, tmp_path):
    (tmp_path / "own.json").write_text(index_of("acme"))
    extra = {"ESSMC_INDEX": f"{tmp_path / 'own.json'},{tmp_path / 'none.json'}", "ESSMC_PACKS": ""}
    done = python.essmc("search", "acme", **extra)
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert rows == [
        ["essmc-acme", "packs", "pip", "install", "essmc-acme"],
        ["acmeHead", "heads", "pip", "install", "essmc-acme"],
    ]
    assert "Warning: ESSMC_INDEX names" in done.stderr
    assert "did you mean 'acmeHead'" in python.essmc("search", "acmeHaed", **extra).stderr
    wrong = python.essmc("search", "acme", "--kind", "haeds", check=False, **extra)
    assert wrong.returncode == 2 and "did you mean 'heads'?" in wrong.stderr
    assert "there is some among heads, packs" in python.essmc("search", "acme", "--kind", "necks", **extra).stderr

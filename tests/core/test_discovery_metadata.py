"""Nothing that another distribution contains ends the import of the core: it is left out, or used, and named."""

from __future__ import annotations

import json
import os

import pytest

NET = {"net.py": "class Net:\n    def __init__(self, width: int = 1):\n        self.width = width\n"}
PACKS = (
    "import essmc_core, json\n"
    "print(json.dumps({p.distribution: [p.status, p.reason, p.version, p.source, p.remarks]"
    " for p in essmc_core.packs()}))"
)


def _info(site, name="odd", version="1.0"):
    return site.folder / f"{name}-{version}.dist-info"


def _good(site):
    site.add("good", components={"backbones.Net": "good.net:Net"}, files=NET)


ENTRY_POINTS = {
    "no value": (b"[essmc]\nodd\n", "quarantined", "entry_points.txt:2: 'odd' is no entry point"),
    "no name": (b"[essmc]\n= odd.plugin\n", "quarantined", "entry_points.txt:2"),
    "no module": (b"[essmc]\nodd = \n", "quarantined", "entry_points.txt:2"),
    "no identifier": (b"[essmc]\nodd = odd-plugin:hooks\n", "quarantined", "'odd = odd-plugin:hooks'"),
    "two colons": (b"[essmc]\nodd = odd:a:b\n", "quarantined", "entry_points.txt:2"),
    "open heading": (b"[essmc\nodd = odd.plugin\n", "quarantined", "entry_points.txt:1: the heading '[essmc'"),
    "other encoding": ("[essmc]\nodd = odd.plugin\n".encode("utf-16"), "quarantined", "is not UTF-8 text"),
    "latin": (b"[essmc]\nodd = odd.pl\xfcgin\n", "quarantined", "entry_points.txt:2"),
    "own group": (b"[console_scripts]\nbroken\n= x\n[essmc]\nodd = odd.plugin\n", "ok", ""),
    "own encoding": (b"[console_scripts]\n# \xfc\n[essmc]\nodd = odd.plugin\n", "ok", ""),
    "windows": (b"\xef\xbb\xbf[essmc]\r\nodd = odd.plugin [extra]\r\n; comment\r\n", "ok", ""),
}


@pytest.mark.parametrize("case", ENTRY_POINTS)
def test_malformed_entry_points_are_named_and_the_others_work(site, python, case):
    data, status, reason = ENTRY_POINTS[case]
    site.add("odd")
    (_info(site) / "entry_points.txt").write_bytes(data)
    _good(site)
    found = python.json(PACKS)
    assert found["odd"][0] == status and reason in found["odd"][1]
    assert found["good"][0] == "ok"


def test_entry_points_of_no_pack_of_ours_are_not_looked_at(site, python):
    site.add("odd")
    (_info(site) / "entry_points.txt").write_bytes(b"[console_scripts\nno value\n\xff\xfe\n")
    _good(site)
    assert "odd" not in python.json(PACKS)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_the_place_of_metadata_is_skipped_and_named(site, python):
    for name in ("odd", "even"):
        site.add(name)
    for info, file in ((_info(site), "entry_points.txt"), (_info(site, "even"), "METADATA")):
        (info / file).unlink()
        os.mkfifo(info / file)
    _good(site)
    found = python.json(PACKS)
    assert found["odd"][0] == "skipped" and "no regular file" in found["odd"][1]
    assert found["even"][0] == "ok" and "METADATA cannot be read" in found["even"][4][0]
    shown = python.essmc("packs").stdout
    assert "odd is skipped: MetadataError" in shown


METADATA = {
    "none": (None, "1.0", "states no Name"),
    "empty": (b"", "1.0", "states no Name"),
    "no name": (b"Metadata-Version: 2.1\nVersion: 3.0\n\n", "3.0", "states no Name; its folder says odd"),
    "no version": (b"Metadata-Version: 2.1\nName: odd\n\n", "1.0", "states no Version; its folder says 1.0"),
    "latin": (b"Metadata-Version: 2.1\nName: odd\nVersion: 1.0\nAuthor: M\xfcller\n\n", "1.0", None),
    "windows": (b"Metadata-Version: 2.1\r\nName: odd\r\nVersion: 1.0\r\n\r\nName: other\r\n", "1.0", None),
}


@pytest.mark.parametrize("case", METADATA)
def test_metadata_that_lacks_something_is_taken_from_the_folder_and_named(site, python, case):
    data, version, remark = METADATA[case]
    site.add("odd", components={"backbones.Odd": "odd.net:Net"})
    path = _info(site) / "METADATA"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    _good(site)
    found = python.json(PACKS)
    assert found["odd"][0] == "ok" and found["odd"][2] == version
    assert any(remark in said for said in found["odd"][4]) if remark else found["odd"][4] == []
    assert found["good"][0] == "ok"


def test_a_name_that_is_none_is_refused(site, python):
    site.add("odd")
    (_info(site) / "METADATA").write_text("Metadata-Version: 2.1\nName: ../../odd thing\nVersion: 1.0\n\n")
    found = python.json(PACKS)["odd"]
    assert found[0] == "quarantined" and "is no name of a distribution" in found[1]


@pytest.mark.parametrize("text", ["", "no json", "[1]", '"text"', '{"dir_info": 3}', "[" * 100_000, "null"])
def test_origin_that_cannot_be_read_is_named(site, python, text):
    site.add("odd")
    (_info(site) / "direct_url.json").write_text(text)
    found = python.json(PACKS)["odd"]
    assert found[0] == "ok" and found[3] == "wheel"
    assert "direct_url.json cannot be read" in found[4][0]


def test_two_versions_in_one_folder_are_one_pack_the_newer(site, python):
    site.add("odd", version="1.9")
    site.add("odd", version="1.10")
    found = python.json(PACKS)["odd"]
    assert found[2] == "1.10" and "odd-1.9.dist-info is another version of it" in found[4][0]


def test_folders_named_with_dashes_are_not_mixed_up(site, python):
    for name in ("my-net", "my-head"):
        site.add(name)
        (site.folder / f"{name.replace('-', '_')}-1.0.dist-info").rename(site.folder / f"{name}-1.0.dist-info")
    found = python.json(PACKS)
    assert found["my-net"][0] == found["my-head"][0] == "ok"


def test_two_distributions_that_claim_one_name_are_both_shown(site, python):
    site.add("acme")
    site.add("other")
    path = _info(site, "other") / "METADATA"
    path.write_text(path.read_text().replace("Name: other", "Name: acme"))
    found = {name: status for name, (status, *_) in python.json(PACKS).items() if name.startswith("acme")}
    assert sorted(found.values()) == ["ok", "quarantined"]


def test_a_finder_of_distributions_that_fails_is_named(python):
    code = """
    import sys
    class Failing:
        def find_spec(self, *arguments): return None
        def find_distributions(self, context): raise RuntimeError("no index")
    sys.meta_path.insert(0, Failing())
    import essmc_core
    print([(p.status, p.reason) for p in essmc_core.packs() if "Failing" in p.distribution])
    """
    assert python.run(code).stdout == "[('skipped', 'RuntimeError: no index')]\n"


@pytest.mark.parametrize("name", ["core", "essmc-core", "essmc_essmc.core", "local", "essmc-local", "zoo", "essmc"])
def test_names_that_the_core_needs_are_reserved(site, python, name):
    site.add("claims", "raise AssertionError('imported')")
    path = _info(site, "claims") / "METADATA"
    path.write_text(path.read_text().replace("Name: claims", f"Name: {name}"))
    code = """
    import essmc_core, json
    before = len([e for e in essmc_core.ZOO.table if e.pack == "core"])
    essmc_core.rediscover()
    after = len([e for e in essmc_core.ZOO.table if e.pack == "core"])
    print(json.dumps([before, after, [p.reason for p in essmc_core.packs() if p.status == "quarantined"]]))
    """
    before, after, reasons = python.json(code)
    assert before == after > 0
    assert len(reasons) == 1 and reasons[0].startswith("ReservedName") and "reserved for the core" in reasons[0]


DECLARATIONS = [
    "registries.heads.register('', 'bad.net:N')",
    "registries.heads.register('two words', 'bad.net:N')",
    "registries.heads.register('a/b', 'bad.net:N')",
    "registries.heads.register('a\\nb', 'bad.net:N')",
    "registries.heads.register('--help', 'bad.net:N')",
    "registries.heads.register(3, 'bad.net:N')",
    "registries.heads.register('N', 3)",
    "registries.heads.register('N', 'bad.net:')",
    "registries.heads.register('N', 'bad net:N')",
    "registries.heads.register('N', 'bad.net:N', summary=None)",
    "registries.heads.register('N', 'bad.net:N', summary='two\\nlines')",
    "registries.heads.register('N', 'bad.net:N', summary='\\x1b[31mred')",
    "registries.heads.register('N', 'bad.net:N', aliases='Old')",
    "registries.heads.register('N', 'bad.net:N', aliases=['a b'])",
    "registries.heads.register('N', 'bad.net:N', deprecated={'Old': 3})",
    "registries.heads.register('N', 'bad.net:N', bound={3: 4})",
    "registries.heads.register('N', 'bad.net:N', bound=['width'])",
    "registries.heads.register('N', 'bad.net:N', retired={'width': 3})",
    "registries.add_kind('Detectors', 'detector')",
    "registries.add_kind('detectors', '')",
    "registries.add_kind('detectors', 'backbone')",
    "registries.add_kind('stems', 'stem')",
    "registries.add_kind('find_everywhere', 'one')",
    "registries.add_kind('backbones', 'trunk')",
    "registries.add_kind(None, None)",
]


@pytest.mark.parametrize("statement", DECLARATIONS)
def test_values_that_packs_register_are_checked(statement):
    from essmc_core.discovery.staging import StagedRegistries
    from essmc_core.errors import EssmcError
    from essmc_core.registry.kinds import Registries

    registries = Registries()
    staged = StagedRegistries(registries, "bad")
    with pytest.raises((EssmcError, ValueError), match=r"; it must |means something else already|exists with singular"):
        exec(statement, {"registries": staged})
    assert staged.components() == {} or all(not found for found in staged.components().values())


def test_exceptions_whose_text_fails_are_shown_by_type(site, python):
    site.add("bad", "class Odd(Exception):\n    def __str__(self): raise ValueError\n    __repr__ = __str__\nraise Odd")
    site.add("worse", "class Odd(Exception):\n    def __str__(self): return 3\nraise Odd")
    found = python.json(PACKS)
    assert found["bad"][:2] == found["worse"][:2] == ["quarantined", "Odd"]
    shown = python.essmc("packs", "--traceback").stdout
    assert "bad is quarantined: Odd" in shown
    assert json.loads(python.essmc("packs", "--json").stdout)

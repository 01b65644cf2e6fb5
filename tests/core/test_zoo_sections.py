"""One bad zoo entry is a broken entry: it is named, and the listing goes on."""

from __future__ import annotations

import pytest

from essmc_core.errors import AmbiguousComponent, ConfigError
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import Zoo, ZooEntry

GOOD = (
    "summary: fine\nmodel: {type: Net}\naliases: [other]\ncost: {params: 3, gmacs: 0.5}\nlabels: [a, 1]\nresults: []\n"
)
BAD = [
    "aliases: other", "aliases: [3]", "aliases: ['a b']", "aliases: ['']", "aliases: {a: 1}",
    "cost: 3", "cost: {params: many}", "cost: {params: -1}", "cost: {gmacs: .nan}", "cost: {params: true}",
    "results: 75.0", "results: [75.0]", "results: {dataset: k400}", "labels: 3", "labels: ['a', [b]]", "labels: ''",
    "summary: [a]", 'summary: "a\\nb"', "weights: file.pt", "input: image", "knobs: [a]",
]  # fmt: skip


def _entry(folder, name, text):
    (folder / f"{name}.yaml").write_text(text)
    return ZooEntry(name, "odd", EntryFile(folder / f"{name}.yaml"))


def test_a_good_entry_is_read(tmp_path):
    entry = _entry(tmp_path, "good", GOOD)
    assert entry.params == 3 and entry.macs == 0.5e9 and entry.listed_aliases == ("other",)


@pytest.mark.parametrize("line", BAD)
def test_a_section_of_another_form_is_a_configuration_error(tmp_path, line):
    section = line.partition(":")[0]
    with pytest.raises(ConfigError, match=f"bad.yaml:2:.*`{section}` must be"):
        _ = _entry(tmp_path, "bad", f"model: {{type: Net}}\n{line}\n").config


def test_listing_goes_on_past_bad_entries(site, python):
    plugin = (
        "from pathlib import Path\nfrom essmc_core import hookimpl\n@hookimpl\n"
        "def register_zoo(zoo): zoo.add_directory(Path(__file__).parent / 'zoo')\n"
    )
    files = {f"zoo/bad{i}.yaml": f"model: {{type: Net}}\n{line}\n" for i, line in enumerate(BAD)}
    site.add("odd", plugin, files={**files, "zoo/good.yaml": GOOD})
    done = python.essmc("models", "--pack", "odd", ESSMC_PACKS="odd")
    assert "good" in done.stdout and "Traceback" not in done.stderr
    assert done.stderr.count("cannot be read") == len(BAD)


def test_an_alias_of_two_entries_is_ambiguous_and_never_first_come(tmp_path):
    zoo = Zoo()
    for pack in ("beta", "alpha"):
        path = tmp_path / f"{pack}_net.yaml"
        path.write_text(GOOD)
        zoo.add(ZooEntry(f"{pack}_net", pack, EntryFile(path)))
    with pytest.raises(AmbiguousComponent, match="alpha/alpha_net, beta/beta_net"):
        zoo.entry("other")
    assert zoo.entry("beta/other").name == "beta_net"

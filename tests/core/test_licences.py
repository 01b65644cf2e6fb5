"""Licences: the spelling of SPDX expressions, what they permit, and what entries, files, cards and listings say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import packaging
import pytest
from click.testing import CliRunner
from hypothesis import assume, given
from hypothesis import strategies as st
from packaging.version import Version

import essmc_core
from essmc_core.cli.app import cli
from essmc_core.errors import ConfigError, SchemaError
from essmc_core.foundation.licences import canonical_licence, permits, permits_commercial_use
from essmc_core.models.factory import build_model
from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.models.verification import verify_entry
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import ZooEntry

ENTRY = """\
summary: Two classes of tiny pictures
model:
  type: Classifier
  backbone: {type: timm/resnet10t}
  head: {type: ClassifierHead, num_classes: 2}
input: {modality: image, size: 32, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
weights: {uri: tiny.pth}
"""
NAMES = ("MIT", "Apache-2.0", "CC-BY-NC-4.0", "GPL-3.0-only")

WORDS = {"AND": "and", "OR": "or"}


def entry(folder: Path, more: str = "", text: str = ENTRY) -> ZooEntry:
    path = folder / "tiny.yaml"
    path.write_text(text + more, encoding="utf-8")
    return ZooEntry("tiny", "local", EntryFile(path))


@pytest.mark.parametrize(
    ("written", "spelled", "commercial"),
    [
        ("apache-2.0", "Apache-2.0", True),
        ("mit or CC-BY-NC-4.0", "MIT OR CC-BY-NC-4.0", True),
        ("MIT AND CC-BY-NC-4.0", "MIT AND CC-BY-NC-4.0", False),
        ("CC-BY-NC-4.0 OR (MIT AND CC-BY-ND-4.0)", "CC-BY-NC-4.0 OR (MIT AND CC-BY-ND-4.0)", False),
        ("gpl-2.0-or-later with classpath-exception-2.0", "GPL-2.0-or-later WITH Classpath-exception-2.0", True),
        ("Apache-2.0+", "Apache-2.0+", True),
        ("gpl-3.0 or LGPL-2.1", "GPL-3.0 OR LGPL-2.1", True),
        ("LicenseRef-gemma", "LicenseRef-gemma", False),
        ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0", False),
        ("Unknown", "unknown", False),
    ],
)
def test_licences_are_spelled_as_in_the_spdx_list(written: str, spelled: str, commercial: bool) -> None:
    assert canonical_licence(written) == spelled
    assert permits_commercial_use(spelled) is commercial


@pytest.mark.parametrize("text", ["Apache 2", "", "free", "MIT AND", "(MIT", "unknown OR MIT", "None"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is no SPDX licence expression"):
        canonical_licence(text)


expressions = st.recursive(
    st.sampled_from(NAMES),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda parts: f"({' '.join(parts)})"),
    max_leaves=8,
)


@given(expressions, expressions, st.sampled_from(["AND", "OR"]), st.sets(st.sampled_from(NAMES)))
def test_an_expression_grants_what_logic_says(left: str, right: str, word: str, granted: set[str]) -> None:
    # packaging before 26 refuses parentheses inside of others.
    nested = any(re.search(r"\([^)]*\(", side) for side in (left, right))
    assume(not nested or Version(packaging.__version__) >= Version("26"))
    whole = canonical_licence(f"{left} {word} {right} OR MIT AND Apache-2.0")
    # Python's own `and` and `or` have the precedence of SPDX.
    logic = re.sub(r"[\w.-]+", lambda found: WORDS.get(found[0], repr(found[0] in granted)), whole)
    assert permits(whole, granted.__contains__) is eval(logic)


@pytest.mark.parametrize(
    ("section", "message", "line"),
    [
        ("licence: {code: MIT, weights: Apache 2}", "licence.weights: 'Apache 2' is no SPDX licence expression", 8),
        ("licence: Apache-2.0", "`licence` is a mapping, got 'Apache-2.0'", 8),
        ("licence: {code: 3}", "licence.code is an SPDX expression, got 3", 8),
        ("licence:\n  code: MIT\n  model: MIT", "`licence` has no 'model'", 10),
    ],
)
def test_a_wrong_licence_is_a_broken_entry(tmp_path: Path, section: str, message: str, line: int) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        entry(tmp_path, section).config  # noqa: B018
    assert caught.value.where is not None
    assert caught.value.where.line == line
    with pytest.raises(SchemaError, match=re.escape(message)):
        resolve_recipe(read_recipe(tmp_path / "tiny.yaml"))


def test_a_licence_may_stand_beside_the_uri_but_not_contradict_it(tmp_path: Path) -> None:
    beside = ENTRY.replace("tiny.pth}", "tiny.pth, licence: mit}")
    assert entry(tmp_path, text=beside).licence.weights == "MIT"
    assert entry(tmp_path, "licence: {weights: MIT}", beside).licence.weights == "MIT"
    with pytest.raises(ConfigError, match=r"the weights are Apache-2\.0 by `licence` and mit by `weights`"):
        entry(tmp_path, "licence: {weights: Apache-2.0}", beside).config  # noqa: B018


def test_verify_refuses_weights_without_a_licence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from essmc_core.models.defaults import ZOO

    def problems(more: str, text: str = ENTRY) -> list[str]:
        made = entry(tmp_path, more, text)
        monkeypatch.setattr(ZOO.table, "_index", type(ZOO.table._index)())
        ZOO.add(made)
        return verify_entry(made).problems

    cost = "cost: {params: 4923514, gmacs: 0.022, at: [3, 32, 32]}\n"
    both = ["states no licence of its code", "states no licence of its weights"]
    assert problems(cost) == both
    assert problems(cost + "licence: {code: MIT}") == both[1:]
    assert problems(cost + "licence: {code: MIT, weights: unknown}") == []
    assert problems(cost, ENTRY.replace("weights: {uri: tiny.pth}\n", "")) == []
    no_input = re.sub("input: .*\n", "", ENTRY)
    assert problems("", no_input) == both
    result = CliRunner().invoke(cli, ["verify", "tiny"], standalone_mode=False)
    assert result.return_value == 1
    assert "states no licence of its weights" in result.output


def test_a_card_states_the_licence_of_what_was_loaded(tmp_path: Path) -> None:
    import torch

    stated = ENTRY.replace("tiny.pth", str(tmp_path / "tiny.pth")) + "licence: {code: mit, weights: CC-BY-NC-4.0}"
    (tmp_path / "tiny.yaml").write_text(stated, encoding="utf-8")
    model = build_model(tmp_path / "tiny.yaml")
    assert model.card is not None
    assert model.card["licence"] == {"code": "MIT", "weights": None}
    for name in ("tiny.pth", "other.pth"):
        torch.save(model.state_dict(), tmp_path / name)
    own = build_model(tmp_path / "tiny.yaml", pretrained=True)
    assert own.card is not None
    assert own.card["licence"] == {"code": "MIT", "weights": "CC-BY-NC-4.0"}
    other = build_model(tmp_path / "tiny.yaml", weights=tmp_path / "other.pth")
    assert other.card is not None
    assert other.card["licence"] == {"code": "MIT", "weights": None}


def test_other_weights_do_not_inherit_a_licence(tmp_path: Path) -> None:
    based = tmp_path / "mine.yaml"
    based.write_text("zoo: motion_digits\nweights: {uri: mine.pth}\n", encoding="utf-8")
    assert dict(read_recipe(based).config["licence"]) == {"code": "Apache-2.0"}
    based.write_text("zoo: motion_digits\n", encoding="utf-8")
    assert dict(read_recipe(based).config["licence"]) == {"code": "Apache-2.0", "weights": "Apache-2.0"}


def test_every_entry_with_weights_states_both_licences() -> None:
    entries = [found for found in essmc_core.ZOO.entries() if found.pretrained]
    assert len(entries) > 100
    assert {found.name: found.licence.missing(True) for found in entries if found.licence.missing(True)} == {}


def test_listings_filter_by_licence() -> None:
    names = essmc_core.list_models("*", commercial=True)
    assert "motion_digits" in names
    assert "vit_b_16_tv_swag_e2e_in1k" not in names, "CC-BY-NC-4.0"
    assert "resnet18_tv_in1k" not in names, "unknown is never permitted"
    assert "tada2d_r50_k400" in names, "without weights, only the code matters"
    mit = essmc_core.list_models("*", licence=["mit", "Apache-2.0"], pretrained=True)
    apache = essmc_core.list_models("*", licence="Apache-2.0", pretrained=True)
    assert set(apache) < set(mit)
    assert not set(essmc_core.list_models("*", licence="MIT", pretrained=True)) & set(apache)
    with pytest.raises(ConfigError, match="'unknown' is not one licence"):
        essmc_core.list_models(licence="unknown")


def test_the_command_line_filters_and_states_licences() -> None:
    def run(*arguments: str) -> str:
        return CliRunner().invoke(cli, list(arguments), standalone_mode=False, catch_exceptions=False).output

    listed = json.loads(run("models", "--licence", "Apache-2.0, MIT", "--commercial", "--pretrained", "--json"))
    assert listed
    assert {row["licence"]["weights"] for row in listed} <= {"Apache-2.0", "MIT"}
    assert all(row["licence"]["commercial"] for row in listed)
    assert "CC-BY-NC-4.0" in run("models", "swag")
    shown = run("show", "vit_b_16_tv_swag_e2e_in1k")
    assert "code BSD-3-Clause, weights CC-BY-NC-4.0, commercial use not known to be permitted" in shown
    assert json.loads(run("show", "motion_digits", "--json"))["licence"] == {
        "code": "Apache-2.0", "weights": "Apache-2.0",
    }  # fmt: skip

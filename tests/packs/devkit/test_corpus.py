"""Every broken pack of the corpus is found out by the check that is for its fault, and by no other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from essmc_devkit.checking import check_pack
from essmc_devkit.children.limits import GIB, Limits
from essmc_devkit.finding import Finding
from essmc_devkit.options import Options
from tests.packs.devkit.broken_packs import BrokenPack, build_sound_pack, corpus, install

INSTALLATIONS = [*corpus("metadata.yaml"), *corpus("files.yaml"), *corpus("discovery.yaml")]


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sound pack as a wheel holds it."""
    return build_sound_pack(tmp_path_factory.mktemp("sound"))


def judge(pack: BrokenPack, findings: Sequence[Finding]) -> None:
    """Fails unless the one finding that is not in order is the expected one."""
    odd = [one for one in findings if one.status in ("failed", "warning")]
    expected = [one for one in odd if one.check == pack.check and one.status == pack.status]
    assert any(re.search(pack.words, one.message) for one in expected), [*odd, *findings]
    assert {one.check for one in odd} - {pack.check, *pack.also} == set(), odd
    assert all("\n" not in one.message and (one.fix or one.message) for one in odd)


@pytest.mark.slow
@pytest.mark.parametrize("pack", INSTALLATIONS, ids=str)
def test_a_fault_of_the_installation_is_found(pack: BrokenPack, sound: Path, tmp_path: Path) -> None:
    installed = install(pack, sound, tmp_path / "site")
    judge(pack, list(check_pack(installed, Options(Limits(pack.seconds, 2 * GIB), fast=True))))


def test_names_of_the_corpus_are_unlike() -> None:
    names = [pack.name for pack in INSTALLATIONS]
    assert len(set(names)) == len(names) >= 40

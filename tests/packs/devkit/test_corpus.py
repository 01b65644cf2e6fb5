"""Every broken pack of the corpus is found out by the check that is for its fault, and by no other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatch
from pathlib import Path

import pytest

from essmc_devkit.brought import CHILD, check_one
from essmc_devkit.checking import check_pack
from essmc_devkit.children.environment import child_environment
from essmc_devkit.children.limits import GIB, Limits
from essmc_devkit.children.worker import Worker
from essmc_devkit.finding import Finding
from essmc_devkit.installation.observation import Named
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.options import Options
from tests.packs.devkit.broken_packs import BrokenPack, build_sound_pack, corpus, install

INSTALLATIONS = [*corpus("metadata.yaml"), *corpus("files.yaml"), *corpus("discovery.yaml")]
BROUGHT = corpus("brought.yaml")
SLOW_CHECKS = ("copying.spawn", "exporting.*")
"""Made of few packs, since each takes a second."""
MEMORY = 2 * GIB


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
    judge(pack, list(check_pack(installed, Options(Limits(pack.seconds, MEMORY), fast=True))))


@pytest.fixture(scope="module")
def brought(sound: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, PackUnderTest]:
    """The packs that bring something broken, installed side by side."""
    folder = tmp_path_factory.mktemp("brought")
    return {pack.name: install(pack, sound, folder / pack.name) for pack in BROUGHT}


@pytest.fixture(scope="module")
def worker(brought: Mapping[str, PackUnderTest]) -> Iterator[Worker]:
    """One child process for all of them, replaced when it crashes."""
    sites = [site for pack in brought.values() for site in pack.sites]
    packs = ",".join([*(pack.pack for pack in brought.values()), "classifiers"])
    with Worker(CHILD, child_environment(sites, ESSMC_PACKS=packs), Limits(memory=MEMORY)) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize("pack", BROUGHT, ids=str)
def test_a_fault_of_what_it_brings_is_found(
    pack: BrokenPack, brought: Mapping[str, PackUnderTest], worker: Worker
) -> None:
    kind, _, name = pack.renamed(pack.subject).partition("/")
    name = pack.name if kind == "commands" else name
    left_out = [check for check in SLOW_CHECKS if not fnmatch(pack.check, check)]
    worker.limits = Limits(pack.seconds, MEMORY)
    judge(pack, list(check_one(worker, brought[pack.name], Named(kind, name), Options(leave_out=left_out))))


def test_names_of_the_corpus_are_unlike() -> None:
    names = [pack.name for pack in (*INSTALLATIONS, *BROUGHT)]
    assert len(set(names)) == len(names) >= 40

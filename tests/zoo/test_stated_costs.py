"""Every entry states the parameters and MACs that it has, as `essmc verify` measures them."""

from __future__ import annotations

import json

import pytest

import essmc_core
from essmc_core.models.verification import verify_entry
from tests.samples.written_entries import written_entries


@pytest.mark.parametrize("name", written_entries())
def test_entry_states_its_own_cost(name):
    verdict = verify_entry(essmc_core.ZOO.entry(name))
    assert verdict is not None, "the entry does not say what goes in"
    assert verdict.problems == []


def test_command_exits_with_1_when_an_entry_states_another_cost(site, python):
    plugin = """
    from pathlib import Path
    from essmc_core import hookimpl

    @hookimpl
    def register_zoo(zoo):
        zoo.add_directory(Path(__file__).parent / "zoo")
    """
    entry = (
        "_base_: core::_base_/video_classifier.yaml\n"
        "model: {backbone: {type: ResNetR2D3D, depth: 10}, head: {num_classes: 3}}\n"
        "input: {frames: 4, stride: 1, size: [32, 32]}\ncost: {params: 1, gmacs: 1.0, at: [3, 4, 32, 32]}\n"
    )
    site.add("acme", plugin, files={"zoo/net.yaml": entry})
    done = python.essmc("verify", "acme/net", "--json", check=False)
    assert done.returncode == 1, done.stderr
    problems = json.loads(done.stdout)[0]["problems"]
    assert problems[0].startswith("states 1 parameters, has ")
    assert python.essmc("verify", "acme/net", "--write").returncode == 0
    assert python.essmc("verify", "acme/net").stdout.splitlines()[1].split()[-1] == "ok"

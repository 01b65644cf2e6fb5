"""Networks that a peer has too compute what the peer computes, gradients included, where the peer is installed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.parity.peer_pairs import FAMILIES, TOLERANCE, Family, Pair, disagreement, forward, gradients, missing_peer

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "forward.py"
NETWORKS = {"essmc2": 12, "pytorchvideo": 8, "torchvision": 1}
NO_GRADIENTS = {"TimeSformer (essmc2)"}
"""Theirs write in place what their backward pass needs, which current versions of torch refuse."""


@pytest.fixture(scope="module", params=list(FAMILIES.values()), ids=list(FAMILIES))
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    error = missing_peer(found)
    if error is not None:
        pytest.skip(f"{found.peer} is not installed: {error}")
    return found


@pytest.fixture(scope="module")
def pair(family: Family) -> Pair:
    return Pair.build(family, torch.randn(1, 3, 8, 64, 64, generator=torch.Generator().manual_seed(0)))


def test_every_network_that_a_peer_has_is_compared() -> None:
    assert Counter(family.peer for family in FAMILIES.values()) == NETWORKS


def test_outputs_agree(pair: Pair) -> None:
    assert disagreement(pair, forward) < TOLERANCE


def test_gradients_agree(family: Family, pair: Pair) -> None:
    if f"{family.name} ({family.peer})" in NO_GRADIENTS:
        with pytest.raises(RuntimeError, match="inplace operation"):
            gradients(pair.theirs, pair.clip)
        pytest.skip("theirs cannot be computed by this version of torch")
    assert disagreement(pair, gradients) < TOLERANCE


def test_the_benchmark_times_them() -> None:
    small = ("-n", "1", "--threads", "1", "--size", "64", "--train-batch", "1")
    subprocess.run([sys.executable, str(BENCHMARK), "--family", "S3D", *small], check=True, timeout=600)

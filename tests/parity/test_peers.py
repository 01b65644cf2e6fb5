"""Networks that a peer has too compute what the peer computes, gradients included, where the peer is installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "forward.py"
SMALL = ("-n", "1", "--threads", "1", "--size", "64", "--train-batch", "1")
NETWORKS = {"essmc2": 12, "pytorchvideo": 8, "torchvision": 1}


@pytest.mark.parametrize("peer", sorted(NETWORKS))
def test_the_benchmark_finds_that_all_networks_agree(peer: str) -> None:
    command = (sys.executable, str(BENCHMARK), "--family", f"({peer})", *SMALL)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if f"{peer} cannot be imported" in done.stdout:
        assert done.returncode == 2
        pytest.skip(f"{peer} is not installed")
    assert done.returncode == 0, done.stdout + done.stderr
    table = [line for line in done.stdout.splitlines() if f"({peer})" in line]
    refused = [line for line in table if "cannot be compared" in line]
    assert sum(" agrees " in line for line in table) + len(refused) == 2 * NETWORKS[peer]
    # On current versions of torch, its gradients cannot be computed.
    assert {line.split()[0] for line in refused} <= {"TimeSformer"}

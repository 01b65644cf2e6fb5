"""Evaluation by each engine beside the peer's, in eager PyTorch: same weights, same clip, same process.

``python benchmarks/engines.py`` runs EssentialMC2's networks, ``… --family R2D3D TAda`` those
with these in their names. Engines that share the process with the peer are timed in turn with it; ``essmc bench`` gives
each a process of its own, which ONNX Runtime and OpenVINO need. Outputs are compared with the peer's.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from essmc_core import REGISTRIES

# What is timed here is what the tests compare.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
from peer_pairs import FAMILIES, Pair, missing_peer

ENGINES = ("folded", "onednn")


def main() -> None:
    """Prints a line for each network, and the geometric mean."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", nargs="*", default=["(essmc2)"], help="parts of the names of networks")
    parser.add_argument("--engines", nargs="*", default=list(ENGINES))
    parser.add_argument("--size", type=int, default=112, help="height and width of the clip")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(arguments.threads)
    clip = torch.randn((1, 3, arguments.frames, arguments.size, arguments.size))
    print(f"torch {torch.__version__}, {arguments.threads} threads, clip {tuple(clip.shape)}; times are medians in ms")
    gains: dict[str, list[float]] = {}
    for name, family in FAMILIES.items():
        if not any(part in name for part in arguments.family) or missing_peer(family):
            continue
        pair = Pair.build(family, clip)
        times, differences = measure(pair, clip, arguments.engines, arguments.runs)
        shown = [f"{kind} {ms:.1f} ({times['peer'] / ms:.2f}x)" for kind, ms in times.items() if kind != "peer"]
        print(
            f"{name}: peer {times['peer']:.1f}, {', '.join(shown)}, differ by at most {max(differences):.1g}",
            flush=True,
        )
        for kind, ms in times.items():
            gains.setdefault(kind, []).append(times["peer"] / ms)
    for kind, ratios in gains.items():
        if kind != "peer":
            print(f"{kind}: {statistics.geometric_mean(ratios):.2f}x the peer over {len(ratios)} networks")


def measure(pair: Pair, clip: Tensor, engines: list[str], runs: int) -> tuple[Mapping[str, float], list[float]]:
    """Returns median milliseconds by what ran, and differences from the peer relative to the largest output."""
    ours, theirs = pair.ours.eval(), pair.theirs.eval()
    calls: dict[str, Callable[[Tensor], Tensor]] = {"peer": theirs, "eager": ours}
    for name in engines:
        calls[name] = REGISTRIES["engines"].build(name).prepare(ours, clip, "fp32")
    with torch.inference_mode():
        expected = theirs(clip)
        largest = float(expected.abs().max())
        differences = [float((call(clip) - expected).abs().max()) / largest for call in calls.values()]
        found: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(runs):
            for name, call in calls.items():
                start = time.perf_counter()
                call(clip)
                found[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(times) for name, times in found.items()}, differences


if __name__ == "__main__":
    main()

"""Forward pass and training step of every network that a peer has too: same weights, same clip.

The peers are EssentialMC2, pytorchvideo and, where the network is our own, torchvision.

``python benchmarks/forward.py`` runs all networks, ``python benchmarks/forward.py --family TAda --memory`` those with
TAda in their name, with peak memory. Outputs and gradients are compared in float64, times are of float32.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

# What is timed here is what the tests compare.
sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
from peer_pairs import (
    FAMILIES,
    HOW_TO_INSTALL,
    TOLERANCE,
    Family,
    Pair,
    disagreement,
    forward,
    gradients,
    missing_peer,
    train_step,
)

CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}


def interleaved_ms(
    pair: Pair, run: Callable[[nn.Module, Tensor], object], runs: int, clock: Callable[[], float]
) -> tuple[float, float]:
    """Returns the median milliseconds of ours and theirs, run in turn after one run that does not count."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for model, found in zip((pair.ours, pair.theirs), times, strict=True):
            start = clock()
            run(model, pair.clip)
            if turn > 0:
                found.append(1000 * (clock() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def peak_mb(name: str, side: str, shape: tuple[int, ...], threads: int) -> float:
    """Returns by how much one forward pass raises the memory of a fresh process that holds the model; Linux only."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_raised_mb, (name, side, shape, threads))


def _raised_mb(name: str, side: str, shape: tuple[int, ...], threads: int) -> float:
    torch.set_num_threads(threads)
    build = FAMILIES[name].ours if side == "ours" else FAMILIES[name].theirs
    model, clip = build(shape[2], shape[3]), torch.randn(shape)
    # Building a model leaves a peak of its own.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_mb("VmRSS")
    forward(model, clip)
    return _status_mb("VmHWM") - before


def _status_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:"))


def rows(name: str, family: Family, args: argparse.Namespace) -> Iterator[str]:
    """Yields the table's lines for one network."""
    for mode, run, check, batch in (
        ("eval", forward, forward, args.batch),
        ("train", train_step, gradients, args.train_batch),
    ):
        shape = (batch, 3, args.frames, args.size, args.size)
        pair = Pair.build(family, torch.randn(shape))
        try:
            difference = disagreement(pair, check)
        except RuntimeError as error:
            # A peer that does not run on this version of torch must not end the table.
            yield f"{name:38} {mode:5} cannot be compared: {str(error).splitlines()[0]}"
            continue
        verdict = "agrees" if difference < TOLERANCE else "DIFFERS"
        ours, theirs = interleaved_ms(pair, run, args.n, CLOCKS[args.clock])
        line = f"{name:38} {mode:5} {ours:9.1f} {theirs:9.1f} {theirs / ours:7.2f}x  {verdict} ({difference:.0e})"
        if args.memory and mode == "eval":
            line += "".join(f" {peak_mb(name, side, shape, args.threads):9.0f}" for side in ("ours", "theirs"))
        yield line


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", default="", help="part of the networks' names")
    parser.add_argument("-n", type=int, default=5, help="timed runs, of which the median is shown")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--clock", choices=tuple(CLOCKS), default="wall", help="cpu is steadier on a busy machine")
    parser.add_argument("--memory", action="store_true", help="peak memory over the model in eval, in a process each")
    parser.add_argument("--frames", type=int, default=8, help="a multiple of 8")
    parser.add_argument("--size", type=int, default=112, help="height and width, a multiple of 16")
    parser.add_argument("--batch", type=int, default=1, help="clips of a forward pass")
    parser.add_argument("--train-batch", type=int, default=2, help="clips of a training step")
    return parser.parse_args()


def main() -> int:
    """Prints the table; returns 1 where outputs differ, 2 where a peer is missing."""
    args = arguments()
    torch.set_num_threads(args.threads)
    chosen = {name: family for name, family in FAMILIES.items() if args.family.lower() in name.lower()}
    missing = {family.peer: error for family in chosen.values() if (error := missing_peer(family)) is not None}
    for peer, error in missing.items():
        print(f"{peer} cannot be imported ({error}), so its networks are left out; to have them:")
        print(f"    {HOW_TO_INSTALL[peer]}")
    print(
        f"clips {args.frames}x{args.size}x{args.size}, fp32, {args.threads} threads, median of {args.n}, {args.clock}"
    )
    heading = f"{'network (peer)':38} {'mode':5} {'ours ms':>9} {'peer ms':>9} {'ratio':>8}  output"
    print(f"{heading:92}{'ours MB':>9} {'peer MB':>9}" if args.memory else heading)
    differs = False
    for name, family in chosen.items():
        for line in rows(name, family, args) if family.peer not in missing else ():
            print(line, flush=True)
            differs = differs or "DIFFERS" in line
    return int(differs) or 2 * bool(missing)


if __name__ == "__main__":
    raise SystemExit(main())

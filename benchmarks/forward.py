"""Forward pass and training step of every network that EssentialMC2 has too: ours beside it, same weights, same clip.

``python benchmarks/forward.py`` runs all networks, ``python benchmarks/forward.py TAda --memory`` those with TAda in
their name, with peak memory. Outputs are compared in float64, times are of float32.
"""

from __future__ import annotations

import argparse
import copy
import importlib
import multiprocessing
import resource
import statistics
import sys
import time
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from essmc_core import BACKBONES

NETWORKS: dict[str, dict[str, Any]] = {
    "R2D3D-18": {"type": "ResNetR2D3D", "depth": 18},
    "R2D3D-50": {"type": "ResNetR2D3D", "depth": 50},
    "R(2+1)D-10": {"type": "ResNet2Plus1d", "depth": 10},
    "R(2+1)D-50": {"type": "ResNet2Plus1d", "depth": 50},
    "ir-CSN-50": {"type": "ResNet3D_CSN", "depth": 50},
    "ir-CSN-152": {"type": "ResNet3D_CSN", "depth": 152},
    "TAda2D-50": {"type": "ResNet3D_TAda", "depth": 50},
}
HOW_TO_INSTALL = """EssentialMC2 0.1.4 is what this benchmark compares with, and it cannot be imported here. It pins old
versions and cloud clients that its models do not use, so install it without them:
    pip install --no-deps essmc2==0.1.4
    pip install addict yapf docstring-parser einops"""
TOLERANCE = 1e-9
"""Largest difference allowed in float64, where rounding cannot hide another formula."""


def essmc2_backbones() -> Any:
    """Returns EssentialMC2's registry of backbones; an empty module stands for its Aliyun client.

    Raises:
        ImportError: it, or one of the small libraries its models use, is not installed.
    """
    try:
        import oss2  # type: ignore[import-not-found,unused-ignore]  # noqa: F401
    except ImportError:
        sys.modules["oss2"] = types.ModuleType("oss2")
    importlib.import_module("essmc2.models")
    return importlib.import_module("essmc2.models.registry").BACKBONES


@dataclass
class Pair:
    """One network twice, with equal weights, and what both are given."""

    ours: nn.Module
    theirs: nn.Module
    clip: Tensor

    @classmethod
    def build(cls, cfg: dict[str, Any], clip: Tensor) -> Pair:
        """Builds both; no parameter is left at a zero that would hide what it multiplies."""
        torch.manual_seed(0)
        theirs = essmc2_backbones().build(dict(cfg))
        with torch.no_grad():
            for parameter in theirs.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.02)
            settle_statistics(theirs, clip)
        ours = BACKBONES.build(cfg)
        ours.load_state_dict(theirs.state_dict())
        return cls(ours, theirs, clip)


def settle_statistics(model: nn.Module, clip: Tensor) -> None:
    """Takes the running statistics from one clip, so that activations neither vanish nor explode."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm3d)]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    model.train()(torch.cat([clip, torch.randn_like(clip)]))
    for norm, momentum in zip(norms, kept, strict=True):
        norm.momentum = momentum
    model.eval()


def forward(model: nn.Module, clip: Tensor) -> Tensor:
    """Runs in eval mode."""
    with torch.no_grad():
        return model.eval()(clip)  # type: ignore[no-any-return]


def train_step(model: nn.Module, clip: Tensor) -> Tensor:
    """Runs forward, backward and a step that is too small to change anything, and returns all gradients."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    model.train()(clip).square().mean().backward()
    optimizer.step()
    gradients = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    optimizer.zero_grad(set_to_none=True)
    return gradients


def disagreement(pair: Pair, run: Callable[[nn.Module, Tensor], Tensor]) -> float:
    """Returns the norm of the difference of outputs, or of gradients, relative to theirs, computed in float64."""
    double = (copy.deepcopy(model).double() for model in (pair.ours, pair.theirs))
    ours, theirs = (run(model, pair.clip.double()) for model in double)
    difference: float = ((ours - theirs).norm() / theirs.norm()).item()
    return difference


def interleaved_ms(pair: Pair, run: Callable[[nn.Module, Tensor], Tensor], runs: int) -> tuple[float, float]:
    """Returns the median milliseconds of ours and theirs, run in turn."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for model, found in zip((pair.ours, pair.theirs), times, strict=True):
            start = time.perf_counter()
            run(model, pair.clip)
            if turn > 0:
                found.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[0]), statistics.median(times[1])


def peak_mb(name: str, side: str, mode: str, shape: tuple[int, ...]) -> float:
    """Returns by how much one run raises the memory of a fresh process."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_raised_mb, (name, side, mode, shape))


def _raised_mb(name: str, side: str, mode: str, shape: tuple[int, ...]) -> float:
    registry = BACKBONES if side == "ours" else essmc2_backbones()
    model, clip = registry.build(dict(NETWORKS[name])), torch.randn(shape)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    {"forward": forward, "train step": train_step}[mode](model, clip)
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before) / 2**20


def rows(name: str, args: argparse.Namespace) -> Iterator[str]:
    """Yields the table's lines for one network."""
    for mode, run, batch in (("forward", forward, args.batch), ("train step", train_step, args.train_batch)):
        shape = (batch, 3, args.frames, args.size, args.size)
        pair = Pair.build(NETWORKS[name], torch.randn(shape))
        difference = disagreement(pair, run)
        verdict = "agrees" if difference < TOLERANCE else "DIFFERS"
        ours, theirs = interleaved_ms(pair, run, args.runs)
        line = f"{name:12} {mode:10} {ours:9.1f} {theirs:9.1f} {theirs / ours:7.2f}x   {verdict} ({difference:.0e})"
        if args.memory:
            line += "   " + " ".join(f"{peak_mb(name, side, mode, shape):8.0f}" for side in ("ours", "theirs"))
        yield line


def main() -> int:
    """Prints the table; returns 1 where outputs differ, 2 where there is nothing to compare with."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pattern", nargs="?", default="", help="part of the networks' names")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--train-batch", type=int, default=2)
    parser.add_argument("--runs", type=int, default=5, help="timed runs, of which the median is shown")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory", action="store_true", help="peak memory over the model, in a process each")
    args = parser.parse_args()
    try:
        essmc2_backbones()
    except ImportError as error:
        print(f"{HOW_TO_INSTALL}\n({error})")
        return 2
    torch.set_num_threads(args.threads)
    print(f"clips {args.frames}x{args.size}x{args.size}, fp32, {args.threads} threads, median of {args.runs} runs")
    print(f"{'network':12} {'':10} {'ours ms':>9} {'essmc2 ms':>9} {'ratio':>8}   output", end="")
    print("           ours MB  essmc2 MB" if args.memory else "")
    differs = False
    for name in (name for name in NETWORKS if args.pattern.lower() in name.lower()):
        for line in rows(name, args):
            print(line, flush=True)
            differs = differs or "DIFFERS" in line
    return int(differs)


if __name__ == "__main__":
    raise SystemExit(main())

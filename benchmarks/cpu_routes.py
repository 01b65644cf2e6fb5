"""Every row of ``essmc_core.contract.processors.table`` beside PyTorch's own way: equal results, and the time of both.

``python benchmarks/cpu_routes.py`` runs all, ``--route pointwise_as_product`` one of them, ``--list`` prints the table.
A ratio above 1 says that the route is faster here. Gradients that PyTorch gets wrong, or never, are shown as that.
"""

from __future__ import annotations

import argparse
import copy
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from essmc_core import BACKBONES
from essmc_core.contract.processors.route import Route
from essmc_core.contract.processors.table import ROUTES
from essmc_video.layers.average_pool import SameAvgPool3d
from essmc_video.layers.conv3d import Conv3d
from essmc_video.layers.frames import scale_frames, spatial_means, to_clips, to_images
from essmc_video.layers.max_pool import SeparableMaxPool3d
from essmc_video.layers.memory_format import arrange_for_training
from essmc_video.layers.tada_conv import TAdaConv2d
from essmc_video.layers.window_pool import WindowPool3d
from essmc_video.networks.resnet3d.branches.r2plus1d import R2Plus1DBranch
from essmc_video.networks.s3d.backbone import S3D

TOLERANCE = 1e-5
"""Largest difference of outputs and gradients, relative to their norm; modules are compared in float64."""
SECONDS = 20.0
"""After so long a gradient that has not come never will."""


@dataclass(frozen=True)
class Case:
    """A computation that takes a route, and the same as PyTorch does it.

    Attributes:
        ours: takes the route.
        torch_way: does not.
        clip: what both are given.
        trains: whether the backward pass counts too.
        breaks: whether PyTorch's gradient of the weight may be wrong, so that it needs a process of its own.
        marked: what is marked by `Route.taken_by`, where the route has no condition.
    """

    ours: Callable[[Tensor], Tensor]
    torch_way: Callable[[Tensor], Tensor]
    clip: Tensor
    trains: bool = False
    breaks: bool = False
    marked: Any = None

    def run(self, way: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Returns the output and, in training, the gradients."""
        if not self.trains:
            with torch.no_grad():
                return [way(self.clip)]
        clip = self.clip.detach().requires_grad_()
        parameters = list(way.parameters()) if isinstance(way, nn.Module) else []
        out = way(clip)
        return [out.detach(), *torch.autograd.grad(out.float().square().mean(), [clip, *parameters])]

    def in_float64(self) -> Case:
        """Returns the same in float64, if both are modules, where rounding cannot hide other numbers."""
        if not isinstance(self.ours, nn.Module) or not isinstance(self.torch_way, nn.Module):
            return self
        ours, theirs = (copy.deepcopy(way).double() for way in (self.ours, self.torch_way))
        return replace(self, ours=ours, torch_way=theirs, clip=self.clip.double())


def channels_last(*shape: int) -> Tensor:
    """Returns random clips that are channels last."""
    return torch.randn(shape).contiguous(memory_format=torch.channels_last_3d)


def _convolutions(clip: Tensor, *args: Any, trains: bool = False, breaks: bool = False, **kwargs: Any) -> Case:
    ours = Conv3d(*args, bias=False, **kwargs).to(clip.dtype)
    theirs = nn.Conv3d(*args, bias=False, **kwargs).to(clip.dtype)
    theirs.load_state_dict(ours.state_dict())
    return Case(ours, theirs, clip, trains, breaks)


def _short_clips_in_float32() -> Case:
    clip = torch.randn(2, 16, 2, 8, 8, dtype=torch.bfloat16)
    return _convolutions(clip, 16, 16, 3, padding=1, trains=True, breaks=True)


def _over_time_as_picture() -> Case:
    return _convolutions(torch.randn(1, 64, 8, 14, 14), 64, 64, (3, 1, 1), padding=(1, 0, 0))


class _FramesConv(nn.Conv3d):
    """A convolution of frames, strides and all."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, in_channels, T, H, W) to (N, out_channels, T, H', W')."""
        images = functional.conv2d(to_images(input), self.weight.squeeze(2), stride=self.stride[1:])
        return to_clips(images, input.shape[2])


def _positions_picked_first() -> Case:
    ours, theirs = (kind(4, 8, 1, stride=(1, 2, 2), bias=False) for kind in (Conv3d, _FramesConv))
    theirs.load_state_dict(ours.state_dict())
    return Case(ours, theirs, channels_last(2, 4, 8, 16, 16), trains=True, breaks=True)


def _strided_pointwise_by_frame() -> Case:
    clip = channels_last(2, 64, 8, 28, 28)
    conv = nn.Conv3d(64, 128, 1, stride=(1, 2, 2), bias=False)
    ours = Conv3d(64, 128, 1, stride=(1, 2, 2), bias=False)
    ours.load_state_dict(conv.state_dict())
    # What `Conv3d` would do next.
    return Case(ours, lambda x: functional.conv3d(x[..., ::2, ::2], conv.weight), clip)


def _small_clip_by_frame() -> Case:
    return _convolutions(torch.randn(1, 32, 8, 28, 28), 32, 32, (1, 3, 3), padding=(0, 1, 1))


class _PictureConv(nn.Conv3d):
    """A pointwise convolution over a picture of time by space, which is what `Conv3d` would do next."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps (N, in_channels, T, H, W) to (N, out_channels, T, H, W)."""
        return functional.conv2d(input.flatten(3), self.weight.squeeze(4)).unflatten(3, input.shape[3:])


def _pointwise_as_product() -> Case:
    ours, theirs = (kind(54, 24, 1, bias=False) for kind in (Conv3d, _PictureConv))
    theirs.load_state_dict(ours.state_dict())
    return Case(ours, theirs, torch.randn(2, 54, 8, 56, 56), trains=True)


def _adaptive_frames_as_clip() -> Case:
    conv, scales = TAdaConv2d(64, 64, 3, padding=1, bias=False), torch.rand(2, 64, 8, 1, 1)
    weight = conv.weight.detach().flatten(0, 2)

    def frames(clip: Tensor) -> Tensor:
        return to_clips(functional.conv2d(to_images(scale_frames(clip, scales)), weight, padding=1), clip.shape[2])

    return Case(lambda clip: conv(clip, scales), frames, torch.randn(2, 64, 8, 28, 28))


def _average_as_picture() -> Case:
    theirs = nn.AvgPool3d((3, 1, 1), stride=1, padding=(1, 0, 0))
    return Case(SameAvgPool3d((3, 1, 1)), theirs, channels_last(2, 64, 8, 28, 28))


def _average_by_slices() -> Case:
    theirs = nn.AvgPool3d((3, 1, 1), stride=1, padding=(1, 0, 0))
    return Case(SameAvgPool3d((3, 1, 1)), theirs, torch.randn(2, 64, 8, 28, 28))


def _maximum_space_first() -> Case:
    return Case(SeparableMaxPool3d(3, 1, 1), nn.MaxPool3d(3, 1, 1), torch.randn(2, 64, 8, 28, 28))


def _one_window_as_mean() -> Case:
    return Case(WindowPool3d((8, 7, 7)), nn.AvgPool3d((8, 7, 7), stride=1), torch.randn(2, 512, 8, 7, 7))


def _means_frame_by_frame() -> Case:
    clip = channels_last(2, 64, 8, 28, 28)
    return Case(spatial_means, lambda x: x.mean(dim=(3, 4), keepdim=True), clip, marked=spatial_means)


def _means_from_sums() -> Case:
    clip = channels_last(2, 64, 8, 28, 28)

    def means(clips: Tensor) -> Tensor:
        return clips.transpose(1, 2).mean(dim=(3, 4), keepdim=True).transpose(1, 2)

    return Case(lambda x: x * spatial_means(x), lambda x: x * means(x), clip, trains=True)


def _scales_frame_by_frame() -> Case:
    # Time is side by side, as a convolution over time returns it.
    scales = torch.rand(2, 64, 8).unflatten(2, (8, 1, 1))
    return Case(
        lambda x: scale_frames(x, scales), lambda x: x * scales, channels_last(2, 64, 8, 28, 28), marked=scale_frames
    )


class _Arranged(nn.Module):
    """A convolution whose input is arranged before."""

    def __init__(self, conv: nn.Module, arrange: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = conv
        self.arrange = arrange

    def forward(self, clip: Tensor) -> Tensor:
        """Maps (N, C, T, H, W) to the same shape."""
        out: Tensor = self.conv(self.arrange(clip))
        return out


def _large_maps_channels_last() -> Case:
    conv, clip = Conv3d(64, 64, 3, padding=1, groups=64, bias=False), torch.randn(2, 64, 8, 28, 28)
    return Case(_Arranged(conv, arrange_for_training), _Arranged(conv, lambda x: x), clip, trains=True)


def _small_maps_contiguous() -> Case:
    conv, clip = Conv3d(256, 256, 3, padding=1, bias=False), channels_last(2, 256, 2, 4, 4)
    return Case(_Arranged(conv, arrange_for_training), _Arranged(conv, lambda x: x), clip, trains=True)


def _networks(config: dict[str, Any], size: int, marked: Any) -> Case:
    """Returns a network that trains in the format of its clips, and the same network channels last."""
    ours, theirs = BACKBONES.build(config), BACKBONES.build(config)
    theirs.load_state_dict(ours.state_dict())
    theirs.trains_channels_last = True
    return Case(ours, theirs, torch.randn(2, 3, 8, size, size), trains=True, marked=marked)


def _odd_widths_as_given() -> Case:
    return _networks({"type": "ResNet2Plus1d", "depth": 10}, 48, R2Plus1DBranch)


def _many_pools_as_given() -> Case:
    return _networks({"type": "S3D"}, 112, S3D)


CASES: dict[str, Callable[[], Case]] = {row.name: globals()[f"_{row.name}"] for row in ROUTES}
"""One for every row of the table."""


def times(case: Case, runs: int) -> tuple[float, float]:
    """Returns the median milliseconds of CPU time of ours and of PyTorch's, run in turn after one that warms up."""
    found: tuple[list[float], list[float]] = ([], [])
    for turn in range(runs + 1):
        for way, milliseconds in zip((case.ours, case.torch_way), found, strict=True):
            start = time.process_time()
            case.run(way)
            if turn:
                milliseconds.append(1000 * (time.process_time() - start))
    return statistics.median(found[0]), statistics.median(found[1])


def weight_error(way: nn.Module, clip: Tensor) -> float:
    """Returns how far the gradient of a weight is off, relative to that in float64."""
    exact = nn.Conv3d.__new__(nn.Conv3d)
    exact.__dict__.update(way.__dict__)
    gradients = []
    for conv, dtype in ((exact, torch.float64), (way, clip.dtype)):
        weight = torch.nn.Parameter(way.weight.detach().to(dtype).clone())
        given = clip.to(dtype)
        out = torch.func.functional_call(conv, {"weight": weight}, (given,))
        gradients.append(torch.autograd.grad(out.double().square().mean(), weight)[0].double())
    return float((gradients[1] - gradients[0]).norm() / gradients[0].norm())


def _report_error(name: str, side: str, threads: int, answer: Any) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    case = CASES[name]()
    answer.send(weight_error(case.ours if side == "ours" else case.torch_way, case.clip))  # type: ignore[arg-type]


def guarded_error(name: str, side: str, threads: int) -> str:
    """Returns the error of a gradient that may not come, in words."""
    context = multiprocessing.get_context("spawn")
    answer, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report_error, args=(name, side, threads, sender))
    process.start()
    sender.close()
    try:
        return f"off by {answer.recv():.0e}" if answer.poll(SECONDS) else "never comes"
    except EOFError:
        return "ends the process"
    finally:
        process.kill()
        process.join()


def line(row: Route[...], args: argparse.Namespace) -> str:
    """Returns what one row shows."""
    torch.manual_seed(0)
    case = CASES[row.name]()
    if case.breaks:
        ours, theirs = (guarded_error(row.name, side, args.threads) for side in ("ours", "theirs"))
        return f"{row.name:28} gradient: ours {ours}, PyTorch's {theirs}"
    exact = case.in_float64()
    for mine, theirs_ in zip(exact.run(exact.ours), exact.run(exact.torch_way), strict=True):
        assert (mine - theirs_).norm() < TOLERANCE * theirs_.norm(), f"{row.name} gives other numbers"
    ours_ms, theirs_ms = times(case, args.n)
    return f"{row.name:28} {ours_ms:9.2f} {theirs_ms:9.2f} {theirs_ms / ours_ms:7.2f}x"


def described(row: Route[...]) -> str:
    """Returns a row in words."""
    fields = ("condition", "route", "reason", "torch", "processor", "until")
    return "\n".join([row.name, *(f"  {field}: {getattr(row, field)}" for field in fields)])


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--route", choices=[row.name for row in ROUTES], help="one row; all without")
    parser.add_argument("--list", action="store_true", help="print the table and run nothing")
    parser.add_argument("-n", type=int, default=9, help="timed runs, of which the median is shown")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args(argv)


def main() -> None:
    """Prints the table, or what its rows show on this machine."""
    args = arguments()
    chosen = [row for row in ROUTES if args.route in (None, row.name)]
    if args.list:
        print("\n\n".join(map(described, chosen)))
        return
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}, {args.threads} threads")
    print(f"{'route':28} {'ours ms':>9} {'torch ms':>9} {'ratio':>8}")
    for row in chosen:
        print(line(row, args), flush=True)


if __name__ == "__main__":
    main()

"""What the arguments of the five-stage residual networks must be; nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from essmc_core.building.rules import apply_rule, rule_check
from essmc_core.errors import ConfigError
from essmc_video.arguments.branch_options import check_stages as check_stage_arguments
from essmc_video.arguments.sizes import Triple, check_positive, triple

if TYPE_CHECKING:
    from essmc_core.contract.checking import Checker, Path
    from essmc_core.registry.component import Component

BLOCKS_PER_STAGE = {
    10: (1, 1, 1, 1),
    16: (2, 2, 2, 1),
    18: (2, 2, 2, 2),
    26: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
BOTTLENECK_DEPTHS = frozenset({26, 50, 101, 152})


def check_depth(depth: int, network: str = "residual network") -> None:
    """Refuses a depth for which blocks per stage are not defined.

    Raises:
        ConfigError: names those that are.
    """
    if depth not in BLOCKS_PER_STAGE:
        raise ConfigError(
            f"no {network} of depth {depth} is defined", hint=f"depths: {', '.join(map(str, BLOCKS_PER_STAGE))}"
        )


def check_entries(
    num_filters: Sequence[int],
    kernel_size: Sequence[Sequence[int]],
    downsampling: Sequence[bool],
    downsampling_temporal: Sequence[bool],
    non_local: Sequence[bool | int],
) -> None:
    """Refuses arguments without an entry for the stem and each stage, and a stem with a non-local block.

    Raises:
        ConfigError: names the argument.
    """
    arguments = {
        "num_filters": num_filters,
        "kernel_size": kernel_size,
        "downsampling": downsampling,
        "downsampling_temporal": downsampling_temporal,
        "non_local": non_local,
    }
    for name, entries in arguments.items():
        if len(entries) != 5:
            raise ConfigError(f"{name} has {len(entries)} entries", hint="give five: the stem's and one per stage")
    check_positive(num_filters=num_filters)
    if non_local[0]:
        raise ConfigError("the stem cannot end with a non-local block", hint="let non_local start with False")


def branch_kernel(kernel_size: Sequence[int]) -> Triple:
    """Returns the kernel of a residual branch.

    Raises:
        ConfigError: it has not three sizes, or an even one.
    """
    sizes = triple("kernel_size", kernel_size)
    if any(size < 1 or size % 2 == 0 for size in sizes):
        raise ConfigError(
            f"kernels of residual branches are odd, got kernel_size={sizes}",
            hint="an even one changes the size of the map, which then does not fit the shortcut",
        )
    return sizes


def inner_width(num_filters: int, expansion_ratio: int) -> int:
    """Returns the channels inside a bottleneck.

    Raises:
        ConfigError: none is left.
    """
    inner = num_filters // expansion_ratio if expansion_ratio > 0 else 0
    if inner < 1:
        raise ConfigError(
            f"a bottleneck of {num_filters} filters has no channels, expansion_ratio={expansion_ratio}",
            hint="the ratio is at least 1 and at most the number of filters",
        )
    return inner


def check_adaptive(downsampling: bool, downsampling_temporal: bool) -> None:
    """Refuses to halve time in a branch of TAdaConvs.

    Raises:
        ConfigError: says what to set.
    """
    if downsampling and downsampling_temporal:
        raise ConfigError(
            "TAdaConvBlockAvgPool cannot downsample time", hint="set downsampling_temporal to False in every stage"
        )


def _kernels(kernel_size: Sequence[Sequence[int]]) -> None:
    if kernel_size:
        triple("kernel_size", kernel_size[0])
    for sizes in kernel_size[1:]:
        branch_kernel(sizes)


def _widths(depth: int, num_filters: Sequence[int], expansion_ratio: int) -> None:
    if depth in BOTTLENECK_DEPTHS:
        for width in num_filters[1:]:
            inner_width(width, expansion_ratio)


def _adaptive(branch_name: str, downsampling: Sequence[bool], downsampling_temporal: Sequence[bool]) -> None:
    if branch_name.rpartition("/")[2] == "TAdaConvBlockAvgPool":
        for space, time in zip(downsampling[1:], downsampling_temporal[1:], strict=False):
            check_adaptive(space, time)


_rules = rule_check(check_entries, _kernels, _widths, _adaptive)


def check_residual(checker: Checker, path: Path, arguments: Mapping[str, Any], component: Component) -> None:
    """Checks a five-stage network, before it is built."""
    check_stage_arguments(checker, path, arguments, component)
    apply_rule(partial(check_depth, network=component.name), checker, path, arguments, component)
    _rules(checker, path, arguments, component)

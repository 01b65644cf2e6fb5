"""Arguments of X3D and of its head."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from essmc_core.weights.layouts.layout import Shapes
from essmc_video.arguments.widths import round_depth, round_width
from essmc_video.layouts.arguments.shared import Config, numbers, without_defaults

_STAGES = ("conv2", "conv3", "conv4", "conv5")
_FIRST_DEPTHS = (1, 2, 5, 3)
_FIRST_WIDTHS = (12, 12, 24, 48, 96)
_DEFAULTS: Config = {
    "in_chans": 3, "width_factor": 2.0, "depth_factor": 2.2, "bottleneck_factor": 2.25, "se_ratio": 0.0625,
    "stem_kernel_size": [5, 3, 3], "stage_kernel_sizes": [[3, 3, 3]] * 4, "shortcut_norm": "widening",
}  # fmt: skip
# Factors of the published networks, then round ones; several lead to the same widths and depths.
_WIDTH_FACTORS = (2.0, 1.0, *(factor / 4 for factor in range(1, 33)))
_DEPTH_FACTORS = (2.2, 5.0, 1.0, *(factor / 10 for factor in range(2, 121)))


def x3d(shapes: Shapes) -> Iterator[Config]:
    """Yields the configuration that may have these names and shapes."""
    spatial, temporal = shapes["conv1.spatial.weight"], shapes["conv1.temporal.weight"]
    branches = [f"{stage}.res_1.conv_branch" for stage in _STAGES]
    widths = [spatial[0], *(shapes[f"{branch}.c.weight"][0] for branch in branches)]
    depths = [len(numbers(shapes, f"{stage}.res_")) for stage in _STAGES]
    width = _factor(_WIDTH_FACTORS, round_width, _FIRST_WIDTHS, widths)
    depth = _factor(_DEPTH_FACTORS, round_depth, _FIRST_DEPTHS, depths)
    if width is None or depth is None:
        return
    inner = shapes[f"{branches[-1]}.c.weight"][1]
    is_normed = widths[0] == widths[1] and "conv2.res_1.short_cut_bn.weight" in shapes
    arguments = {
        "in_chans": spatial[1],
        "width_factor": width,
        "depth_factor": depth,
        "bottleneck_factor": 2.25 if int(2.25 * widths[-1]) == inner else inner / widths[-1],
        "se_ratio": _squeezed(shapes.get(f"{branches[-1]}.b_se.fc1.weight", (0,))[0], inner),
        "stem_kernel_size": [temporal[2], *spatial[3:]],
        "stage_kernel_sizes": [list(shapes[f"{branch}.b.weight"][2:]) for branch in branches],
        "shortcut_norm": "always" if is_normed else "widening",
    }
    yield {"type": "X3D", **without_defaults(arguments, _DEFAULTS)}


def x3d_head(shapes: Shapes) -> Iterator[Config]:
    """Yields the head of these names and shapes."""
    if "widen.weight" in shapes and "out.weight" in shapes and "hidden.weight" in shapes:
        classes, hidden = shapes["out.weight"]
        # Entries state the first two, so they are stated here as well where they are the defaults.
        arguments: Config = {"dim_inner": shapes["widen.weight"][0], "dim_hidden": hidden}
        arguments |= {"hidden_batch_norm": True} if "hidden_bn.weight" in shapes else {}
        yield {"type": "X3DHead", "num_classes": classes, **arguments}


def _factor(
    factors: Iterable[float], rounded: Callable[[int, float], int], first: Sequence[int], wanted: list[int]
) -> float | None:
    """Returns the first factor that leads from the first network's numbers to these, None if there is none."""
    return next((factor for factor in factors if [rounded(one, factor) for one in first] == wanted), None)


def _squeezed(hidden: int, inner: int) -> float:
    if not hidden:
        return 0.0
    return 0.0625 if round_width(inner, 0.0625) == hidden else hidden / inner

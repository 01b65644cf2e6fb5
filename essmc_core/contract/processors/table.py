"""The table of routes: when a layer takes another route on a CPU, which, why, where observed, and until when.

Layers choose a route by ``table.NAME.applies(...)``; the texts are for maintainers. A row is removed once its benchmark
no longer shows its reason with the oldest PyTorch that the distributions admit.
"""

from __future__ import annotations

from essmc_core.contract.processors import conditions
from essmc_core.contract.processors.route import Route, always

_TORCH = "2.14"
_AVX2 = "x86 with AVX2 and no AVX-512 (AMD EPYC), 1 and 2 threads"
_NO_GAIN = "the benchmark's ratio is 1 or less on processors with and without AVX-512"

SHORT_CLIPS_IN_FLOAT32 = Route(
    name="short_clips_in_float32",
    applies=conditions.gradient_breaks_in_bfloat16,
    condition="a gradient is wanted in bfloat16 of a convolution that pads time and is longer than the clip",
    route="that convolution runs in float32",
    reason="oneDNN's gradient of the weight is of any size up to infinity; late stages get there on short clips",
    torch=_TORCH,
    processor="x86 with AVX-512; without it PyTorch leaves no bfloat16 to oneDNN, and gradients are right",
    until="the benchmark finds PyTorch's gradient right on a processor with AVX-512",
)

OVER_TIME_AS_PICTURE = Route(
    name="over_time_as_picture",
    applies=conditions.reaches_over_time_alone,
    condition="the kernel reaches over one position of space",
    route="a 2D convolution slides over a picture of time by space, (N, C, T, H * W), which takes no copy",
    reason="PyTorch's 3D kernels unfold a clip that comes alone",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

POSITIONS_PICKED_FIRST = Route(
    name="positions_picked_first",
    applies=conditions.leaves_positions_out,
    condition="a convolution over single positions has a stride",
    route="positions are picked out of the input, so that the convolution has no stride",
    reason="of two to seven input channels, channels last, oneDNN's gradient of the weights of a strided pointwise 2D "
    "convolution is wrong, never comes, or ends the process",
    torch=_TORCH,
    processor=_AVX2,
    until="the benchmark finds PyTorch's gradient right on a processor without AVX-512",
)

STRIDED_POINTWISE_BY_FRAME = Route(
    name="strided_pointwise_by_frame",
    applies=conditions.is_strided_pointwise,
    condition="a pointwise convolution of eight channels or more is strided in space alone, clips are channels last",
    route="a 2D convolution of the frames, which are pictures as they lie",
    reason="picking the positions first would be a copy",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

SMALL_CLIP_BY_FRAME = Route(
    name="small_clip_by_frame",
    applies=conditions.unfolds_frames,
    condition="a kernel reaches over space alone, and a clip of few entries comes alone",
    route="a 2D convolution of the frames, which are copied",
    reason="PyTorch unfolds such a clip instead of leaving it to oneDNN",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

POINTWISE_AS_PRODUCT = Route(
    name="pointwise_as_product",
    applies=conditions.is_pointwise_of_odd_widths,
    condition="a pointwise convolution has widths that are no multiples of 32, and clips are contiguous",
    route="a product of matrices",
    reason="oneDNN's blocks of channels stay partly empty, which takes a quarter longer in training, and up to twice "
    "the time on two threads",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

ADAPTIVE_FRAMES_AS_CLIP = Route(
    name="adaptive_frames_as_clip",
    applies=conditions.keeps_frames_together,
    condition="frames of contiguous clips are convolved in 2D, and PyTorch would not unfold the clips",
    route="a 3D convolution of the clips, whose kernel sees one frame",
    reason="frames of contiguous clips are a batch of images only once they are copied",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

AVERAGE_AS_PICTURE = Route(
    name="average_as_picture",
    applies=conditions.averages_channels_last_over_time,
    condition="a mean sees several frames, and clips are channels last",
    route="a 2D pooling over a picture of time by space",
    reason="PyTorch's 3D pooling takes several times as long",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

AVERAGE_BY_SLICES = Route(
    name="average_by_slices",
    applies=conditions.averages_over_time,
    condition="a mean sees several frames",
    route="a sum of slices that are shifted in time",
    reason="PyTorch's 3D pooling takes ten times as long",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

MAXIMUM_SPACE_FIRST = Route(
    name="maximum_space_first",
    applies=conditions.pools_a_cube,
    condition="a maximum is taken over several frames, rows and columns",
    route="one pooling over space and then one over time",
    reason="a pooling over all three at once compares three times as often",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

ONE_WINDOW_AS_MEAN = Route(
    name="one_window_as_mean",
    applies=conditions.is_one_window,
    condition="the window of a mean is as large as the features",
    route="the mean of all positions",
    reason="the pooling kernel takes longer",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

MEANS_FRAME_BY_FRAME = Route(
    name="means_frame_by_frame",
    applies=always,
    condition="the mean of each frame is taken",
    route="time is moved before the channels, which takes no copy",
    reason="channels last, the reduction takes ten times as long where time lies between channels and space",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

MEANS_FROM_SUMS = Route(
    name="means_from_sums",
    applies=conditions.sums_within_range,
    condition="the mean of each frame is taken, in any number type but float16",
    route="the sum is divided by the number of positions",
    reason="the gradient of a mean is written out, contiguous whatever the clips are; that of a sum is a view",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

SCALES_FRAME_BY_FRAME = Route(
    name="scales_frame_by_frame",
    applies=always,
    condition="the channels of each frame are scaled",
    route="time is moved before the channels, and the few scales are copied so",
    reason="as convolutions over time return them, scales have time side by side, which makes the product of clips "
    "that are channels last take ten times as long, and the sum that is the gradient of the scales three times",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

LARGE_MAPS_CHANNELS_LAST = Route(
    name="large_maps_channels_last",
    applies=conditions.is_large_map_for_onednn,
    condition="a convolutional stage is trained, and its map has 64 pixels or more",
    route="the stage's input is made channels last",
    reason="training steps took up to 1.5 times as long, of depthwise networks most; passes without gradients did not",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

SMALL_MAPS_CONTIGUOUS = Route(
    name="small_maps_contiguous",
    applies=conditions.is_small_map_for_onednn,
    condition="a convolutional stage is trained, and its map has less than 64 pixels",
    route="the stage's input is made contiguous",
    reason="with the positions of a channel side by side, convolutions are faster on so small maps, unless depthwise",
    torch=_TORCH,
    processor=_AVX2,
    until=_NO_GAIN,
)

ODD_WIDTHS_AS_GIVEN = Route(
    name="odd_widths_as_given",
    applies=always,
    condition="R(2+1)D is trained",
    route="stages keep the memory format that they are given",
    reason="the odd widths between the halves of its convolutions do not fill the registers that channels last are "
    "read into; steps took a third longer",
    torch=_TORCH,
    processor=_AVX2,
    until="the benchmark's ratio is 1 or less on a processor without AVX-512",
)

MANY_POOLS_AS_GIVEN = Route(
    name="many_pools_as_given",
    applies=always,
    condition="S3D is trained",
    route="blocks keep the memory format that they are given",
    reason="its many pools and narrow branches took a tenth longer channels last",
    torch=_TORCH,
    processor=_AVX2,
    until="the benchmark's ratio is 1 or less on a processor without AVX-512",
)

ROUTES = tuple(row for row in list(globals().values()) if isinstance(row, Route))
"""All rows."""

"""Adapting tensors: inflation, TAdaConv's layout, input channels, types."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from essmc_core.weights.adapt import DEFAULT_RULES, fit
from essmc_core.weights.adapt_options import AdaptOptions

SMALL = st.integers(1, 4)


def fitted(given: Tensor, wanted: Tensor, **options: object) -> Tensor:
    outcome = fit("conv.weight", given, wanted, AdaptOptions(**options))  # type: ignore[arg-type]
    assert not isinstance(outcome, str), outcome
    return outcome[0]


@settings(deadline=None, max_examples=20)
@given(out=SMALL, into=SMALL, size=SMALL, frames=st.integers(1, 5))
def test_an_averaged_kernel_sees_a_still_clip_as_the_picture(out: int, into: int, size: int, frames: int) -> None:
    kernel, picture = torch.randn(out, into, size, size), torch.randn(1, into, 6, 6)
    inflated = fitted(kernel, torch.empty(out, into, frames, size, size), inflate="average")
    still = picture[:, :, None].expand(-1, -1, frames, -1, -1)
    torch.testing.assert_close(
        functional.conv3d(still, inflated)[:, :, 0], functional.conv2d(picture, kernel), rtol=1e-4, atol=1e-4
    )


@settings(deadline=None, max_examples=20)
@given(out=SMALL, into=SMALL, size=SMALL, half=st.integers(0, 2))
def test_a_centred_kernel_sees_the_middle_frame(out: int, into: int, size: int, half: int) -> None:
    frames = 2 * half + 1
    kernel, clip = torch.randn(out, into, size, size), torch.randn(1, into, frames, 6, 6)
    inflated = fitted(kernel, torch.empty(out, into, frames, size, size), inflate="centre")
    torch.testing.assert_close(
        functional.conv3d(clip, inflated)[:, :, 0], functional.conv2d(clip[:, :, half], kernel), rtol=1e-4, atol=1e-4
    )


def test_kernels_are_not_inflated_unasked() -> None:
    outcome = fit("conv.weight", torch.zeros(2, 3, 5, 5), torch.zeros(2, 3, 1, 5, 5), AdaptOptions())
    assert isinstance(outcome, str)
    assert outcome.startswith("shape 2x3x5x5 does not fit 2x3x1x5x5: the weights have 2D kernels; inflate=")


@pytest.mark.parametrize("shape", [(2, 3, 5, 5), (2, 3, 1, 5, 5)])
def test_a_2d_kernel_becomes_the_base_weight_of_tadaconv(shape: tuple[int, ...]) -> None:
    kernel = torch.randn(shape)
    assert torch.equal(fitted(kernel, torch.empty(1, 1, 2, 3, 5, 5)), kernel.reshape(1, 1, 2, 3, 5, 5))


@settings(deadline=None, max_examples=20)
@given(old=st.integers(1, 4), times=st.integers(1, 4), dims=st.sampled_from([2, 3]))
def test_more_input_channels_keep_the_response_to_repeated_channels(old: int, times: int, dims: int) -> None:
    convolve = {2: functional.conv2d, 3: functional.conv3d}[dims]
    kernel, picture = torch.randn(2, old, *[3] * dims), torch.randn(1, old, *[5] * dims)
    wider = fitted(kernel, torch.empty(2, old * times, *[3] * dims), input_key="conv.weight")
    repeated = picture.repeat(1, times, *[1] * dims)
    torch.testing.assert_close(convolve(repeated, wider), convolve(picture, kernel), rtol=1e-4, atol=1e-4)


def test_one_input_channel_keeps_the_response_to_grey() -> None:
    kernel, grey = torch.randn(2, 3, 3, 3), torch.randn(1, 1, 5, 5)
    single = fitted(kernel, torch.empty(2, 1, 3, 3), input_key="conv.weight")
    torch.testing.assert_close(functional.conv2d(grey, single), functional.conv2d(grey.repeat(1, 3, 1, 1), kernel))


def test_input_channels_change_for_the_first_convolution_only() -> None:
    for key in (None, "other.weight"):
        outcome = fit("conv.weight", torch.zeros(2, 3, 3, 3), torch.zeros(2, 4, 3, 3), AdaptOptions(input_key=key))
        assert isinstance(outcome, str)


def test_inflation_and_input_channels_combine() -> None:
    kernel = torch.randn(2, 3, 3, 3)
    outcome = fit(
        "conv.weight", kernel, torch.empty(2, 1, 4, 3, 3), AdaptOptions(inflate="average", input_key="conv.weight")
    )
    assert not isinstance(outcome, str)
    tensor, notes = outcome
    torch.testing.assert_close(tensor.sum(2), kernel.sum(1, keepdim=True))
    assert notes == ("inflated to 4 frames by averaging", "3 input channels to 1 by summing")


FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


@pytest.mark.parametrize("old", FLOATS)
@pytest.mark.parametrize("new", FLOATS)
def test_floating_types_are_cast(old: torch.dtype, new: torch.dtype) -> None:
    tensor = fitted(torch.tensor([0.5, -2.0], dtype=old), torch.empty(2, dtype=new))
    assert tensor.dtype == new and tensor.tolist() == [0.5, -2.0]


@pytest.mark.parametrize(
    ("old", "new"), [(torch.int64, torch.float32), (torch.float32, torch.int64), (torch.bool, torch.int64)]
)
def test_whole_numbers_and_floats_are_never_mixed(old: torch.dtype, new: torch.dtype) -> None:
    outcome = fit("w", torch.zeros(2, dtype=old), torch.zeros(2, dtype=new), AdaptOptions())
    assert isinstance(outcome, str) and "type" in outcome


def test_a_rule_of_one_s_own_joins_in() -> None:
    def shortened(key: str, given: Tensor, wanted: Tensor, options: AdaptOptions) -> tuple[Tensor, str] | None:
        return (given[: len(wanted)], "cut") if given.dim() == wanted.dim() == 1 else None

    outcome = fit("w", torch.arange(5.0), torch.empty(3), AdaptOptions(), (*DEFAULT_RULES, shortened))
    assert not isinstance(outcome, str) and outcome[0].tolist() == [0, 1, 2] and outcome[1] == ("cut",)

"""Frames of clips: images and back, means and scales, in both memory formats."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from essmc_video.layers.frames import scale_frames, spatial_means, to_clips, to_images

ORDERS = (torch.contiguous_format, torch.channels_last_3d)


@st.composite
def clips_of_any_order(draw: st.DrawFn) -> Tensor:
    """Draws clips (N, C, T, H, W) of up to three of each, numbered so that no two values agree."""
    sizes = [draw(st.integers(1, 3)) for _ in range(5)]
    numbers = torch.arange(1.0, torch.Size(sizes).numel() + 1).reshape(sizes)
    return numbers.contiguous(memory_format=draw(st.sampled_from(ORDERS)))


@settings(deadline=None)
@given(clips_of_any_order())
def test_clips_become_images_and_clips_again(clips: Tensor) -> None:
    """Frame t of clip n is image n * T + t."""
    images, length = to_images(clips), clips.shape[2]
    for position, image in enumerate(images):
        torch.testing.assert_close(image, clips[position // length, :, position % length])
    torch.testing.assert_close(to_clips(images, length), clips)


@settings(deadline=None)
@given(clips_of_any_order())
def test_means_are_those_of_each_frame(clips: Tensor) -> None:
    """Shape, values and gradients agree with the plain mean."""
    plain, ours = clips.clone().requires_grad_(), clips.clone().requires_grad_()
    expected, means = plain.mean(dim=(3, 4), keepdim=True), spatial_means(ours)
    torch.testing.assert_close(means, expected)
    for found in (expected, means):
        found.square().sum().backward()
    torch.testing.assert_close(ours.grad, plain.grad)


def test_means_of_half_precision_stay_finite() -> None:
    """The sum of this frame is beyond what float16 holds, its mean is not."""
    means = spatial_means(torch.full((1, 2, 1, 56, 56), 40.0, dtype=torch.float16))
    assert (means == 40).all()


@settings(deadline=None)
@given(clips_of_any_order(), st.data())
def test_scaled_clips_are_the_product_in_the_same_order(clips: Tensor, data: st.DataObject) -> None:
    """Scales of any shape that broadcasts, in any order."""
    shape = [data.draw(st.sampled_from((1, size))) for size in clips.shape]
    scales = torch.randn(shape).contiguous(memory_format=data.draw(st.sampled_from(ORDERS)))
    scaled = scale_frames(clips, scales)
    torch.testing.assert_close(scaled, clips * scales)
    for order in ORDERS:
        assert scaled.is_contiguous(memory_format=order) or not clips.is_contiguous(memory_format=order)


@pytest.mark.parametrize("order", ORDERS)
def test_images_of_channels_last_clips_are_a_view(order: torch.memory_format) -> None:
    """Only there are the frames pictures as they lie."""
    clips = torch.randn(2, 3, 4, 5, 6).contiguous(memory_format=order)
    shares = to_images(clips).data_ptr() == clips.data_ptr()
    assert shares == (order == torch.channels_last_3d)

"""The check of tensors: what fits passes, the rest is refused with the layout taken, traces and exports run."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from essmc_core.contract.input_tensors import check_input, check_number_type
from essmc_core.errors import InputError


class Checked(nn.Module):
    """Sums what it was given, once it was checked."""

    def __init__(self, layout: str, **sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.layout = layout
        self.sizes = sizes

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.layout, 3, **self.sizes)
        check_number_type(x, torch.float32, "Checked")
        return x.flatten(1).sum(1)


@pytest.mark.parametrize(
    ("layout", "inputs", "named"),
    [
        ("NCHW", torch.zeros(3, 8, 8), r"images of shape \(N, 3, H, W\), got torch.float32.*\n.*unsqueeze\(0\)"),
        ("NCHW", torch.zeros(4, 8, 8), r"NCHW: one is missing"),
        ("NCHW", torch.zeros(1, 3, 2, 8, 8), r"the layout is NCHW"),
        ("NCHW", torch.zeros(1, 8, 8, 3), r"permute\(0, 3, 1, 2\)"),
        ("NCHW", torch.zeros(1, 4, 8, 8), r"in_chans equal to"),
        ("NCHW", torch.zeros(1, 3, 8, 8, dtype=torch.uint8), r"torch.uint8.*\n.*float\(\) / 255"),
        ("NCHW", torch.zeros(1, 3, 0, 8), r"each of H, W must be at least 1"),
        ("NCTHW", torch.zeros(1, 2, 3, 8, 8), r"clips of shape \(N, 3, T, H, W\), got.*\n.*transpose\(1, 2\)"),
        ("NCTHW", torch.zeros(1, 2, 8, 8, 3), r"permute\(0, 4, 1, 2, 3\)"),
        ("NCTHW", torch.zeros(1, 3, 0, 8, 8), r"each of T, H, W must be at least 1"),
        ("NCHW", numpy.zeros((1, 3, 8, 8)), r"images of shape.*, got a ndarray\n.*torch.as_tensor"),
        ("NCTHW", None, r"clips of shape.*, got a NoneType"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_layout_and_what_to_do(layout: str, inputs: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        check_input(inputs, layout, 3)


def test_the_message_names_the_sizes_taken() -> None:
    clip = torch.zeros(1, 3, 4, 8, 8)
    with pytest.raises(InputError, match=r"\(N, 3, T, H, W\) with T >= 5, W >= 9, got"):
        check_input(clip, "NCTHW", 3, min_size=(5, 1, 9))
    with pytest.raises(InputError, match=r"\(N, 3, 8, 16, 16\), got"):
        check_input(clip, "NCTHW", 3, min_size=(5, 1, 9), fixed_size=(8, 16, 16))


SIZES = st.tuples(*[st.integers(1, 6)] * 3)


@given(size=SIZES, least=SIZES)
def test_a_clip_passes_exactly_when_no_size_is_below_the_least(
    size: tuple[int, int, int], least: tuple[int, int, int]
) -> None:
    clip = torch.zeros(1, 3, *size)
    if all(actual >= needed for actual, needed in zip(size, least, strict=True)):
        check_input(clip, "NCTHW", 3, min_size=least)
    else:
        with pytest.raises(InputError, match=r"got torch\.float32"):
            check_input(clip, "NCTHW", 3, min_size=least)


def test_another_number_type_than_the_weights_is_refused_unless_under_autocast() -> None:
    clip = torch.zeros(1, 3, 2, 8, 8, dtype=torch.float64)
    with pytest.raises(InputError, match=r"Net computes in torch.float32 and got torch.float64\n.*x.to\(torch.float32"):
        check_number_type(clip, torch.float32, "Net")
    check_number_type(clip, torch.float64, "Net")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        check_number_type(clip, torch.float32, "Net")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")
@pytest.mark.parametrize("sizes", [{}, {"min_size": (2, 4, 4)}, {"fixed_size": (4, 8, 8)}], ids=["any", "min", "fixed"])
def test_a_trace_and_an_export_take_batches_of_any_size(sizes: dict[str, tuple[int, ...]]) -> None:
    model, clip, three = Checked("NCTHW", **sizes), torch.randn(2, 3, 4, 8, 8), torch.randn(3, 3, 4, 8, 8)
    traced = torch.jit.trace(model, clip)
    exported = torch.export.export(model, (clip,), dynamic_shapes={"x": {0: torch.export.Dim("batch")}})
    for run in (traced, exported.module(), torch.compile(model, backend="eager", fullgraph=True)):
        torch.testing.assert_close(run(three), model(three))

"""Each row of the table of routes is what the layers ask, and its benchmark shows the very way that it names."""

from __future__ import annotations

import dataclasses
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from essmc_core import BACKBONES, BRICKS
from essmc_core.contract.processors import table
from essmc_core.contract.processors.route import Route, always
from essmc_solvers.model.bfloat16 import exact_short_convolutions
from essmc_video.layers.conv3d import Conv3d

REPOSITORY = Path(__file__).parents[3]


def _benchmark() -> Any:
    spec = spec_from_file_location("cpu_routes", REPOSITORY / "benchmarks" / "cpu_routes.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


cpu_routes = _benchmark()
NAMES = {row.name: constant for constant, row in vars(table).items() if isinstance(row, Route)}
each_row = pytest.mark.parametrize("row", table.ROUTES, ids=lambda row: row.name)


@each_row
def test_a_row_says_when_which_why_where_and_until_when(row: Route[...]) -> None:
    assert NAMES[row.name].lower() == row.name
    assert all(getattr(row, field.name) for field in dataclasses.fields(row))
    assert re.fullmatch(r"\d+\.\d+", row.torch)


@each_row
def test_the_benchmark_of_a_row_runs_that_row(row: Route[...]) -> None:
    file, *arguments = row.benchmark
    assert (REPOSITORY / file).samefile(cpu_routes.__file__)
    assert cpu_routes.arguments(arguments).route == row.name
    assert row.name in cpu_routes.CASES


@each_row
def test_a_row_is_what_the_layers_ask(row: Route[...], monkeypatch: pytest.MonkeyPatch) -> None:
    case = cpu_routes.CASES[row.name]()
    if row.applies is always:
        assert row in case.marked.cpu_routes
        return
    answers = []

    def asked(*args: Any) -> bool:
        answers.append(row.applies(*args))
        return answers[-1]

    monkeypatch.setattr(table, NAMES[row.name], dataclasses.replace(row, applies=asked))
    case = cpu_routes.CASES[row.name]()
    case.run(case.ours)
    assert any(answers)


@pytest.mark.parametrize("kind", ["BACKBONES", "BRICKS"])
def test_networks_that_keep_their_memory_format_say_by_which_row(kind: str) -> None:
    registry = {"BACKBONES": BACKBONES, "BRICKS": BRICKS}[kind]
    rows = set()
    for name in registry:
        if registry.component(name).pack == "video":
            component = registry[name]
            if not getattr(component, "trains_channels_last", True):
                rows |= {row.name for row in component.cpu_routes}
    assert rows == {"BACKBONES": {"many_pools_as_given"}, "BRICKS": {"odd_widths_as_given"}}[kind]


DILATED = {"kernel_size": 3, "padding": (2, 1, 1), "dilation": (2, 1, 1), "bias": False}


@pytest.mark.parametrize(("frames", "short"), [(2, True), (3, True), (4, True), (5, False)])
def test_both_guards_of_short_clips_in_bfloat16_count_dilation(
    frames: int, short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    row, answers = table.SHORT_CLIPS_IN_FLOAT32, []

    def asked(conv: nn.Conv3d, clip: torch.Tensor) -> bool:
        answers.append(row.applies(conv, clip))
        return answers[-1]

    monkeypatch.setattr(table, "SHORT_CLIPS_IN_FLOAT32", dataclasses.replace(row, applies=asked))
    clip = torch.randn(1, 4, frames, 6, 6, dtype=torch.bfloat16)
    ours, plain = Conv3d(4, 4, **DILATED).bfloat16(), nn.Conv3d(4, 4, **DILATED).bfloat16()
    ours(clip)
    with exact_short_convolutions(plain) as guarded:
        plain(clip)
    assert guarded == [""]
    assert answers == [short, short]


def test_layers_that_ask_the_table_compile_and_export_whole() -> None:
    conv = Conv3d(4, 8, (1, 3, 3), padding=(0, 1, 1)).eval()
    clip = torch.randn(1, 4, 5, 6, 7)
    compiled = torch.compile(conv, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(clip), conv(clip))
    torch.testing.assert_close(torch.export.export(conv, (clip,)).module()(clip), conv(clip))

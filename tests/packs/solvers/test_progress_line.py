"""The line of progress keeps its bar and its count of steps, however narrow the terminal is."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from essmc_solvers.reporting.progress import RichProgress
from essmc_solvers.text import leading_parts

FIGURES = ["loss 0.5123", "acc@1 0.8300", "ETA 1:02:03", "lr 0.0100", "128 items/s", "data 3%", "1.2 GB"]


@pytest.fixture
def shown(monkeypatch):
    def draw(width: int) -> str:
        terminal = io.StringIO()
        console = Console(file=terminal, width=width, force_terminal=True, color_system=None)
        monkeypatch.setattr("rich.progress.get_console", lambda: console)
        progress = RichProgress()
        progress.start("epoch 12/300  train", 0, 1250)
        progress.advance(623, FIGURES)
        progress._bar.refresh()
        text = terminal.getvalue()
        progress.stop()
        return text.replace("\x1b[2K", "").split("\r")[-1].rstrip("\n")

    return draw


@pytest.mark.parametrize(
    ("width", "there"),
    [(60, FIGURES[:1]), (80, FIGURES[:3]), (120, FIGURES[:5]), (200, FIGURES)],
)
def test_bar_and_steps_stay_and_figures_give_way(shown, width, there):
    line = shown(width)
    assert "━" in line and "623/1250" in line
    assert len(line) <= width and "\n" not in line
    assert [figure for figure in FIGURES if figure in line] == there


def test_parts_are_whole_and_in_order():
    assert leading_parts(["ab", "cd", "e"], 100) == "ab  cd  e"
    assert leading_parts(["ab", "cd", "e"], 6) == "ab  cd"
    # What is less important does not push past what had no room.
    assert leading_parts(["ab", "cdefg", "e"], 5) == "ab"
    assert leading_parts(["abc"], 2) == ""

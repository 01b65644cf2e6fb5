"""What commands show on terminals of several widths: names stay whole, columns give way by importance."""

from __future__ import annotations

import re

import pytest

from essmc_core.cli.table import Column, fit

WIDTHS = (60, 80, 120, 200)
_STYLES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def lines_of(shown: str) -> list[str]:
    return [line.rstrip() for line in _STYLES.sub("", shown).replace("\r", "").splitlines()]


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "command",
    [
        ("list", "backbones", "timm/*patch16*"),
        ("models",),
        ("packs",),
    ],
    ids=lambda command: command[0],
)
def test_names_are_whole_and_lines_fit(python, command, width):
    status, shown = python.on_terminal(*command, width=width)
    lines = lines_of(shown)
    assert status == 0
    piped = python.essmc(*command).stdout
    names = {line.split()[0] for line in piped.splitlines()[1:] if line and not line.startswith(" ")}
    assert names <= {line.split()[0] for line in lines if line.strip()}
    longest_name = max(map(len, names))
    assert max(map(len, lines)) <= max(width, longest_name)


def test_the_least_important_columns_give_way_first(python):
    headings = {width: heading(python, width) for width in WIDTHS}
    assert headings[200] == ["model", "modality", "params", "MACs", "weights", "best", "result", "licence", "pack"]
    assert headings[60] == ["model", "params"]
    assert set(headings[60]) <= set(headings[80]) <= set(headings[120]) <= set(headings[200])


def heading(python, width: int) -> list[str]:
    # The names of timm's tags alone fill narrow terminals.
    _, shown = python.on_terminal("models", "*in1k", "-x", "timm/*.*", "-x", "torchvision/*.*", width=width)
    lines = lines_of(shown)
    hidden = re.search(r"models; no room for (.*)", " ".join(lines))
    found = next(line for line in lines if line.startswith("model")).split()
    listed = hidden[1].replace("best result", "best,result").replace(" ", "").split(",") if hidden else []
    assert sorted([*found, *listed]) == sorted(
        ["model", "modality", "params", "MACs", "weights", "best", "result", "licence", "pack"]
    )
    return found


def test_prose_is_narrowed_before_a_column_is_left_out():
    columns = (Column("name"), Column("pack", gives_way=1), Column("summary", prose=True, gives_way=2))
    row = ("a" * 30, "video", "word " * 20)
    assert fit(columns, [row], 200) == [30, 5, 100]
    assert fit(columns, [row], 80) == [30, 5, 80 - 30 - 5 - 4]
    assert fit(columns, [row], 63) == [30, 5, 24]
    assert fit(columns, [row], 62) == [30, 5, 0]
    assert fit(columns, [row], 36) == [30, 0, 0]
    # A name is never cut: the terminal itself begins a new line.
    assert fit(columns, [row], 10) == [30, 0, 0]


def test_signs_of_two_cells_count_twice():
    assert fit((Column("name"),), [("走る",)], 80) == [4]


def test_a_table_without_rows_has_its_headings():
    assert fit((Column("name"), Column("summary", prose=True)), [], 80) == [4, 7]

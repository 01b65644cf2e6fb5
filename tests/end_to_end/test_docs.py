"""Every page of the documentation does what it says, read from top to bottom."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.pages import blocks_of, run_page

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(page for page in DOCS.glob("*.md") if page.name != "write-a-pack.md")
"""The tutorial takes environments of its own: test_tutorial.py."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(language != "text" for language, _ in blocks_of(page))], ids=lambda p: p.name
)
def test_a_page_does_what_it_says(page, tmp_path):
    run_page(page, tmp_path)


def test_every_page_is_reached_from_the_readme():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if f"docs/{page.name}" not in readme] == []

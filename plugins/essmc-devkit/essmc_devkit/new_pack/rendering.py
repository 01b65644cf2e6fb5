"""Renders the template into a folder with copier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

TEMPLATE = Path(__file__).parent / "template"
"""The current template."""
VERSION = "1"
"""Its version: raised where a released devkit had another template, which then goes to `HISTORY`."""
ANSWERS = ".copier-answers.yml"
"""File of a pack that says how it was made."""
SOURCE = "essmc-devkit"
"""What that file calls the template, which comes with the installed devkit rather than from an address."""


def render(template: Path, folder: Path, answers: Mapping[str, object], version: str) -> None:
    """Writes what a template makes of the answers.

    Args:
        template: folder with ``copier.yml``.
        folder: to write into; made if it is not there.
        answers: to the template's questions.
        version: of the template, for the file of answers.
    """
    from copier import run_copy

    run_copy(str(template), folder, data=dict(answers), defaults=True, quiet=True, unsafe=False, overwrite=True)
    note_template(folder, version)


def note_template(folder: Path, version: str, source: str = SOURCE) -> None:
    """Writes into a pack's file of answers which template it was made from.

    Args:
        folder: of the pack.
        version: of the template.
        source: its address; copier needs a real one while it updates a pack.
    """
    file = folder / ANSWERS
    kept = [
        line
        for line in file.read_text(encoding="utf-8").splitlines()
        if not line.startswith(("_commit:", "_src_path:"))
    ]
    comment = [line for line in kept if line.startswith("#")]
    rest = [line for line in kept if line and not line.startswith("#")]
    lines = [*comment, f"_commit: '{version}'", f"_src_path: {source}", *rest]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")

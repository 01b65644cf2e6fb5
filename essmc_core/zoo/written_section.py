"""Writes one section into the file of a zoo entry and leaves every other line as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from essmc_core.errors import ConfigError
from essmc_core.foundation.atomic import write_text

if TYPE_CHECKING:
    from essmc_core.zoo.zoo import ZooEntry


def write_section(entry: ZooEntry, name: str, text: str, hint: str = "") -> None:
    """Puts a section in the place of the one of that name, or at the end; the file is replaced in one step.

    Args:
        entry: whose file it is.
        name: of the section.
        text: the section, its name included.
        hint: what to do where there is no file.

    Raises:
        ConfigError: the entry is made of a row of a table.
    """
    if entry.file is None:
        raise ConfigError(
            f"{entry.qualified} is made of a table, so that no file holds its {name}", where=entry.where, hint=hint
        )
    written = entry.file.read_text(encoding="utf-8")
    block = re.compile(rf"^{re.escape(name)}:.*\n(?:[ \t]+.*\n)*", re.MULTILINE)
    if not written.endswith("\n"):
        written += "\n"
    write_text(entry.file, block.sub(lambda _: text, written, count=1) if block.search(written) else written + text)

"""docs/write-a-pack.md does what it says, typed by somebody who has our wheels and no checkout."""

from __future__ import annotations

import resource
import shlex
from pathlib import Path

import pytest

from tests.end_to_end.pages import FILE, blocks_of, commands_of, fold
from tests.end_to_end.reader import ROOT, Reader, build_wheels, link_libraries

PAGE = ROOT / "docs" / "write-a-pack.md"
OURS = ("essmc-classifiers", "essmc-devkit", "essmc-timm")
QUICKER = {
    "pytest": "pytest -k 'not onnx and not export and not new_processes'",
    "essmc check .": "essmc check . --leave-out 'exporting.*' --leave-out copying.spawn",
}
"""What is typed in the place of commands that take long: test_new_packs.py has them do all that they do."""
MINUTES, LINES = 5, 30
"""From nothing to the first model in another environment: processor time, and lines written by hand."""


@pytest.fixture
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    folder = tmp_path_factory.mktemp("tutorial")
    return Reader(folder / "work", link_libraries(folder / "libraries"), build_wheels(folder / "wheels", *OURS))


def sections() -> dict[str, list[tuple[str, str]]]:
    """Returns the blocks of code below each heading."""
    found = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        found[part.partition("\n")[0]] = list(blocks_of(part))
    return found


def follow(language: str, text: str, reader: Reader) -> None:
    named = FILE.match(text)
    if named:
        file = reader.cwd / named[1]
        assert file.parent.is_dir(), f"{named[1]} stands in a folder that is not there"
        file.write_text(text, encoding="utf-8")
    elif language == "python":
        reader.type(f"python -c {shlex.quote(text)}")
    else:
        assert language == "console"
        for command, shown in commands_of(text):
            typed(command, shown, reader)


def typed(command: str, shown: list[str], reader: Reader) -> None:
    is_refused = any(line.startswith("Error:") for line in shown)
    done = reader.type(QUICKER.get(command, command), status=2 if is_refused else 0)
    printed = fold(done.stdout + done.stderr)
    for line in shown:
        for words in line.removeprefix("Error:").split("…"):
            assert fold(words) in printed, f"{command}\n{done.stdout}\n{done.stderr}"


def test_the_page_does_what_it_says(reader: Reader) -> None:
    before = processor_seconds()
    taken = {}
    for heading, blocks in sections().items():
        for language, text in blocks:
            follow(language, text, reader)
        taken[heading] = processor_seconds() - before
    print({heading: round(seconds) for heading, seconds in taken.items()})
    assert next(iter(taken.values())) < 60 * MINUTES
    check_that_nothing_of_the_checkout_is_there(reader)


def processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_the_first_model_takes_few_lines_written_by_hand() -> None:
    (first, *_) = sections().values()
    files = [text for _, text in first if FILE.match(text)]
    lines = [line for text in files for line in text.splitlines() if line and not FILE.match(f"{line}\n")]
    assert 10 < len(lines) < LINES, lines


def check_that_nothing_of_the_checkout_is_there(reader: Reader) -> None:
    place = reader.type("python -c 'import essmc_core; print(essmc_core.__file__)'").stdout
    assert not Path(place.strip()).is_relative_to(ROOT)
    packs = reader.type("essmc packs --json").stdout
    assert "essmc-video" not in packs and '"quarantined"' not in packs

"""Runs a page of documentation from top to bottom, as a reader would who types all of it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\S+\.(?:py|ya?ml|toml))\n")


def blocks_of(page: Path | str) -> Iterator[tuple[str, str]]:
    """Yields language and text of each block of code, of a file or of a text."""
    yield from _BLOCK.findall(page if isinstance(page, str) else page.read_text(encoding="utf-8"))


def commands_of(block: str) -> list[tuple[str, list[str]]]:
    """Returns each shown command with the lines shown below it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def run_commands(block: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Runs the commands of a block and compares what they print with what is shown, white space aside."""
    for command, shown in commands_of(block):
        words = shlex.split(command)
        if words[:2] == ["pip", "install"]:
            target = environment["PYTHONPATH"].split(os.pathsep)[0]
            words = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
            words += ["--target", target, *shlex.split(command)[2:]]
        done = subprocess.run(words, capture_output=True, text=True, cwd=folder, env=environment, timeout=600)
        is_refused = any(line.startswith("Error:") for line in shown)
        assert done.returncode == (2 if is_refused else 0), f"{command}\n{done.stdout}\n{done.stderr}"
        printed = fold(done.stderr if is_refused else done.stdout)
        for line in shown:
            assert fold(line) in printed, command


def run_page(page: Path, folder: Path) -> None:
    """Writes the files of a page and runs its snippets and commands, in their order."""
    installed = folder / "installed"
    environment = reader_environment(installed)
    for language, text in blocks_of(page):
        named = FILE.match(text)
        if named:
            file = folder / named[1]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        elif language == "python":
            done = subprocess.run(
                [sys.executable, "-c", text], capture_output=True, text=True, cwd=folder, env=environment, timeout=600
            )
            assert done.returncode == 0, f"{text}\n{done.stderr}"
        elif language == "console":
            run_commands(text, folder, environment)


def reader_environment(*installed: Path) -> dict[str, str]:
    """Returns the environment of a reader's shell, with folders that packages were installed into."""
    bin_folder = os.path.dirname(sys.executable)
    # Options for the run of pytest that this is part of are not the reader's.
    kept = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(map(str, installed)),
        "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}",
    }


def fold(text: str) -> str:
    """Returns a text with its white space folded."""
    return " ".join(text.split())

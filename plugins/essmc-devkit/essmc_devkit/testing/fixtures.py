"""Fixtures that fabricate installed distributions, and run code and commands in fresh Python processes.

A pack's ``conftest.py`` takes them with ``from essmc_devkit.testing.fixtures import new_site, python, site``.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

_PLUGIN = """
from essmc_core import hookimpl

@hookimpl
def register_components(registries):
{body}
"""

_IN_TURN = """
import contextlib, io, json, sys, traceback
from essmc_core.cli.app import main

found = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["essmc", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            status = ended.code
        except BaseException:
            status = 1
            traceback.print_exc()
    found.append([status, out.getvalue(), err.getvalue()])
print(json.dumps(found))
"""


class Site:
    """A folder on ``PYTHONPATH`` that holds distributions, as site-packages would.

    Args:
        folder: where it is; made if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def add(
        self,
        distribution: str,
        plugin: str | None = None,
        *,
        components: Mapping[str, str] | None = None,
        version: str = "1.0",
        requires: str = "essmc-core>=0.1,<1",
        files: Mapping[str, str] | None = None,
        entry_point: str | None = None,
    ) -> Path:
        """Writes a distribution with one importable package and its metadata, as pip would leave them.

        Args:
            distribution: its name; the package is the same with underscores.
            plugin: source of ``plugin.py``; by default it registers ``components``.
            components: ``{"backbones.Name": "module:attribute"}``.
            version: its version.
            requires: its requirement on the core.
            files: further files by path below the package.
            entry_point: value of the entry point.
        """
        package = distribution.replace("-", "_")
        if plugin is None:
            lines = []
            for dotted, target in (components or {}).items():
                kind, _, name = dotted.partition(".")
                lines.append(f"    registries.{kind}.register({name!r}, {target!r})")
            plugin = _PLUGIN.format(body="\n".join(lines) or "    pass")
        root = self.folder / package
        for name, text in {"__init__.py": "", "plugin.py": plugin, **(files or {})}.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), encoding="utf-8")
        info = self.folder / f"{package}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        requirement = f"Requires-Dist: {requires}\n" if requires else ""
        headers = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n{requirement}\n"
        (info / "METADATA").write_text(headers)
        (info / "entry_points.txt").write_text(f"[essmc]\n{package} = {entry_point or package + '.plugin'}\n")
        return root


class Python:
    """Runs code and commands in fresh processes that see the given sites before everything else.

    Args:
        cwd: folder that they run in.
    """

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd
        self.sites: list[Site] = []

    def environment(self, **extra: str) -> dict[str, str]:
        """Returns the variables of a process: this one's without essmc's own, the sites, and further ones."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ESSMC_")}
        path = os.pathsep.join(str(site.folder) for site in self.sites)
        return {**kept, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200", **extra}

    def run(self, code: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Runs code.

        Args:
            code: indented or not.
            check: whether another exit status than 0 is an error.
            **extra: environment variables.

        Raises:
            AssertionError: the exit status; the message holds what it wrote.
        """
        return self._run([sys.executable, "-c", textwrap.dedent(code)], check, extra)

    def json(self, code: str, **extra: str) -> object:
        """Returns what the code prints last, read as JSON."""
        done = self._run([sys.executable, "-c", textwrap.dedent(code)], True, extra)
        return json.loads(done.stdout.splitlines()[-1])

    def essmc(self, *arguments: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess[str]:
        """Runs a command of ``essmc``; see `run`."""
        return self._run([sys.executable, "-m", "essmc_core", *arguments], check, extra)

    def essmc_in_turn(self, *commands: Sequence[str], **extra: str) -> list[subprocess.CompletedProcess[str]]:
        """Runs commands of ``essmc`` one after the other in one fresh process, whatever their exit status.

        What a command imports and sets stays for the next one. Commands that are refused lose nothing by it, and take
        the time of one start together.

        Args:
            *commands: the words of each, without ``essmc``.
            **extra: environment variables.
        """
        given = json.dumps([list(words) for words in commands])
        done = self._run([sys.executable, "-c", _IN_TURN, given], True, extra)
        found = json.loads(done.stdout.splitlines()[-1])
        return [
            subprocess.CompletedProcess(["essmc", *words], status, out, err)
            for words, (status, out, err) in zip(commands, found, strict=True)
        ]

    def on_terminal(self, *arguments: str, width: int = 200, **extra: str) -> tuple[int, str]:
        """Runs a command on a terminal of that many columns; returns its exit status and all that it wrote there."""
        # Windows has none of these.
        import fcntl
        import pty
        import termios

        leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
        environment = self.environment(TERM="xterm", **extra)
        del environment["COLUMNS"]
        process = subprocess.Popen(
            [sys.executable, "-m", "essmc_core", *arguments],
            stdin=follower, stdout=follower, stderr=follower, cwd=self.cwd, env=environment,
        )  # fmt: skip
        os.close(follower)
        shown = b""
        # Reading ends in an error on Linux when the last writer has closed the terminal.
        with contextlib.suppress(OSError):
            while chunk := os.read(leader, 65536):
                shown += chunk
        os.close(leader)
        return process.wait(timeout=300), shown.decode()

    def _run(self, command: list[str], check: bool, extra: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.cwd, env=self.environment(**extra), timeout=300
        )
        if check and done.returncode != 0:
            raise AssertionError(f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done


@pytest.fixture
def site(tmp_path: Path, python: Python) -> Site:
    """An empty site that new processes of ``python`` see."""
    made = Site(tmp_path / "site")
    python.sites.append(made)
    return made


@pytest.fixture
def new_site(tmp_path: Path, python: Python) -> Callable[[str], Site]:
    """Makes further sites; the first made comes first on the path."""

    def make(name: str) -> Site:
        made = Site(tmp_path / name)
        python.sites.append(made)
        return made

    return make


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Runs fresh processes in an empty folder."""
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    return Python(cwd)

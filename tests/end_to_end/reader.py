"""A reader who follows instructions: environments of their own, our distributions as wheels, commands as they stand.

Nothing of the checkout is in these environments. Libraries such as torch come from the running environment, whose
distributions are linked to, ours left out; `pip` takes ours from a folder of wheels instead of an index.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOOLS = {"pip": "pip", "pytest": "pytest", "mypy": "mypy"}
"""Commands of the running environment by the module that they run."""


def link_libraries(folder: Path) -> Path:
    """Makes a folder of links to all that is installed, without our distributions and without editable ones."""
    folder.mkdir()
    for site in (Path(entry) for entry in sys.path if Path(entry).name in ("site-packages", "dist-packages")):
        for path in site.iterdir():
            ours = path.name.lower().replace("-", "_").startswith(("essmc", "__editable__"))
            if not ours and path.suffix != ".pth" and not (folder / path.name).exists():
                (folder / path.name).symlink_to(path)
    return folder


def build_wheels(folder: Path, *names: str) -> Path:
    """Builds wheels of the core and of some of our packs."""
    folders = [ROOT, *(ROOT / "plugins" / name for name in names)]
    for source in folders:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
        subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=300)
    return folder


class Reader:
    """Types commands in a shell of their own, one after another.

    Args:
        folder: where they begin; the first environment goes beside it.
        libraries: what `link_libraries` made.
        wheels: what `build_wheels` made.
    """

    def __init__(self, folder: Path, libraries: Path, wheels: Path) -> None:
        self.cwd = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._libraries = libraries
        self._wheels = wheels
        self._bin = self.make_environment(folder.parent / f"{folder.name}-environment") / "bin"

    def make_environment(self, folder: Path) -> Path:
        """Makes an environment as `python -m venv` does, in which libraries are installed already."""
        venv.create(folder, with_pip=False)
        (site,) = folder.glob("lib/python*/site-packages")
        (site / "libraries.pth").write_text(f"{self._libraries}\n")
        for command, module in TOOLS.items():
            script = folder / "bin" / command
            script.write_text(f'#!/bin/sh\nexec "{folder}/bin/python" -m {module} "$@"\n')
            script.chmod(0o755)
        return folder

    def environment(self) -> dict[str, str]:
        """Returns the variables of the shell."""
        foreign = ("ESSMC_", "PIP_", "PYTEST_", "PYTHON")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
        own = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self._wheels), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        # pip reads this one the other way round: 0 means that the environment's own build tools are used.
        own |= {"PIP_NO_BUILD_ISOLATION": "0", "PIP_ROOT_USER_ACTION": "ignore", "COLUMNS": "200"}
        tools = os.path.dirname(sys.executable)
        return {**kept, **own, "PATH": os.pathsep.join([str(self._bin), tools, os.environ["PATH"]])}

    def type(self, line: str, *, status: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs a line as it is written.

        Raises:
            AssertionError: it ended with another status; the message holds all that it printed.
        """
        words = shlex.split(line)
        if words[0] == "cd":
            self.cwd = (self.cwd / words[1]).resolve()
            assert self.cwd.is_dir(), line
            return subprocess.CompletedProcess(line, 0, "", "")
        if words[:3] == ["python", "-m", "venv"]:
            self.make_environment((self.cwd / words[3]).resolve())
            return subprocess.CompletedProcess(line, 0, "", "")
        if words[:3] == ["python", "-m", "build"]:
            line = f"{line} --no-isolation"
        done = subprocess.run(
            line, shell=True, capture_output=True, text=True, cwd=self.cwd, env=self.environment(), timeout=600
        )
        assert done.returncode == status, f"{line}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

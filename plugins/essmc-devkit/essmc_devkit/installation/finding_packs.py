"""From what the user names to a pack that is installed: a distribution, a wheel, or a folder that is built first."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path

from essmc_core.errors import EssmcError
from essmc_core.foundation.names import did_you_mean, normalise_distribution
from essmc_devkit.installation.pack_under_test import PackUnderTest

_BUILD_SECONDS = 600
_LINES = 12


class NoSuchPack(EssmcError, LookupError):
    """What is to be checked is neither an installed distribution nor a wheel nor a folder."""


class NotInstallable(EssmcError, RuntimeError):
    """A folder cannot be built into a wheel, or a wheel cannot be installed.

    Attributes:
        check: the name of the check that this is.
    """

    check = "installation.build"


class WheelRefused(NotInstallable):
    """pip does not install a wheel."""

    check = "installation.install"


def installed_pack(name: str, path: Sequence[str] | None = None) -> PackUnderTest:
    """Returns an installed distribution.

    Args:
        name: what pip calls it; ``essmc-`` may be left out.
        path: folders that are searched, by default ``sys.path``.

    Raises:
        NoSuchPack: there is none.
    """
    searched = sys.path if path is None else list(path)
    wanted = normalise_distribution(name)
    named: dict[str, Path] = {}
    for found in distributions(path=searched):
        folder = getattr(found, "_path", None)
        if isinstance(folder, Path):
            named.setdefault(normalise_distribution(_name(folder)), folder)
    info = named.get(wanted) or named.get(f"essmc-{wanted}")
    if info is None:
        suggestion = did_you_mean(wanted, named) or "`essmc packs` lists those that are"
        raise NoSuchPack(f"{name!r} is no installed distribution, wheel or folder", hint=suggestion)
    return PackUnderTest(info, path=tuple(searched))


def _name(info: Path) -> str:
    return info.name.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")[0]


def build_wheel(source: Path, folder: Path) -> Path:
    """Builds a folder into a wheel, with the build tools of this environment and without network.

    Args:
        source: holds a ``pyproject.toml``.
        folder: where the wheel is written.

    Raises:
        NotInstallable: that fails; the message ends in the last lines of the build.
    """
    options = ["--wheel", "--no-isolation", "--outdir", str(folder), str(source.resolve())]
    # Not run in the pack's folder, where a folder `build` would be imported instead.
    done = _run([sys.executable, "-m", "build", *options], folder)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        raise NotInstallable(
            f"{source} cannot be built into a wheel: {_end_of(done.stdout)}",
            hint=f"`python -m build --wheel --no-isolation {source}` shows all of it",
        )
    return wheels[0]


def unpack_wheel(wheel: Path, site: Path, source: Path | None = None) -> PackUnderTest:
    """Installs a wheel, without its dependencies, into a folder of its own.

    Args:
        wheel: the file.
        site: the folder, which is made.
        source: the folder that the wheel was built from.

    Raises:
        WheelRefused: pip does not install it.
    """
    site.mkdir(parents=True)
    options = ("--no-deps", "--no-index", "--no-compile", "--quiet", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(site), str(wheel.resolve())]
    done = _run(command, site.parent)
    infos = sorted(site.glob("*.dist-info"))
    if done.returncode or len(infos) != 1:
        hint = f"`python -m pip install --no-deps --target FOLDER {wheel}` shows all of it"
        raise WheelRefused(f"{wheel.name} cannot be installed: {_end_of(done.stdout)}", hint=hint)
    return PackUnderTest(infos[0], (site,), (str(site),), source)


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=_BUILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, f"it took more than {_BUILD_SECONDS} s")


def _end_of(output: str) -> str:
    return " / ".join(_told(output.splitlines())) or "it says nothing"


def _told(lines: Sequence[str]) -> Iterator[str]:
    """Yields the last lines, from the last one that names an error on."""
    kept = [line.strip() for line in lines if line.strip()][-_LINES:]
    starts = [number for number, line in enumerate(kept) if "error" in line.lower()]
    yield from kept[starts[-1] if starts else -2 :]

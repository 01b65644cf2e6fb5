"""Runs a new pack's `make_weights` before the pack is installed, and writes the fingerprint of its entry."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from essmc_core.errors import EssmcError
from essmc_devkit.new_pack.names import PackNames
from essmc_devkit.new_pack.plan import CORE


class WeightsNotMade(EssmcError, RuntimeError):
    """The training of a new pack's weights failed."""


def make_weights(names: PackNames, folder: Path) -> None:
    """Trains the weights of a new pack's entry and states its fingerprint, in processes that see the pack as installed.

    Args:
        names: of the pack.
        folder: of the pack.

    Raises:
        WeightsNotMade: the process failed; the message ends with what it said last.
    """
    train = [f"{names.package}.make_weights"]
    state = ["essmc_core", "verify", "--weights", f"{names.short}/{names.entry}", "--write"]
    with tempfile.TemporaryDirectory() as site:
        _state_as_installed(names, Path(site))
        path = os.pathsep.join(filter(None, (str(folder.resolve() / "src"), site, os.environ.get("PYTHONPATH", ""))))
        for module in (train, state):
            done = subprocess.run(
                [sys.executable, "-m", *module],
                env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
                cwd=site,
                capture_output=True,
                text=True,
                errors="replace",
            )
            if done.returncode != 0:
                break
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-3:]
        raise WeightsNotMade(
            "the weights of the new pack could not be trained: " + " ".join(line.strip() for line in said),
            hint="make the pack without --with-weights, or install what it needs: pip install "
            "essmc-classifiers essmc-timm",
        )


def _state_as_installed(names: PackNames, site: Path) -> None:
    info = site / f"{names.package}-0.1.0.dist-info"
    info.mkdir()
    metadata = f"Metadata-Version: 2.1\nName: {names.distribution}\nVersion: 0.1.0\nRequires-Dist: {CORE}\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    entry_point = f"[essmc]\n{names.short} = {names.package}.plugin\n"
    (info / "entry_points.txt").write_text(entry_point, encoding="utf-8")

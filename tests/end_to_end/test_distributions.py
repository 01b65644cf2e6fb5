"""Every distribution is built as it would be released, and holds its licence in wheel and source."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]


def texts_of_wheel(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        yield from ((name, archive.read(name)) for name in archive.namelist())


def texts_of_source(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                yield member.name, file.read()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: "essmc-core" if folder == ROOT else folder.name)
def test_wheel_and_source_hold_the_licence(folder: Path, tmp_path: Path) -> None:
    # Without a front end that makes an environment, building needs no network.
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(tmp_path)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=300)
    (wheel,), (source,) = tmp_path.glob("*.whl"), tmp_path.glob("*.tar.gz")
    licence = (ROOT / "LICENSE").read_bytes()
    assert b"Apache License" in licence
    in_wheel, in_source = dict(texts_of_wheel(wheel)), dict(texts_of_source(source))
    stem = "-".join(wheel.name.split("-")[:2])
    assert in_wheel[f"{stem}.dist-info/licenses/LICENSE"] == licence
    assert in_source[f"{stem}/LICENSE"] == licence
    metadata = in_wheel[f"{stem}.dist-info/METADATA"].decode()
    assert "License-Expression: Apache-2.0\nLicense-File: LICENSE\n" in metadata

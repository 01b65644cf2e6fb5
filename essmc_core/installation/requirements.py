"""What pip is told for what the user calls a pack: short names by the index, paths and addresses as they are."""

from __future__ import annotations

import os
import re
from pathlib import Path

from essmc_core.errors import EssmcError, UnknownPack
from essmc_core.foundation.names import did_you_mean, normalise_distribution, pack_name
from essmc_core.foundation.toml_file import read_toml
from essmc_core.index.known import KnownPacks

_CORE = "essmc-core"
_IN_FILE_NAME = re.compile(r"(?:^|[/=#&])essmc[-_.]+core(?=-\d|\.git|[@#?/\s]|$)", re.IGNORECASE)
_ARCHIVES = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class NotInstallable(EssmcError, ValueError):
    """Something that this command does not install or uninstall."""


def requirement_of(name: str, known: KnownPacks) -> str:
    """Returns the requirement that pip is given.

    Args:
        name: a short name (``video``), a distribution (``essmc-video``), either with extras and versions, a folder, a
            wheel or another archive, or an address.
        known: the packs of all indexes.

    Raises:
        NotInstallable: it is essmc-core, or no requirement.
        UnknownPack: no index lists it and it is not called ``essmc-…``; the message suggests names.
    """
    if is_place(name):
        _refuse_core(_distribution_of_place(name))
        return name
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        requirement = Requirement(name)
    except InvalidRequirement as error:
        hint = "give a name (video, 'video>=0.2'), a folder, a wheel or an address"
        raise NotInstallable(f"{name!r} is no name of a pack", hint=hint) from error
    if requirement.url is not None:
        _refuse_core(normalise_distribution(requirement.name))
        return name
    own = normalise_distribution(requirement.name)
    _refuse_core(own if own != "core" else _CORE)
    facts = known.named(own) or known.named(pack_name(own))
    if facts is not None:
        requirement.name = facts.distribution
        return str(requirement)
    if own.startswith("essmc-"):
        return str(requirement)
    raise _unknown(requirement.name, known)


def is_place(name: str) -> bool:
    """Returns whether a word is a path or an address, by the rules of pip."""
    has_separator = os.sep in name or (os.altsep is not None and os.altsep in name)
    is_address = "://" in name.partition("@")[0]
    return is_address or (has_separator and " @ " not in name) or name.startswith(".") or name.endswith(_ARCHIVES)


def name_of(requirement: str) -> str:
    """Returns the normalised distribution of a valid requirement, without extras, versions and address."""
    from packaging.requirements import Requirement

    return normalise_distribution(Requirement(requirement).name)


def refuse_core(name: str) -> None:
    """Raises if a name means essmc-core.

    Raises:
        NotInstallable: it does.
    """
    own = normalise_distribution(name)
    _refuse_core(own if own != "core" else _CORE)


def _refuse_core(distribution: str) -> None:
    if distribution == _CORE:
        hint = "outside of essmc: pip install -U essmc-core, or pip uninstall essmc-core"
        raise NotInstallable("essmc-core does not change itself while it runs", hint=hint)


def _distribution_of_place(place: str) -> str:
    """Returns what a folder or an archive is called, as far as its name or its ``pyproject.toml`` says; else empty."""
    folder = Path(place)
    if folder.is_dir():
        return normalise_distribution(_project_name(folder))
    return _CORE if _IN_FILE_NAME.search(place) else ""


def _project_name(folder: Path) -> str:
    # pip says what is wrong with a folder that cannot be read.
    try:
        table = read_toml(folder / "pyproject.toml")
        return str(table["project"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def _unknown(name: str, known: KnownPacks) -> UnknownPack:
    kinds = {kind for pack in known.packs for kind in (*pack.components, *pack.families)} | {"zoo", "commands"}
    bringing = {pack.distribution: pack.name for kind in sorted(kinds) for pack in known.bringing(kind, name)}
    if bringing:
        owners = " and ".join(bringing)
        hint = f"essmc install {next(iter(bringing.values()))}"
        return UnknownPack(f"{name} is no pack; {owners} brings something of this name", hint=hint)
    suggestion = did_you_mean(name, [word for pack in known.packs for word in (pack.name, pack.distribution)])
    hint = f"packs that no index lists are installed by their whole name, essmc-{name}, by a path or an address"
    remarks = "".join(f"; {remark}" for remark in known.remarks)
    message = f"no index lists a pack called {name!r}{'; ' + suggestion if suggestion else ''}{remarks}"
    return UnknownPack(message, hint=hint)

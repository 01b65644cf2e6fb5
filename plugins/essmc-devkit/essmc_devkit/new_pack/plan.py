"""What is to be made: the answers to the template's questions, checked against what is installed."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import essmc_core
from essmc_core.errors import EssmcError
from essmc_devkit.new_pack.kinds import KINDS, requirements_of
from essmc_devkit.new_pack.names import PackNames

CORE = "essmc-core>=0.1,<1"
"""What a new pack requires: the core that has all that the template uses, and those that keep it."""
RANGE = ">=0.1,<1"


class NameTaken(EssmcError, ValueError):
    """A name that an installed pack or component has already."""


class OddRequirement(EssmcError, ValueError):
    """A requirement that pip could not read."""


class UnknownLicence(EssmcError, ValueError):
    """A licence that is no SPDX expression."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A pack to make.

    Attributes:
        names: what it is called.
        kinds: keys of `KINDS`.
        with_zoo: whether it has a zoo entry.
        with_weights: whether the entry has weights.
        author: whose it is; may be empty.
        email: the author's address; may be empty.
        licence: an SPDX expression.
        requires: further requirements, as pip reads them.
    """

    names: PackNames
    kinds: Sequence[str]
    with_zoo: bool = False
    with_weights: bool = False
    author: str = ""
    email: str = ""
    licence: str = "Apache-2.0"
    requires: Sequence[str] = ()

    def answers(self) -> dict[str, object]:
        """Returns the answers to the template's questions."""
        names = self.names
        return {
            "distribution": names.distribution,
            "package": names.package,
            "short": names.short,
            "prefix": names.prefix,
            "kinds": list(self.kinds),
            "with_zoo": self.with_zoo,
            "with_weights": self.with_weights,
            "author": self.author,
            "email": self.email,
            "licence": self.licence,
            "year": datetime.date.today().year,
            "core": CORE,
            "requirements": self._requirements(),
        }

    def _requirements(self) -> list[str]:
        ours = [f"{name}{RANGE}" for name in requirements_of(self.kinds, with_zoo=self.with_zoo)]
        others = ["click>=8.1"] if "command" in self.kinds else []
        others += ["safetensors>=0.4.5"] if self.with_weights else []
        networks = [kind for kind in self.kinds if kind != "command"]
        return [*ours, *others, *(["torch>=2.7"] if networks else []), *self.requires]


def spdx(licence: str) -> str:
    """Returns an SPDX expression in its usual spelling.

    Raises:
        UnknownLicence: it is none.
    """
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return str(canonicalize_license_expression(licence))
    except InvalidLicenseExpression as error:
        raise UnknownLicence(
            f"{licence!r} is no SPDX licence expression",
            hint="e.g. Apache-2.0, MIT or BSD-3-Clause; https://spdx.org/licenses lists all",
        ) from error


def requirement(text: str) -> str:
    """Returns a requirement as pip reads it.

    Raises:
        OddRequirement: pip could not read it.
    """
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return str(Requirement(text))
    except InvalidRequirement as error:
        raise OddRequirement(f"{text!r} is no requirement that pip reads", hint="e.g. 'torchvision>=0.22'") from error


def check_names_are_free(plan: Plan) -> None:
    """Checks that no installed pack, component, command or entry has a name of the pack already.

    Raises:
        NameTaken: says which name, and whose it is.
    """
    names = plan.names
    for pack in essmc_core.packs():
        if pack.name == names.short:
            raise NameTaken(f"{pack.distribution} {pack.version} is installed already", hint="choose another name")
    for name in plan.kinds:
        kind = KINDS[name]
        if kind.registry:
            _check(names.prefix + kind.suffix, kind.registry, names.prefix)
    if "command" in plan.kinds:
        _check_command(names.short)
    if plan.with_zoo and names.entry in essmc_core.ZOO.names():
        raise NameTaken(f"the zoo has an entry {names.entry!r} already", hint="choose another name for the pack")


def _check(name: str, registry: str, prefix: str) -> None:
    component = essmc_core.REGISTRIES[registry].find(name)
    if component is not None:
        raise NameTaken(
            f"{name} is a {essmc_core.REGISTRIES[registry].singular} of {component.brought_by} already",
            hint=f"choose another name for the pack, e.g. my-{prefix.lower()}",
        )


def _check_command(name: str) -> None:
    import click

    from essmc_core.cli.app import cli

    if name in cli.list_commands(click.Context(cli)):
        raise NameTaken(f"`essmc {name}` is a command already", hint="choose another name for the pack")

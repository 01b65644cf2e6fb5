"""A layout: the names that a project gives to the tensors of known networks, and what leads from them to ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from essmc_core.errors import ConfigError

Shapes: TypeAlias = Mapping[str, "tuple[int, ...]"]
Again: TypeAlias = "tuple[tuple[str, str], ...]"
Table: TypeAlias = Mapping[str, Mapping[str, "list[str]"]]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a pack registers in `register_layouts`: the outcome of the target's function.

    Attributes:
        project: whose names they are, for the user: ``timm``, ``pytorchvideo``.
        table: a file that `write_table` wrote, of the networks that are known under these names.
        holds: whether the table names zoo ``entries`` or ``backbones``.
        key_map: name of the registered key map that leads to the table's names; empty if they are the table's own.
        sign: what the names of every such file contain somewhere, so that key maps are not tried in vain.
        prefix: what is put before a name of the table to make it a component's.
        again: (regular expression, replacement) pairs of names under which tensors are there a second time; a key map
            drops these names.
    """

    project: str
    table: Path
    holds: Literal["entries", "backbones"] = "entries"
    key_map: str = ""
    sign: str = ""
    prefix: str = ""
    again: Again = ()

    def read_table(self) -> Table:
        """Returns the table: path of the last layer, empty for files without it -> digest -> networks.

        Raises:
            ConfigError: there is none, or it is no table.
        """
        try:
            found = json.loads(self.table.read_bytes())
            if all(isinstance(names, list) for digests in found.values() for names in digests.values()):
                return found  # type: ignore[no-any-return]
        except (OSError, ValueError, AttributeError) as error:
            raise ConfigError(f"the table of the layout, {self.table}, cannot be read: {error}") from error
        raise ConfigError(f"{self.table} is no table of a layout")


@dataclass(frozen=True, slots=True)
class Derived:
    """A layout whose networks take arguments that names and shapes tell; nothing is claimed before it is built.

    Attributes:
        project: whose names they are, for the user.
        backbones: returns, from the names and shapes of a backbone, its configurations that may have them, the
            likeliest first; needs neither torch nor the network. What it returns is built without memory and compared.
            A `LookupError`, `ArithmeticError` or `ValueError` of it means that shapes are not such a network's.
        sign: what the names of every such file contain somewhere.
        key_map: name of the registered key map that leads to our names; empty if they are ours.
        back: name of the registered key map that leads back from our names, empty if none is.
        untold: arguments that shapes do not tell, for the user.
        otherwise: like `backbones`, for where none of those fits: what is more general than networks with a name.
        heads: returns, from the names and shapes of a head, its configurations that may have them, for heads that only
            these networks have; linear layers are known without.
        again: (regular expression, replacement) pairs of names under which tensors are there a second time.
    """

    project: str
    backbones: Callable[[Shapes], Iterable[Mapping[str, Any]]]
    sign: str
    key_map: str = ""
    back: str = ""
    untold: tuple[str, ...] = ()
    otherwise: Callable[[Shapes], Iterable[Mapping[str, Any]]] | None = None
    heads: Callable[[Shapes], Iterable[Mapping[str, Any]]] | None = None
    again: Again = ()


@dataclass(frozen=True, slots=True)
class Foreign:
    """A layout of networks that essmc does not have, so that a file is called what it is.

    Attributes:
        project: whose names they are, for the user.
        networks: returns the architectures, each with its arguments, that have exactly these names and shapes.
        advice: by architecture, what comes nearest.
    """

    project: str
    networks: Callable[[Shapes], Iterable[tuple[str, Mapping[str, Any]]]]
    advice: Mapping[str, str]


AnyLayout: TypeAlias = Layout | Derived | Foreign

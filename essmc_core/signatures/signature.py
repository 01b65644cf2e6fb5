"""What a component accepts: its parameters, as its source or the live object states them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Annotated, Any, get_origin

from essmc_core.contract import annotations as written


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING: Any = _Missing()
"""Stands for the default of a parameter that has none."""

PLAIN_MODULES = (
    "torch.nn.Module",
    "torch.nn.modules.module.Module",
    "essmc_core.TrainModule",
    "essmc_core.contract.module.TrainModule",
)
"""Classes whose constructor has ``**kwargs`` in its signature but accepts no arguments."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a component.

    Attributes:
        name: as written in configurations.
        annotation: source text of the annotation, or the annotation object; empty if there is none.
        default: source text of the default, :data:`MISSING` where the parameter is required.
        doc: its entry in the docstring.
    """

    name: str
    annotation: Any = ""
    default: Any = MISSING
    doc: str = ""

    @property
    def required(self) -> bool:
        """Whether the parameter has no default."""
        return self.default is MISSING

    @property
    def annotation_text(self) -> str:
        """The annotation as source text, the contract's aliases by their names."""
        if isinstance(self.annotation, str):
            return self.annotation
        text = _unqualified(self.annotation)
        for spelled, alias in _aliases().items():
            text = text.replace(spelled, alias)
        return text


@cache
def _aliases() -> dict[str, str]:
    """Returns the names of the contract's annotations by what Python writes for them."""
    aliases = {name: value for name, value in vars(written).items() if get_origin(value) is Annotated}
    return {_unqualified(value): name for name, value in aliases.items()}


def _unqualified(annotation: Any) -> str:
    return inspect.formatannotation(annotation).replace("typing.", "").replace("collections.abc.", "")


@dataclass(frozen=True, slots=True)
class Signature:
    """What a component accepts and where it is written.

    Attributes:
        name: name of the class or function.
        parameters: those a configuration may set, in order.
        takes_any: whether it has ``**kwargs``, so that unknown arguments cannot be detected.
        doc: docstring without indentation.
        file: source file, empty if there is none.
        line: 1-based line of the definition, 0 where unknown.
        static: whether it was read without importing the component.
    """

    name: str
    parameters: tuple[Parameter, ...] = ()
    takes_any: bool = False
    doc: str = ""
    file: str = ""
    line: int = 0
    static: bool = field(default=True, compare=False)

    def parameter(self, name: str) -> Parameter | None:
        """Returns the parameter of that name, None when there is none."""
        return next((parameter for parameter in self.parameters if parameter.name == name), None)

    @property
    def text(self) -> str:
        """The signature in Python's notation, without the component's name."""
        parts = []
        for parameter in self.parameters:
            annotation = f": {parameter.annotation_text}" if parameter.annotation != "" else ""
            equals = " = " if annotation else "="
            default = "" if parameter.required else f"{equals}{parameter.default}"
            parts.append(f"{parameter.name}{annotation}{default}")
        if self.takes_any:
            parts.append("**kwargs")
        return f"({', '.join(parts)})"

    @property
    def source(self) -> str:
        """``file:line`` of the definition."""
        return f"{self.file}:{self.line}" if self.file else ""

    def without(self, bound: Mapping[str, Any]) -> Signature:
        """Returns the signature without the arguments that a registration fixes."""
        if not bound:
            return self
        return replace(self, parameters=tuple(p for p in self.parameters if p.name not in bound))

"""The signature of a component, read from its source without importing it, or from the live object."""

from __future__ import annotations

import inspect
import re
import sys
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_origin

from essmc_core.registry.component import Component


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
"""Classes whose own constructor takes anything at run time and nothing in truth."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a component.

    Attributes:
        name: as written in configurations.
        annotation: source text of the annotation, or the annotation object; empty where there is none.
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
        """The annotation as one would write it."""
        if isinstance(self.annotation, str):
            return self.annotation
        return inspect.formatannotation(self.annotation)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a component accepts and where it is written.

    Attributes:
        name: name of the class or function.
        parameters: those a configuration may set, in order.
        takes_any: whether it has ``**kwargs``, so that unknown arguments cannot be told from known ones.
        doc: docstring without indentation.
        file: source file, empty where there is none.
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
        """The signature as Python would show it, without the component's name."""
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
        """Returns the signature less the arguments that a registration fixes."""
        if not bound:
            return self
        return replace(self, parameters=tuple(p for p in self.parameters if p.name not in bound))


def read_signature(component: Component) -> Signature:
    """Returns a component's signature with its docs, statically where its source can be found.

    Raises:
        ImportError: it cannot be read statically, and importing it fails.
    """
    from essmc_core.signatures.static import read_statically

    if isinstance(component.target, str):
        found = read_statically(component.target)
        if found is not None:
            return found.without(component.bound)
    return document(read_live(component.load()), component.load()).without(component.bound)


def read_live(target: Any) -> Signature:
    """Returns the signature of an imported class or function, docs left out; costs no parsing of source."""
    name = getattr(target, "__name__", repr(target))
    constructor = getattr(target, "__init__", None)
    if isinstance(target, type) and getattr(constructor, "__module__", "") == "torch.nn.modules.module":
        return Signature(name, static=False)
    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return Signature(name, takes_any=True, static=False)
    parameters, takes_any = [], False
    namespace = _namespace(target)
    for parameter in signature.parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_any = True
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            empty = inspect.Parameter.empty
            parameters.append(
                Parameter(
                    parameter.name,
                    "" if parameter.annotation is empty else _spelt_out(parameter.annotation, namespace),
                    MISSING if parameter.default is empty else repr(parameter.default),
                )
            )
    return Signature(name, tuple(parameters), takes_any, static=False)


def _namespace(target: Any) -> Mapping[str, Any]:
    """Returns the globals in which the annotations of a class's constructor, or of a function, were written."""
    function = inspect.unwrap(getattr(target, "__init__") if isinstance(target, type) else target)  # noqa: B009
    module = sys.modules.get(getattr(target, "__module__", "") or "")
    found: dict[str, Any] = getattr(function, "__globals__", None) or getattr(module, "__dict__", {})
    # The constructor of a dataclass has the annotations of its bases, which their modules understand.
    bases = target.__mro__[1:] if isinstance(target, type) else ()
    homes = (sys.modules.get(base.__module__) for base in bases)
    return ChainMap(found, *(vars(home) for home in homes if home is not None))


def _spelt_out(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    """Puts the choices in the place of a name that stands for them: ``Mode`` → ``Literal['train', 'test']``."""
    if not isinstance(annotation, str):
        return annotation

    def choices(name: re.Match[str]) -> str:
        named = namespace.get(name[0])
        return repr(named).removeprefix("typing.") if get_origin(named) is Literal else name[0]

    return re.sub(r"(?<![\w.'\"])[A-Za-z_]\w*(?![\w.'\"])", choices, annotation)


def document(signature: Signature, target: Any) -> Signature:
    """Adds docstrings and the place in the source to a signature read from a live object."""
    from essmc_core.signatures.docstring import parameter_docs

    doc = inspect.cleandoc(target.__doc__ or "")
    docs: dict[str, str] = {}
    for owner in reversed(target.__mro__ if isinstance(target, type) else (target,)):
        for documented in (vars(owner).get("__init__"), owner) if isinstance(owner, type) else (owner,):
            docs.update(parameter_docs(inspect.cleandoc(getattr(documented, "__doc__", None) or "")))
    try:
        file, line = inspect.getsourcefile(target) or "", inspect.getsourcelines(target)[1]
    except (OSError, TypeError):
        file, line = "", 0
    parameters = tuple(replace(p, doc=docs.get(p.name, "")) for p in signature.parameters)
    return replace(signature, parameters=parameters, doc=doc, file=file, line=line)

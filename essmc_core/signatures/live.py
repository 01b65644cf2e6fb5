"""Signatures of live objects, read without parsing source."""

from __future__ import annotations

import inspect
import re
import sys
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_origin

from essmc_core.signatures.docstring import parameter_docs
from essmc_core.signatures.signature import MISSING, Parameter, Signature


def read_live(target: Any) -> Signature:
    """Returns the signature of an imported class or function without docs; no source is parsed."""
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
    # The constructor of a dataclass has annotations of its bases, which refer to the globals of their modules.
    bases = target.__mro__[1:] if isinstance(target, type) else ()
    homes = (sys.modules.get(base.__module__) for base in bases)
    return ChainMap(found, *(vars(home) for home in homes if home is not None))


def _spelt_out(annotation: Any, namespace: Mapping[str, Any]) -> Any:
    """Replaces the name of a `Literal` alias by its choices: ``Mode`` → ``Literal['train', 'test']``."""
    if not isinstance(annotation, str):
        return annotation

    def choices(name: re.Match[str]) -> str:
        named = namespace.get(name[0])
        return repr(named).removeprefix("typing.") if get_origin(named) is Literal else name[0]

    return re.sub(r"(?<![\w.'\"])[A-Za-z_]\w*(?![\w.'\"])", choices, annotation)


def document(signature: Signature, target: Any) -> Signature:
    """Adds docstrings and the place in the source to a signature read from a live object."""
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

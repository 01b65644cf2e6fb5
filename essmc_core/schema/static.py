"""Signatures from source text: griffe parses the module, nothing of it runs."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.schema.docstring import parameter_docs
from essmc_core.schema.signature import MISSING, Parameter, Signature

if TYPE_CHECKING:
    import griffe

_MAX_HOPS = 20


@functools.lru_cache(maxsize=512)
def read_statically(target: str) -> Signature | None:
    """Returns the signature of ``"package.module:attribute"``, None where the source does not tell.

    Functions defined by assignment, classes whose constructor comes from another package, and modules without
    source are not told.
    """
    module, _, attribute = target.partition(":")
    found = _find(f"{module}.{attribute}", _MAX_HOPS)
    if found is None:
        return None
    if found.is_function:
        return _signature(found, found, skip_self=False)
    if not found.is_class:
        return None
    if _is_dataclass(found):
        return None
    constructor = _constructor(found, _MAX_HOPS)
    return None if constructor is None else _signature(found, constructor, skip_self=True)


@functools.lru_cache(maxsize=1)
def _loader() -> griffe.GriffeLoader:
    import griffe

    # griffe warns about annotations it cannot resolve in packages that are none of the user's business.
    logging.getLogger("griffe").setLevel(logging.ERROR)
    return griffe.GriffeLoader(allow_inspection=False)


def _find(path: str, hops: int) -> Any:
    """Returns griffe's object of a dotted path, following re-exports; None where there is no source."""
    if hops == 0:
        return None
    parts = path.split(".")
    for split in range(len(parts) - 1, 0, -1):
        module = _module(".".join(parts[:split]))
        if module is None:
            continue
        found: Any = module
        for part in parts[split:]:
            if part not in found.members:
                return None
            found = found.members[part]
            if found.is_alias:
                rest = ".".join(parts[parts.index(part, split) + 1 :])
                return _find(found.target_path + (f".{rest}" if rest else ""), hops - 1)
        return found
    return None


def _module(path: str) -> Any:
    loader = _loader()
    try:
        found = loader.modules_collection.get_member(path)
        if found.is_module:
            return found
    except KeyError:
        pass
    try:
        found = loader.load(path, submodules=False, try_relative_path=False)
    # griffe raises its own errors, ImportError, SyntaxError and OSError; each means that the source does not tell.
    except Exception:
        return None
    return found if found.is_module else None


def _is_dataclass(found: Any) -> bool:
    return any("dataclass" in str(decorator.value) for decorator in found.decorators)


def _constructor(found: Any, hops: int) -> Any:
    if "__init__" in found.members:
        return found.members["__init__"]
    for base in found.bases:
        path = getattr(base, "canonical_path", str(base))
        parent = _find(path, hops - 1) if hops else None
        if parent is not None and parent.is_class:
            constructor = _constructor(parent, hops - 1)
            if constructor is not None:
                return constructor
    return None


def _signature(owner: Any, function: Any, skip_self: bool) -> Signature:
    import griffe

    doc = "" if owner.docstring is None else owner.docstring.value
    docs = parameter_docs(doc)
    if function is not owner and function.docstring is not None:
        docs = {**parameter_docs(function.docstring.value), **docs}
    parameters, takes_any = [], False
    for parameter in list(function.parameters)[1 if skip_self else 0 :]:
        if parameter.kind is griffe.ParameterKind.var_keyword:
            takes_any = True
        elif parameter.kind is not griffe.ParameterKind.var_positional:
            parameters.append(
                Parameter(
                    parameter.name,
                    "" if parameter.annotation is None else str(parameter.annotation),
                    MISSING if parameter.default is None else str(parameter.default),
                    docs.get(parameter.name, ""),
                )
            )
    file = owner.filepath if isinstance(owner.filepath, Path) else ""
    return Signature(owner.name, tuple(parameters), takes_any, doc, str(file), owner.lineno or 0)

"""Signatures from source text: griffe parses the module, none of its code runs."""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from essmc_core.signatures.docstring import parameter_docs
from essmc_core.signatures.signature import MISSING, PLAIN_MODULES, Parameter, Signature
from essmc_core.signatures.source_files import source_file

if TYPE_CHECKING:
    import griffe

_MAX_HOPS = 20
_WITHOUT_ARGUMENTS = ("object", "abc.ABC", "typing.Generic", "typing.Protocol", *PLAIN_MODULES)


@functools.lru_cache(maxsize=512)
def read_statically(target: str) -> Signature | None:
    """Returns the signature of ``"package.module:attribute"``, None if the source does not determine it.

    It does not for functions defined by assignment, classes with a base that cannot be read, and modules without
    source.
    """
    module, _, attribute = target.partition(":")
    found = _find(f"{module}.{attribute}", _MAX_HOPS)
    if found is None:
        return None
    if found.is_function:
        return _signature(found, found)
    if not found.is_class:
        return None
    if _is_dataclass(found):
        return _assemble(found, list(_fields(found, _MAX_HOPS).values()))
    constructor = _constructor(found, _MAX_HOPS)
    return None if constructor is None else _signature(found, constructor.function)


def class_attribute(target: Any, name: str) -> Any:
    """Returns the literal that a class or one of its bases assigns to an attribute in its body, None if there is none.

    Args:
        target: ``"package.module:attribute"``, or the class itself.
        name: of the attribute.
    """
    if not isinstance(target, str):
        return getattr(target, name, None)
    module, _, attribute = target.partition(":")
    text = _attribute_text(_find(f"{module}.{attribute}", _MAX_HOPS), name, _MAX_HOPS)
    try:
        return None if text is None else ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _attribute_text(found: Any, name: str, hops: int) -> str | None:
    if found is None or not found.is_class or not hops:
        return None
    member = found.members.get(name)
    if member is not None:
        return str(member.value) if member.is_attribute and member.value is not None else None
    texts = (_attribute_text(_find(_path_of(base), hops - 1), name, hops - 1) for base in found.bases)
    return next((text for text in texts if text is not None), None)


def _find(path: str, hops: int) -> Any:
    """Returns griffe's object of a dotted path, following re-exports; None if there is no source."""
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


@functools.lru_cache(maxsize=512)
def _module(path: str) -> griffe.Module | None:
    """Parses one module; its parents are parsed too, for relative imports to be resolved against."""
    import griffe

    file = source_file(path)
    if file is None:
        return None
    above, _, name = path.rpartition(".")
    parent = _module(above) if above else None
    if above and parent is None:
        return None
    try:
        module = griffe.visit(name, filepath=file, code=file.read_text(encoding="utf-8"), parent=parent)
    except (OSError, UnicodeDecodeError, SyntaxError):
        return None
    if parent is not None:
        parent.set_member(name, module)
    return module


def _is_dataclass(found: Any) -> bool:
    return any("dataclass" in str(decorator.value) for decorator in found.decorators)


@dataclass(frozen=True, slots=True)
class _Constructor:
    """Where the constructor of a class is defined: nowhere for a plain ``torch.nn.Module``."""

    function: Any = None


def _constructor(found: Any, hops: int) -> _Constructor | None:
    """Returns the constructor that a class has or inherits, None if a base cannot be read."""
    if "__init__" in found.members:
        return _Constructor(found.members["__init__"])
    for base in found.bases:
        if _path_of(base) in _WITHOUT_ARGUMENTS:
            continue
        parent = _find(_path_of(base), hops - 1) if hops else None
        inherited = _constructor(parent, hops - 1) if parent is not None and parent.is_class else None
        if inherited is None or inherited.function is not None:
            return inherited
    return _Constructor()


def _path_of(base: Any) -> str:
    """Returns the dotted path of a base class, without subscripts."""
    return str(getattr(base, "canonical_path", base)).partition("[")[0]


def _docs(owner: Any, hops: int) -> dict[str, str]:
    """Returns the doc of each parameter; a class that does not repeat its base's docs inherits them."""
    docs: dict[str, str] = {}
    if owner.is_class and hops:
        for base in reversed(owner.bases):
            parent = None if _path_of(base) in _WITHOUT_ARGUMENTS else _find(_path_of(base), hops - 1)
            if parent is not None and parent.is_class:
                docs.update(_docs(parent, hops - 1))
    constructor = owner.members.get("__init__") if owner.is_class else None
    for documented in (constructor, owner):
        if documented is not None and documented.docstring is not None:
            docs.update(parameter_docs(documented.docstring.value))
    return docs


def _fields(found: Any, hops: int) -> dict[str, Parameter]:
    """Returns a dataclass's arguments: annotated attributes of its bases, then its own, in `dataclasses`' order."""
    fields: dict[str, Parameter] = {}
    for base in found.bases if hops else ():
        parent = None if _path_of(base) in _WITHOUT_ARGUMENTS else _find(_path_of(base), hops - 1)
        if parent is not None and parent.is_class and _is_dataclass(parent):
            fields.update(_fields(parent, hops - 1))
    bodies = [(member.lineno, member.endlineno) for member in found.members.values() if member.is_function]
    for name, member in found.members.items():
        # griffe removes `ClassVar` from the annotation and then does not set this label.
        if not member.is_attribute or member.annotation is None or "instance-attribute" not in member.labels:
            continue
        if any(start <= member.lineno <= end for start, end in bodies):
            continue
        default = MISSING if member.value is None else str(member.value)
        if default is MISSING or "init=False" not in default:
            fields[name] = Parameter(name, _spelt_out(member.annotation), default)
    return fields


def _spelt_out(annotation: Any) -> str:
    """Returns the text of an annotation, with the names of `Literal` aliases replaced by their choices."""
    import griffe

    if not isinstance(annotation, griffe.Expr):
        return str(annotation)
    parts = annotation.iterate(flat=True)
    return "".join(_choices(part) if isinstance(part, griffe.ExprName) else str(part) for part in parts)


def _choices(name: griffe.ExprName) -> str:
    path = name.canonical_path
    home = getattr(name.parent, "canonical_path", "")
    if path.partition(".")[0] == home.partition(".")[0] and "." in path:
        found = _find(path, _MAX_HOPS)
        value = "" if found is None or not found.is_attribute else str(found.value)
        if value.startswith("Literal["):
            return value
    return str(name)


def _assemble(owner: Any, parameters: list[Parameter], takes_any: bool = False) -> Signature:
    docs = _docs(owner, _MAX_HOPS)
    documented = tuple(replace(parameter, doc=docs.get(parameter.name, "")) for parameter in parameters)
    file = owner.filepath if isinstance(owner.filepath, Path) else ""
    doc = "" if owner.docstring is None else owner.docstring.value
    return Signature(owner.name, documented, takes_any, doc, str(file), owner.lineno or 0)


def _signature(owner: Any, function: Any) -> Signature:
    import griffe

    parameters, takes_any = [], False
    written = [] if function is None else list(function.parameters)[1 if owner.is_class else 0 :]
    for parameter in written:
        if parameter.kind is griffe.ParameterKind.var_keyword:
            takes_any = True
        elif parameter.kind is not griffe.ParameterKind.var_positional:
            annotation = "" if parameter.annotation is None else _spelt_out(parameter.annotation)
            default = MISSING if parameter.default is None else str(parameter.default)
            parameters.append(Parameter(parameter.name, annotation, default))
    return _assemble(owner, parameters, takes_any)


def names_in(path: str) -> list[str]:
    """Returns the names that a module defines and imports, read from its source; empty if it has none."""
    module = _module(path)
    return [] if module is None else list(module.members)

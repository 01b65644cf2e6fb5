"""Checks of how a component is declared: target, signature, annotations, defaults, docstring, stub."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from typing import Any

from essmc_core import REGISTRIES
from essmc_core.config import Config
from essmc_core.errors import EssmcError
from essmc_core.models.defaults import DISCOVERY
from essmc_core.models.recipes import check_config
from essmc_core.registry.component import Component
from essmc_core.registry.reading import live_signature, read_signature
from essmc_core.signatures.signature import MISSING, Parameter
from essmc_core.signatures.types import evaluate, union_members
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.subject import Subject
from essmc_devkit.problem import Problem

COMPUTING = ("models", "backbones", "necks", "heads", "bricks", "losses", "metrics")
"""Kinds whose components take and return tensors, so that their docs state shapes."""
_SHAPE = re.compile(r"\(\s*[A-Z]\w*\s*[,)]|\bscalar\b|\bshape\b", re.ASCII)
_OF_LIBRARIES = ("optimizers", "lr_schedulers")
"""Kinds of which most are another library's, each with arguments that go together and machines that it needs."""
_UNSAYING = ("Any", "object", "typing.Any")


@check("component.target")
def target(subject: Subject) -> Iterator[Problem]:
    """The code that the name stands for can be imported, and called."""
    found = subject.component.load()
    if not callable(found) and subject.kind != "key_maps":
        yield Problem(f"its target is a {type(found).__name__}", "register a class or a function")


@check("component.signature")
def signature(subject: Subject) -> Iterator[Problem]:
    """What the source says it accepts, which validation reads, is what it accepts."""
    component = _own(subject)
    if not isinstance(component.target, str):
        raise NotChecked("it is registered as an object, whose source is not read")
    static, live = read_signature(component), live_signature(component)
    if not static.static:
        yield Problem(
            f"the source of {component.target} was not found without importing it",
            "define the class or function at the top of the module that the target names, or import it from there",
        )
    names, live_names = [p.name for p in static.parameters], [p.name for p in live.parameters]
    if names != live_names:
        yield Problem(
            f"its source takes ({', '.join(names)}), the imported object ({', '.join(live_names)})",
            "leave out decorators that change the signature, or keep it with functools.wraps",
        )
        return
    for ours, theirs in zip(static.parameters, live.parameters, strict=True):
        required = ours.default is MISSING, theirs.default is MISSING
        types = evaluate(ours.annotation, REGISTRIES), evaluate(theirs.annotation, REGISTRIES)
        if required[0] != required[1] or types[0] != types[1]:
            yield Problem(
                f"{ours.name} is `{ours.annotation_text}` in its source and `{theirs.annotation_text}` imported",
                "write the annotation and the default where the parameter is",
            )


@check("component.annotations")
def annotated(subject: Subject) -> Iterator[Problem]:
    """Every argument has a type that configurations can be checked against."""
    for parameter in read_signature(_own(subject)).parameters:
        text = parameter.annotation_text if parameter.annotation != "" else ""
        if not text:
            yield Problem(f"{parameter.name} has no annotation", f"annotate it, e.g. `{parameter.name}: int`")
        elif text not in _UNSAYING and not _checkable(parameter):
            yield Problem(
                f"no configuration can be checked against `{parameter.name}: {text}`",
                "use int, float, bool, str, sequences and mappings of them, Literal, or for a component inside it "
                "the name of its kind: essmc_core.Backbone, Head, Loss …",
                "failed" if parameter.required else "warning",
            )


def _checkable(parameter: Parameter) -> bool:
    """Returns whether a configuration can be checked against one form of an argument, or may leave it at None."""
    if parameter.default is not MISSING and str(parameter.default) == "None":
        return True
    text = parameter.annotation_text
    members = ast.parse(text, mode="eval").body if isinstance(parameter.annotation, str) else None
    forms = [ast.unparse(one) for one in union_members(members)] if members is not None else [parameter.annotation]
    return any(evaluate(one, REGISTRIES) is not Any for one in forms)


@check("component.arguments")
def arguments(subject: Subject) -> Iterator[Problem]:
    """No misspelt argument is swallowed, no default is shared between objects."""
    component = _own(subject)
    # What passes them on to another library registers a check that knows what that one takes.
    if read_signature(component).takes_any and not component.check:
        yield Problem(
            "**kwargs swallow misspelt arguments",
            "name every argument that a configuration may set, or register a `check` of those that are passed on",
        )
    found: Any = component.load()
    try:
        parameters = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):
        return
    for parameter in parameters:
        if isinstance(parameter.default, (list, dict, set, bytearray)):
            yield Problem(
                f"{parameter.name} has the mutable default {parameter.default!r:.60}, one for all objects",
                "use a tuple, or None and make it inside",
            )


@check("component.docstring")
def docstring(subject: Subject) -> Iterator[Problem]:
    """The docs have a summary, name each argument and, where tensors come and go, their shapes."""
    component = _own(subject)
    found: Any = component.load()
    written = read_signature(component)
    if not written.doc.strip():
        yield Problem("it has no docstring", "write a line that says what it is, and one for each argument")
        return
    unnamed = [parameter.name for parameter in written.parameters if not parameter.doc]
    if unnamed:
        yield Problem(f"the docs do not name {', '.join(unnamed)}", "add them under `Args:`", "warning")
    if subject.kind in COMPUTING and not _SHAPE.search(_all_docs(found)):
        yield Problem("the docs state no shape", "say what goes in and what comes out: (N, dim) → (N, num_classes)")


@check("component.stub")
def stub(subject: Subject) -> Iterator[Problem]:
    """The stub that `essmc show --yaml` prints is valid, and builds the component."""
    import yaml

    component = _own(subject)
    name = component.name if component.bare else component.qualified
    text = REGISTRIES[subject.kind].stub(name)
    written = yaml.safe_load(text)
    filled = {**written, **subject.config, "type": name}
    try:
        check_config(subject.kind, Config.from_mapping(filled), read_signature)
    except EssmcError as error:
        _excuse_guesses(subject, error)
        yield Problem(f"filled in, its stub is refused: {brief(error)}", "let each default pass the check of its type")


@check("component.builds")
def builds(subject: Subject) -> Iterator[Problem]:
    """It can be built."""
    if not callable(subject.component.load()):
        raise NotChecked("it is data")
    seen = subject.watched
    if isinstance(seen.error, EssmcError):
        _excuse_guesses(subject, seen.error)
    if (
        seen.error is not None
        and subject.kind in _OF_LIBRARIES
        and not isinstance(seen.error, (EssmcError, NotChecked))
    ):
        raise NotChecked(f"with the arguments that were found it says {brief(seen.error)}")
    if seen.error is not None:
        raise seen.error
    if seen.is_nothing:
        yield Problem("its constructor returns None", "return what was built")


DECLARED = (target, signature, annotated, arguments, docstring, stub)


def _excuse_guesses(subject: Subject, error: EssmcError) -> None:
    """Raises `NotChecked` where arguments were refused that nobody stated, which may not go together."""
    if subject.guessed:
        raise NotChecked(f"with {', '.join(subject.guessed)} as guessed it says {brief(error)}") from None


def _own(subject: Subject) -> Component:
    """Returns the component.

    Raises:
        NotChecked: its code is another library's, or it is data.
    """
    component = subject.component
    if not callable(component.load()):
        raise NotChecked("it is data")
    if other := is_of_another(component):
        raise NotChecked(f"its code is that of {other}")
    return component


def is_of_another(component: Component) -> str:
    """Returns the distribution that a component's code is of, where that is not its pack; empty if it is."""
    module = str(component.target).partition(":")[0] if isinstance(component.target, str) else ""
    others = _distributions_of().get(module.partition(".")[0], [])
    pack = DISCOVERY.packs.get(component.distribution)
    if module and others and pack is not None and pack.distribution not in map(_normal, others):
        return others[0]
    return ""


@cache
def _distributions_of() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _all_docs(found: Any) -> str:
    """Returns the docs of a class with its methods and bases, or of a function."""
    if not isinstance(found, type):
        return inspect.getdoc(found) or ""
    owners = [owner for owner in found.__mro__ if not owner.__module__.startswith(("torch.", "builtins"))]
    methods = ("__init__", "__call__", "forward", "forward_train", "forward_test", "forward_features")
    written = [one.__doc__ for owner in owners for one in (owner, *map(vars(owner).get, methods)) if one is not None]
    return "\n".join(text for text in written if text)

"""Old names of functions, arguments and attributes: they work until a stated version, and warn where they are used.

docs/compatibility.md says how long they stay, and lists those that there are.
"""

from __future__ import annotations

import functools
import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from essmc_core.errors import CoreDeprecationWarning

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Target = TypeVar("Target", bound=Callable[..., Any])


def deprecated(*, instead: str, removal: str) -> Callable[[Target], Target]:
    """Decorates a function, method or class that goes.

    Args:
        instead: what to use, e.g. ``essmc_core.build_model``.
        removal: version of the core that does not have it any more.

    Returns:
        The decorator. Calls, and subclasses of a class, warn at the line of the caller.
    """
    from typing_extensions import deprecated as deprecated_by_pep_702

    def decorate(target: Target) -> Target:
        name = f"{target.__module__}.{target.__qualname__}"
        return deprecated_by_pep_702(_message(name, instead, removal), category=CoreDeprecationWarning)(target)

    return decorate


def renamed_argument(
    old: str, new: str, *, removal: str
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorates a function one of whose arguments has another name now; the old one works as a keyword.

    Args:
        old: the name that goes.
        new: the name in the signature.
        removal: version of the core that does not take the old name any more.

    Returns:
        The decorator. Calls with both names raise a `TypeError`.
    """

    def decorate(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        called = f"{function.__module__}.{function.__qualname__}"

        @functools.wraps(function)
        def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if old in kwargs:
                if new in kwargs:
                    raise TypeError(f"{function.__name__}() got {new!r} and its old name {old!r}")
                _warn(f"the argument {old!r} of {called}", repr(new), removal)
                kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return wrapper

    return decorate


def moved(module: str, names: Mapping[str, str], *, removal: str) -> Callable[[str], Any]:
    """Returns what a module takes as its ``__getattr__``, so that what has moved is found by its old name.

    Args:
        module: name of the module that had the attributes.
        names: ``"package.module:attribute"`` by old name.
        removal: version of the core in which the old place is gone.
    """

    def find(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        target, _, attribute = names[name].partition(":")
        _warn(f"{module}.{name}", f"{target}.{attribute}", removal)
        return getattr(importlib.import_module(target), attribute)

    return find


def _warn(what: str, instead: str, removal: str) -> None:
    # Three frames up: this function, the wrapper, and the caller whose line is to be changed.
    warnings.warn(_message(what, instead, removal), CoreDeprecationWarning, stacklevel=3)


def _message(what: str, instead: str, removal: str) -> str:
    return f"{what} is deprecated and goes in essmc-core {removal}; use {instead}"

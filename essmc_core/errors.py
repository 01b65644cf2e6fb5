"""Every exception that the core raises deliberately, with message, place and hint."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from essmc_core.location import Location


class EssmcError(Exception):
    """Base of all deliberate errors.

    Args:
        message: what was wrong, in one sentence.
        where: the place in a file that caused it.
        hint: what to do about it.
    """

    def __init__(self, message: str, *, where: Location | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        located = f"{self.where}: {self.message}" if self.where else self.message
        return f"{located}\n  {self.hint}" if self.hint else located

    # Exceptions are pickled between processes; by default that keeps positional arguments only.
    def __reduce__(self) -> tuple[object, ...]:
        state = {**self.__dict__, **_built_in_state(self)}
        return (_rebuild, (type(self), self.args, {name: _portable(value) for name, value in state.items()}))


class CoreDeprecationWarning(DeprecationWarning):
    """Code uses something of the core that goes in a later version; a class of its own, so that filters can name it."""


def _built_in_state(error: BaseException) -> dict[str, object]:
    """Returns the attributes that built-in exceptions store outside their ``__dict__``."""
    names = [name for kind, kept in _BUILT_IN_ATTRIBUTES.items() if isinstance(error, kind) for name in kept]
    return {name: value for name in names if (value := getattr(error, name, None)) is not None}


def _portable(value: object) -> object:
    """Returns a value unchanged, or its text if it cannot be pickled: a file, a lock, a closure."""
    try:
        pickle.dumps(value)
    # An exception raised by pickling an attribute must not hide the error itself.
    except Exception:
        return repr(value)
    return value


_BUILT_IN_ATTRIBUTES: dict[type[BaseException], tuple[str, ...]] = {
    ImportError: ("name", "path"),
    OSError: ("errno", "strerror", "filename", "filename2"),
}


def _rebuild(cls: type[EssmcError], args: tuple[object, ...], state: dict[str, object]) -> EssmcError:
    # Of several built-in bases only the one with the instance layout of the class can create an instance.
    base: type[Any] = cls
    while base.__module__ != "builtins" and base.__base__ is not None:
        base = base.__base__
    error: EssmcError = cast("Any", base).__new__(cls, *args)
    error.args = args
    for name, value in state.items():
        setattr(error, name, value)
    return error


class ConfigError(EssmcError, ValueError):
    """A configuration that cannot be used as written."""


class ConfigFileNotFound(ConfigError, FileNotFoundError):
    """A configuration file, or a file named in ``_base_``, does not exist."""


class ConfigSyntaxError(ConfigError):
    """A file that is not in the YAML subset of configurations."""


class ConfigCycle(ConfigError):
    """Files that name each other in ``_base_``."""


class OverrideError(ConfigError):
    """A dotted override that cannot be applied."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One mistake in a configuration tree.

    Attributes:
        path: dotted path of the value, e.g. ``model.head.num_classes``.
        message: what was wrong.
        where: file, line and column, if the value came from a file.
        hint: what to do.
    """

    path: str
    message: str
    where: Location | None = None
    hint: str = ""

    def __str__(self) -> str:
        prefix = f"{self.where}: " if self.where else ""
        suffix = f" ({self.hint})" if self.hint else ""
        return f"{prefix}{self.path}: {self.message}{suffix}"


class SchemaError(ConfigError):
    """A configuration that does not fit the components it names; lists every mistake.

    Args:
        issues: all mistakes, in the order of the file.
    """

    def __init__(self, issues: Sequence[Issue]) -> None:
        count = len(issues)
        title = "1 mistake in the configuration" if count == 1 else f"{count} mistakes in the configuration"
        super().__init__("\n".join([title + ":", *(f"  {issue}" for issue in issues)]))
        self.issues = tuple(issues)


class LookupFailure(EssmcError, KeyError):
    """A name that could not be resolved; ``str()`` is the message, unlike KeyError's quoted form."""

    __str__ = EssmcError.__str__


class UnknownComponent(LookupFailure):
    """No installed pack, and no user code, registered this name."""


class AmbiguousComponent(LookupFailure):
    """Several packs offer this bare name and no pin chooses between them."""


class DuplicateComponent(EssmcError, ValueError):
    """One pack registered the same name twice."""


class UnknownModel(LookupFailure):
    """No zoo entry has this name."""


class UnknownPack(LookupFailure):
    """No installed pack has this name."""


class UnknownDataset(LookupFailure):
    """No zoo model has results on a data set of this name."""


class BrokenPack(EssmcError, ImportError):
    """A pack was installed but quarantined; chained to the error that broke it."""


class MissingDependency(EssmcError, ImportError):
    """An optional library is needed for this call and is not installed."""


class TargetImportError(EssmcError, ImportError):
    """The code that a pack registered cannot be imported; chained to what its import raised."""


class TargetModuleMissing(TargetImportError, ModuleNotFoundError):
    """The module of a target, or one that it imports, is not installed.

    Args:
        message: what was wrong.
        where: the line that imports it.
        hint: what to install.
        module: the missing module, available as ``name`` as in ``ModuleNotFoundError``.
    """

    def __init__(self, message: str, *, where: Location | None = None, hint: str = "", module: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.name = module


class TargetAttributeMissing(TargetImportError):
    """The module of a target has no such class or function."""


class WeightsError(EssmcError):
    """Weights that cannot be used."""


class WeightsNotFound(WeightsError, FileNotFoundError):
    """The weights' file, package or URL does not exist or cannot be reached."""


class WeightsCorrupt(WeightsError):
    """The weights' file is truncated or not in a readable format."""


class WeightsHashMismatch(WeightsCorrupt):
    """The weights' file does not have the sha256 its entry states."""


class UnsafeWeights(WeightsError):
    """A pickle that would execute code; it is not loaded."""


class WeightsMismatch(WeightsError):
    """Too little of the weights fits the model; its ``report`` (a ``LoadReport``) lists what did not."""

    report: Any = None


class FingerprintMismatch(WeightsError):
    """A model with its weights computes something else than its entry states."""


class FingerprintUnknown(WeightsError):
    """Weights are to be checked for which nothing is stated that they could be compared with."""


class ContractError(EssmcError, TypeError):
    """A model returned something that violates the contract with solvers."""


class NonFiniteOutput(EssmcError, ArithmeticError):
    """A model returned NaN or infinity where probabilities were expected."""


class InputError(EssmcError, ValueError):
    """A file or tensor that the model cannot take; the message states what it takes."""


class UnreadableInput(InputError):
    """A file that is missing, empty, damaged or of another kind; a data set's ``on_error`` controls its handling."""

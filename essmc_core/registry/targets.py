"""Imports the target of a registration; any failure becomes one error that names pack and target."""

from __future__ import annotations

import importlib
import os
import traceback
from typing import Any

from essmc_core.errors import EssmcError, TargetAttributeMissing, TargetImportError, TargetModuleMissing
from essmc_core.foundation.error_text import add_note, brief
from essmc_core.foundation.names import did_you_mean
from essmc_core.location import Location
from essmc_core.registry.import_lock import is_imported, one_import_at_a_time


def import_target(target: str, subject: str, distribution: str) -> Any:
    """Imports ``package.module:attribute`` and returns the attribute.

    Args:
        target: what to import.
        subject: what it belongs to, for messages, e.g. ``video/ResNet3D (backbones)``.
        distribution: distribution of the pack that registered it.

    Raises:
        TargetModuleMissing: the module, or one that it imports, is not installed.
        TargetAttributeMissing: the module has no such attribute.
        TargetImportError: importing the module failed for another reason.
        EssmcError: the module itself raised it; a note is added.
    """
    module, _, attribute = target.partition(":")
    try:
        found = _imported(module)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except EssmcError as error:
        add_note(error, f"while importing {subject} of {distribution}, target {target}")
        raise
    # SystemExit and similar exceptions from a third-party module must not end the user's program.
    except BaseException as error:
        raise _explained(error, target, subject, distribution) from error
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError as error:
        raise _without_attribute(found, part, target, subject, distribution) from error
    # A module may import an attribute lazily, on access.
    except Exception as error:
        raise _explained(error, target, subject, distribution) from error
    if not callable(found):
        message = f"{subject} of {distribution} cannot be used: its target {target} is {type(found).__name__!r}"
        raise TargetImportError(message, hint="a target is a class or a function")
    return found


def is_target(source: str | os.PathLike[str]) -> bool:
    """Returns whether something that may also be a path is written ``package.module:attribute``."""
    module, separator, attribute = str(source).partition(":")
    return bool(separator) and attribute.isidentifier() and all(map(str.isidentifier, module.split(".")))


def _imported(module: str) -> Any:
    if is_imported(module):
        return importlib.import_module(module)
    with one_import_at_a_time():
        return importlib.import_module(module)


def _explained(error: BaseException, target: str, subject: str, distribution: str) -> TargetImportError:
    from essmc_core.registry.missing_modules import first_missing, nearest_module, remedy_of_missing

    module = target.partition(":")[0]
    start = f"{subject} of {distribution} cannot be imported: "
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        hint = f"its target is {target}; ESSMC_DEBUG=1 shows the whole traceback"
        return TargetImportError(f"{start}{brief(error)}", where=_place(error), hint=hint)
    missing = error.name
    if missing == module or module.startswith(f"{missing}."):
        suggestion = nearest_module(module)
        message = f"{start}its target {target} names the module {first_missing(module)!r}, which does not exist"
        hint = f"mend the pack, or install it anew: pip install --force-reinstall {distribution}"
        return TargetModuleMissing(message + (f"; {suggestion}" if suggestion else ""), hint=hint, module=missing)
    own = missing.partition(".")[0] == module.partition(".")[0]
    hint = nearest_module(missing) if own else remedy_of_missing(missing, distribution)
    message = f"{start}its target {target} needs the module {missing!r}, which is not installed"
    return TargetModuleMissing(message, where=_place(error), hint=hint, module=missing)


def _without_attribute(owner: Any, part: str, target: str, subject: str, distribution: str) -> TargetAttributeMissing:
    holder = getattr(owner, "__name__", type(owner).__name__)
    suggestion = did_you_mean(part, (name for name in dir(owner) if not name.startswith("__")))
    message = f"{subject} of {distribution} cannot be imported: its target {target} names {part!r}, "
    message += f"which {holder} does not have" + (f"; {suggestion}" if suggestion else "")
    file = getattr(owner, "__file__", None)
    return TargetAttributeMissing(message, where=Location(file) if isinstance(file, str) else None)


def _place(error: BaseException) -> Location | None:
    """Returns where the error was raised, in the code that was being imported."""
    if isinstance(error, SyntaxError) and error.filename:
        return Location(error.filename, error.lineno or 0)
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not frame.filename.startswith("<frozen importlib") and frame.filename not in (__file__, importlib.__file__):
            return Location(frame.filename, frame.lineno or 0)
    return None

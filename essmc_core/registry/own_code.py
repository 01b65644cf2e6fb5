"""The user's own code: files and packages that are imported so that their decorators register components."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

from essmc_core.errors import ConfigError, EssmcError
from essmc_core.foundation.error_text import text_of
from essmc_core.location import Location
from essmc_core.registry.project_file import project_table

VARIABLE = "ESSMC_CODE"
"""Names what every process imports when it imports the core, separated like the folders of PATH."""


class OwnCodeError(EssmcError, ImportError):
    """A file or package of the user's own code cannot be imported."""


def import_own_code(place: str | os.PathLike[str], where: Location | None = None) -> ModuleType:
    """Imports a file, the folder of a package, or a module by its name, once.

    A file in a package is imported as a module of that package. The folder that the module is found in is added at the
    end of ``sys.path``, so that other processes find it when they unpickle what it defines.

    Args:
        place: ``my_code.py``, ``folder/with/__init__``, or an importable name such as ``my.code``.
        where: where it was written, for messages.

    Raises:
        OwnCodeError: there is no such code, its name belongs to another module, or importing it fails.
    """
    text = os.fspath(place)
    if not (text.endswith(".py") or os.sep in text or "/" in text or Path(text).is_dir()):
        return _imported(text, None, where)
    path = Path(text).expanduser().resolve()
    file = path / "__init__.py" if path.is_dir() else path
    if not file.is_file() or file.suffix != ".py":
        raise OwnCodeError(
            f"there is no code at {path}", where=where, hint="name a .py file, or a folder with an __init__.py in it"
        )
    running = _running_as_script(file)
    if running is not None:
        return running
    folder, name = _module_of(file)
    _require_own_name(folder, name, file, where)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return _imported(name, file, where)


def share_with_processes(place: str) -> None:
    """Has every process that this one starts import the code too."""
    stated = named_in_environment()
    absolute = str(Path(place).expanduser().resolve()) if Path(place).exists() else place
    if absolute not in stated:
        os.environ[VARIABLE] = os.pathsep.join([*stated, absolute])


def named_in_environment() -> list[str]:
    """Returns the places that ``ESSMC_CODE`` names."""
    return [part.strip() for part in os.environ.get(VARIABLE, "").split(os.pathsep) if part.strip()]


def import_named_in_environment() -> list[EssmcError]:
    """Imports what ``ESSMC_CODE`` names, and returns the errors of what cannot be imported."""
    errors: list[EssmcError] = []
    for place in named_in_environment():
        try:
            import_own_code(place, Location(VARIABLE))
        except OwnCodeError as error:
            errors.append(error)
    return errors


def named_in_project() -> list[tuple[str, Location]]:
    """Returns the places that ``[tool.essmc] code`` of the nearest ``pyproject.toml`` names, and where it does.

    Raises:
        ConfigError: it is not a list of texts, or the file is not TOML.
    """
    project = project_table()
    if project is None:
        return []
    places = checked_places(project.values.get("code", []), project.where)
    return [(beside(project.file.parent, place), project.where) for place in places]


def checked_places(value: object, where: Location | None) -> list[str]:
    """Returns the places that a value of ``code`` names.

    Raises:
        ConfigError: it is neither a text nor a list of texts.
    """
    places = [value] if isinstance(value, str) else value
    if isinstance(places, Sequence) and all(isinstance(place, str) and place.strip() for place in places):
        return list(places)
    raise ConfigError(f"`code` must be a file or a list of files, got {value!r}", where=where)


def beside(folder: Path, place: str) -> str:
    """Returns a place relative to a folder; the name of an importable module as it is."""
    is_path = place.endswith(".py") or "/" in place or os.sep in place or (folder / place).is_dir()
    return str(folder / Path(place).expanduser()) if is_path else place


def _imported(name: str, file: Path | None, where: Location | None) -> ModuleType:
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    # SystemExit included: code that ends the process is no code to register.
    except BaseException as error:
        if file is None and isinstance(error, ModuleNotFoundError) and _is_part(error.name, name):
            raise OwnCodeError(
                f"there is neither a file nor a module {name!r}", where=where, hint=f"{name}.py would be a file"
            ) from error
        raise OwnCodeError(
            f"own code {file or name} cannot be imported: {_in_words(error, file)}",
            where=where,
            hint="ESSMC_DEBUG=1 shows the traceback",
        ) from error


def _is_part(missing: str | None, name: str) -> bool:
    return missing is not None and f"{name}.".startswith(f"{missing}.")


def _in_words(error: BaseException, file: Path | None) -> str:
    """Returns an error's kind, text and the line of the user's file that it came from."""
    text = f"{type(error).__name__}: {text_of(error)}"
    if isinstance(error, SyntaxError):
        return f"{text} ({error.filename}:{error.lineno})"
    lines = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if file is None or Path(frame.filename).is_relative_to(file.parent)
    ]
    return f"{text} ({lines[-1]})" if lines else text


def _module_of(file: Path) -> tuple[Path, str]:
    """Returns the folder that a file's module is imported from, and the module's name."""
    parts = [] if file.name == "__init__.py" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder != folder.parent:
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts)


def _require_own_name(folder: Path, name: str, file: Path, where: Location | None) -> None:
    """Raises if a module of this name would be another one."""
    if not all(part.isidentifier() for part in name.split(".")):
        raise OwnCodeError(
            f"{file} cannot be imported as {name!r}",
            where=where,
            hint="its name, and those of the packages it is in, need letters, digits and _ alone",
        )
    top, *inner = name.split(".")
    own = folder / top / "__init__.py" if inner or file.name == "__init__.py" else file
    origin = _origin(top)
    if origin not in (None, str(own)):
        raise OwnCodeError(
            f"{file} would be imported as {name!r}, and {top!r} is {origin} already",
            where=where,
            hint="rename the file, or the outermost package that it is in",
        )


def _origin(top: str) -> str | None:
    """Returns what a top-level module of this name comes from, None if there is none."""
    if top in sys.stdlib_module_names:
        return "a module of Python"
    loaded = sys.modules.get(top)
    spec = getattr(loaded, "__spec__", None) or _found(top)
    # A folder without an __init__.py, such as an ordinary `tests`, gives way to a module.
    if spec is None or spec.origin is None:
        return None
    return str(Path(spec.origin).resolve())


def _found(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return None


def _running_as_script(file: Path) -> ModuleType | None:
    """Returns the script that Python runs if it is this file, whose decorators have run or are about to."""
    for module in _scripts():
        path = getattr(module, "__file__", None)
        if path and Path(path).resolve() == file:
            return module
    return None


def _scripts() -> Iterator[ModuleType]:
    # Spawned processes import the script under the second name.
    for name in ("__main__", "__mp_main__"):
        if name in sys.modules:
            yield sys.modules[name]

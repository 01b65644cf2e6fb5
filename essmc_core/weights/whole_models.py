"""Models that were pickled whole: what they are made of is said, and none of their code is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from essmc_core.errors import EssmcError, UnsafeWeights
from essmc_core.weights.contents.files import Contents, read_contents
from essmc_core.weights.contents.pickled import Opaque

_PLAIN = ("torch", "numpy", "collections", "builtins", "functools", "argparse", "pathlib")
_LISTED = 3


class WholeModel(UnsafeWeights):
    """A model that `torch.save(model)` pickled with references to its code.

    Attributes:
        packs: distributions that provided its components, with their versions, as its card says; empty if it has none.
    """

    packs: Mapping[str, str] = {}


def explain_whole_model(path: Path) -> WholeModel | None:
    """Returns the error for a file that holds a whole model, None if it is another kind of file.

    Args:
        path: an existing file.
    """
    try:
        contents = read_contents(path)
    except EssmcError:
        return None
    model = _model_in(contents.content)
    if model is None:
        return None
    card = model.state.get("card") if isinstance(model.state, Mapping) else None
    packs = card.get("packs") if isinstance(card, Mapping) else None
    stated = {str(name): str(version) for name, version in packs.items()} if isinstance(packs, Mapping) else {}
    by = f" It was made with {' and '.join(f'{name} {stated[name]}' for name in stated)}." if stated else ""
    error = WholeModel(
        f"{path} is a whole model, {model.qualified}, that torch.save(model) pickled: opening it runs code, and needs "
        f"that of then.{by}{_absent(contents)}",
        hint=_hint(path, stated, card),
    )
    error.packs = stated
    return error


def _hint(path: Path, packs: Mapping[str, str], card: object) -> str:
    other = [f"{name}=={packs[name]}" for name in packs if _version(name) != packs[name]]
    first = f"pip install {' '.join(other)}; then, " if other else ""
    last = "essmc_core.save(model, 'model.safetensors') makes a file that rebuilds itself" if card else (
        "torch.save(model.state_dict(), 'weights.pth') keeps its state dict, for a network that you name"
    )  # fmt: skip
    opened = f"model = torch.load({str(path)!r}, weights_only=False)"
    return f"{first}if you trust its origin: {opened}; {last}"


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _absent(contents: Contents) -> str:
    """Returns which modules of the pickle are not installed; none is imported."""
    modules: dict[str, None] = {}
    for qualified in contents.opaque:
        top = qualified.partition(".")[0]
        if top not in _PLAIN and not _is_there(top):
            modules[top] = None
    shown = list(modules)[:_LISTED]
    return f" Not installed here: {', '.join(shown)}." if shown else ""


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ValueError, ImportError):
        # `__main__` of another program has no specification.
        return False


def _model_in(content: object) -> Opaque | None:
    """Returns the module in a file, at its top or under a name."""
    return next(iter(_modules(content)), None)


def _modules(content: object) -> Iterator[Opaque]:
    values: list[Any] = [content, *content.values()] if isinstance(content, Mapping) else [content]
    for value in values:
        state = value.state if isinstance(value, Opaque) else None
        if isinstance(value, Opaque) and isinstance(state, Mapping) and "_modules" in state and "_parameters" in state:
            yield value

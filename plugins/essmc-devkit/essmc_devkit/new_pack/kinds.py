"""The kinds of component that a new pack can begin with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from essmc_core.errors import EssmcError
from essmc_core.foundation.names import did_you_mean


class UnknownKind(EssmcError, ValueError):
    """A kind that the template has nothing for."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind, and what a pack with it asks for.

    Attributes:
        registry: plural name of its registry; empty for a command.
        suffix: what the name of its class ends with.
        needs: distributions of ours that its module imports.
    """

    registry: str
    suffix: str
    needs: tuple[str, ...] = ()


KINDS = {
    "model": Kind("models", "Model"),
    "backbone": Kind("backbones", "Backbone"),
    "neck": Kind("necks", "Neck"),
    "head": Kind("heads", "Head"),
    "loss": Kind("losses", "Loss"),
    "metric": Kind("metrics", "Metric"),
    "dataset": Kind("datasets", "Dataset"),
    "transform": Kind("transforms", "Transform"),
    "solver-hook": Kind("hooks", "Hook", needs=("essmc-solvers",)),
    "command": Kind("", ""),
}
"""By the name that ``--kind`` takes, in the order of listings."""
_ALSO = {"hook": "solver-hook", **{kind.registry: name for name, kind in KINDS.items() if kind.registry}}
DEFAULT = ("head",)


def kinds_from(asked: Iterable[str], *, with_weights: bool) -> tuple[str, ...]:
    """Returns the kinds that a pack begins with, each once, in the order of `KINDS`.

    Args:
        asked: as written after ``--kind``; several may be joined by commas; none means a head.
        with_weights: whether there are weights; they belong to a network of the pack, so a pack without a model gets a
            backbone too.

    Raises:
        UnknownKind: the template has no such kind; the message suggests the nearest.
    """
    chosen = {_kind(word) for text in asked for word in text.split(",")} or set(DEFAULT)
    if with_weights and "model" not in chosen:
        chosen.add("backbone")
    return tuple(name for name in KINDS if name in chosen)


def _kind(written: str) -> str:
    folded = written.strip().casefold().replace("_", "-").replace(" ", "-")
    folded = _ALSO.get(folded, folded)
    if folded in KINDS:
        return folded
    suggestion = did_you_mean(folded, [*KINDS, *_ALSO])
    raise UnknownKind(
        f"there is no kind {written.strip()!r} to begin with" + (f"; {suggestion}" if suggestion else ""),
        hint=f"kinds: {', '.join(KINDS)}; docs/hooks.md tells how a pack adds a kind of its own",
    )


def requirements_of(kinds: Iterable[str], *, with_zoo: bool) -> tuple[str, ...]:
    """Returns the distributions of ours that a pack with these kinds requires, without the core."""
    chosen = set(kinds)
    needed = {need for name in chosen for need in KINDS[name].needs}
    if with_zoo and "model" not in chosen:
        needed.add("essmc-classifiers")
        if "backbone" not in chosen:
            needed.add("essmc-timm")
    return tuple(sorted(needed))

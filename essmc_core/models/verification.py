"""Measures parameters and MACs of zoo entries, compares them with the stated ones and writes them to the entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.zoo.recipe import Recipe
from essmc_core.zoo.written_section import write_section

if TYPE_CHECKING:
    from torch import nn

    from essmc_core.models.cost import Cost
    from essmc_core.zoo.zoo import ZooEntry

# Counting is exact; only the three decimals that entries state are compared.
GMACS_TOLERANCE = 0.0005


@dataclass(frozen=True, slots=True)
class Verdict:
    """The measured and stated cost of an entry, and the licences that it owes.

    Attributes:
        name: name of the entry.
        measured: the measured cost, in the form that entries state; None if the entry states no input.
        stated: the cost in the file, None if it has none.
        has_file: whether the entry has a file of its own, which has to state the cost; a row of a table need not.
        unlicensed: which of ``code`` and ``weights`` the entry states no licence for, although it has weights.
    """

    name: str
    measured: Mapping[str, Any] | None
    stated: Mapping[str, Any] | None
    unlicensed: tuple[str, ...] = ()
    has_file: bool = True

    @property
    def problems(self) -> list[str]:
        """One phrase for each difference and each missing licence."""
        return [*self.differences, *(f"states no licence of its {part}" for part in self.unlicensed)]

    @property
    def differences(self) -> list[str]:
        """One phrase for each difference between measured and stated cost."""
        if self.measured is None:
            return []
        if self.stated is None:
            return ["states no cost"] if self.has_file else []
        found = []
        if self.stated.get("params") != self.measured["params"]:
            found.append(f"states {self.stated.get('params')} parameters, has {self.measured['params']}")
        if abs(float(self.stated.get("gmacs", -1.0)) - self.measured["gmacs"]) > GMACS_TOLERANCE:
            found.append(f"states {self.stated.get('gmacs')} GMACs, has {self.measured['gmacs']}")
        if list(self.stated.get("at", ())) != list(self.measured["at"]):
            found.append("does not state the shape of the input that its cost is for")
        return found


def measure(recipe: Recipe, model: nn.Module | None = None, at: Sequence[int] | None = None) -> Cost | None:
    """Measures a model on one view of its input, None if the recipe does not state the input.

    Args:
        recipe: what to measure.
        model: the built model, if there is one; else it is built on the meta device.
        at: shape of the input without the batch, if it is not that of one view.
    """
    from essmc_core.building.construct import construct
    from essmc_core.models.cost import measure_cost

    if not recipe.section("input"):
        return None
    shape = tuple(at) if at else recipe.input_spec().shape
    if model is not None:
        return measure_cost(model, shape)
    part = resolve_recipe(recipe).model
    return measure_cost(lambda: construct(part), shape)


def measure_recipe(recipe: Recipe, model: nn.Module) -> dict[str, object]:
    """Returns MACs, input shape, layout and output shapes of a built model, for printing."""
    cost = measure(recipe, model)
    if cost is None:
        return {"macs": None, "input": None, "layout": None, "output": None}
    layout = recipe.section("input").get("layout") or ("NCTHW" if len(cost.at) == 4 else "NCHW")
    outputs = {key: list(shape) for key, shape in cost.output_shapes.items()}
    return {"macs": cost.macs, "input": [1, *cost.at], "layout": layout, "output": outputs}


def verify_entry(entry: ZooEntry) -> Verdict:
    """Measures an entry at the shape it states, else at one view, compares, and looks for its licences."""
    stated = entry.section("cost")
    cost = measure(read_recipe(entry.qualified), at=stated.get("at"))
    measured = None if cost is None else cost.to_dict()
    return replace(licence_verdict(entry), measured=measured, stated=stated or None)


def licence_verdict(entry: ZooEntry) -> Verdict:
    """Looks for an entry's licences, and measures nothing."""
    unlicensed = tuple(entry.licence.missing(with_weights=True)) if entry.pretrained else ()
    return Verdict(entry.name, None, None, unlicensed, entry.file is not None)


def write_cost(entry: ZooEntry, measured: Mapping[str, Any]) -> None:
    """Writes the measured cost into the entry's own file and leaves every other line unchanged.

    Raises:
        ConfigError: the entry is made of a row of a table.
    """
    at = ", ".join(map(str, measured["at"]))
    line = f"cost: {{params: {measured['params']}, gmacs: {measured['gmacs']}, at: [{at}]}}\n"
    write_section(entry, "cost", line, hint=f"write {dict(measured)} into the table")

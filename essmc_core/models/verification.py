"""Measures parameters and MACs of zoo entries, compares them with the stated ones and writes them to the entry."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from essmc_core.models.recipes import read_recipe, resolve_recipe
from essmc_core.zoo.recipe import Recipe

if TYPE_CHECKING:
    from torch import nn

    from essmc_core.models.cost import Cost
    from essmc_core.zoo.zoo import ZooEntry

# Counting is exact; only the three decimals that entries state are compared.
GMACS_TOLERANCE = 0.0005


@dataclass(frozen=True, slots=True)
class Verdict:
    """The measured and stated cost of an entry.

    Attributes:
        name: name of the entry.
        measured: the measured cost, in the form that entries state.
        stated: the cost in the file, None if it has none.
    """

    name: str
    measured: Mapping[str, Any]
    stated: Mapping[str, Any] | None

    @property
    def problems(self) -> list[str]:
        """One phrase for each difference."""
        if self.stated is None:
            return ["states no cost"]
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


def verify_entry(entry: ZooEntry) -> Verdict | None:
    """Measures an entry at the shape it states, else at one view, and compares; None if it states no input."""
    stated = entry.section("cost")
    cost = measure(read_recipe(entry.qualified), at=stated.get("at"))
    if cost is None:
        return None
    return Verdict(entry.name, cost.to_dict(), stated or None)


def write_cost(entry: ZooEntry, verdict: Verdict) -> None:
    """Writes the measured cost into the entry's own file and leaves every other line unchanged."""
    from essmc_core.foundation.atomic import write_text

    measured = verdict.measured
    at = ", ".join(map(str, measured["at"]))
    line = f"cost: {{params: {measured['params']}, gmacs: {measured['gmacs']}, at: [{at}]}}\n"
    text = entry.path.read_text(encoding="utf-8")
    block = re.compile(r"^cost:.*\n(?:[ \t]+.*\n)*", re.MULTILINE)
    text = block.sub(lambda _: line, text) if block.search(text) else text.rstrip("\n") + "\n" + line
    write_text(entry.path, text)

"""Compares a model that was loaded with the fingerprint of its entry, once for a file, an entry and all versions."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from essmc_core.errors import EssmcError, FingerprintMismatch, FingerprintUnknown
from essmc_core.foundation.atomic import write_text
from essmc_core.foundation.json_values import to_json
from essmc_core.foundation.paths import cache_dir
from essmc_core.foundation.plain_data import plain_data
from essmc_core.foundation.terminal_status import status
from essmc_core.foundation.version import __version__
from essmc_core.zoo.fingerprint import Fingerprint, read_fingerprint
from essmc_core.zoo.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from essmc_core.contract.module import TrainModule


def stated_fingerprint(recipe: Recipe) -> Fingerprint | None:
    """Returns the fingerprint that a recipe states, None if it states none.

    Raises:
        ConfigError: the section ``check`` has another form.
    """
    return read_fingerprint(recipe.config) if recipe.prefix else None


def required_fingerprint(recipe: Recipe, source: Mapping[str, Any] | None) -> Fingerprint:
    """Returns the fingerprint to compare loaded weights with.

    Raises:
        FingerprintUnknown: none is stated, or no weights are loaded.
    """
    if source is None:
        raise FingerprintUnknown(
            f"{recipe.name} is built without weights, so that there is nothing to check",
            hint="pretrained=True loads those of the entry",
        )
    stated = stated_fingerprint(recipe)
    if stated is None:
        in_entry = recipe.entry is not None and recipe.entry.config.get("check") is not None
        changed = in_entry or bool(recipe.overridden)
        if recipe.trained is not None:
            raise FingerprintUnknown(
                f"{recipe.name} does not state what its model computes, so that it cannot be checked",
                hint="leave check=True out; `essmc_core.save` states it for a model with an input specification",
            )
        raise FingerprintUnknown(
            f"{recipe.name}, as it was changed, has no fingerprint: the section `check` is of what is written"
            if changed
            else f"{recipe.name} states no fingerprint (a section `check`), so that its weights cannot be checked",
            where=recipe.config.where(),
            hint="leave check=True out, or take the entry as it is"
            if changed
            else "`essmc verify --weights MODEL --write` writes one",
        )
    return stated


def check_loaded(
    recipe: Recipe,
    model: TrainModule,
    build: Callable[[], TrainModule],
    source: Mapping[str, Any],
) -> None:
    """Compares a model that was just loaded with the fingerprint that its recipe states, unless that was done before.

    Args:
        recipe: what was built; it states a fingerprint.
        model: the model, before its first forward pass.
        build: builds the same model without weights.
        source: the weights that were loaded.

    Raises:
        FingerprintMismatch: the model computes something else.
        FingerprintUnknown: nothing is stated.
    """
    stated = required_fingerprint(recipe, source)
    done = _note(recipe, model, source)
    if done is not None and done.is_file():
        return
    with status(f"checking what {recipe.name} computes, once"):
        compare(recipe, stated, model, build)
    if done is not None:
        # What cannot be remembered is checked again.
        with contextlib.suppress(OSError):
            done.parent.mkdir(parents=True, exist_ok=True)
            write_text(done, to_json({"model": recipe.name, "uri": source.get("uri")}))


def compare(recipe: Recipe, stated: Fingerprint, model: TrainModule, build: Callable[[], TrainModule]) -> None:
    """Compares a model with a fingerprint, and its computed buffers with those of another building.

    Raises:
        FingerprintMismatch: something differs; the message says what.
    """
    from essmc_core.models.computed_buffers import odd_buffers
    from essmc_core.models.fingerprint import output_numbers, waves, weight_numbers

    if odd := odd_buffers(model, build):
        listed = ", ".join(odd[:3]) + (", …" if len(odd) > 3 else "")
        raise FingerprintMismatch(
            f"{recipe.name} is not built as it should be: {listed} differs from what another building of it on the "
            "CPU computes",
            hint="Such buffers are in no file. Build the model on the CPU and move it then.",
        )
    weights = weight_numbers(model)
    if stated.weights_differ(weights):
        raise FingerprintMismatch(
            f"{recipe.name} has other weights than {_stating(recipe)} states: expected the numbers "
            f"{_shown(stated.weights)}, found {_shown(weights)}",
            where=recipe.config.where("check"),
            hint=_other_weights(recipe),
        )
    picture = waves(recipe.input_spec(), stated.at)
    try:
        outputs = output_numbers(model, picture, stated.precision)
    except EssmcError as error:
        raise FingerprintMismatch(f"{recipe.name} with its weights: {error.message}", hint=error.hint) from error
    if stated.outputs_differ(outputs):
        key = next((key for key in stated.outputs if stated.outputs[key] != outputs.get(key)), "")
        raise FingerprintMismatch(
            f"{recipe.name} has the weights that {_stating(recipe)} states and computes something else with them: "
            f"expected the numbers {_shown(stated.outputs[key])}, found {_shown(outputs.get(key, ()))}",
            where=recipe.config.where("check"),
            hint="An argument (padding, an epsilon), the mean and std of `input`, or a library's version differs from "
            f"when {_stating(recipe)} was written. `essmc doctor` shows the versions; if the change is meant, "
            f"{_write(recipe)}",
        )


def _stating(recipe: Recipe) -> str:
    return "its entry" if recipe.trained is None else "the file"


def _other_weights(recipe: Recipe) -> str:
    if recipe.trained is not None:
        return "The file was changed after it was written, or a pack names its layers otherwise now. Take the original."
    return (
        "Tensors changed places or values: another file, or another key map. Take the file that the entry names, or, "
        f"if this one is meant, {_write(recipe)}"
    )


def _write(recipe: Recipe) -> str:
    if recipe.trained is not None:
        return "saving it anew states what it computes now"
    return f"`essmc verify --weights {recipe.name} --write` states it anew"


def _shown(numbers: tuple[float, ...]) -> str:
    shown = ", ".join(f"{number:.6f}" for number in numbers[:4])
    return f"[{shown}{', …' if len(numbers) > 4 else ''}]"


def _note(recipe: Recipe, model: TrainModule, source: Mapping[str, Any]) -> Path | None:
    """Returns the file whose existence means that this was checked; None if the weights are no single file."""
    import torch

    from essmc_core.weights.digest import sha256_of
    from essmc_core.weights.fetching import locate
    from essmc_core.weights.source import WeightsSource

    parsed = WeightsSource.parse(source)
    # Loading has fetched it, so that nothing is downloaded here.
    path = locate(parsed.uri, sha256=parsed.digest).path
    if not path.is_file():
        return None
    card = model.card or {}
    state = {
        "file": sha256_of(path),
        "entry": {name: plain_data(recipe.config.get(name)) for name in ("model", "input", "check")},
        "source": {key: str(value) for key, value in sorted(source.items())},
        "versions": {"essmc-core": __version__, "torch": torch.__version__, "packs": card.get("packs")},
    }
    key = hashlib.sha256(json.dumps(state, sort_keys=True, default=str).encode()).hexdigest()[:32]
    return cache_dir() / "checked" / f"{key}.json"

"""Checks of zoo entries: what the file states, and the model that it builds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from essmc_core import ZOO
from essmc_core.errors import ConfigError, FingerprintMismatch, WeightsError
from essmc_core.models.recipes import build_config, read_recipe, resolved_parts
from essmc_core.models.verification import verify_entry
from essmc_core.models.weights_verification import verify_weights
from essmc_core.weights.digest import sha256_of
from essmc_core.weights.package_files import find_package_file
from essmc_core.zoo.labels import configured_counts
from essmc_core.zoo.recipe import Recipe
from essmc_core.zoo.zoo import ZooEntry
from essmc_devkit.components import model
from essmc_devkit.components.check import NotChecked, brief, check
from essmc_devkit.components.model_subject import ModelSubject
from essmc_devkit.problem import Problem

MOST_PARAMETERS = 40_000_000
MOST_MACS = 5e9
_PINNED = re.compile(r"^hf://[^/]+/[^/@]+@[^/]+/")
_LARGEST_OF_PIXELS = 4.0
"""Means and deviations of pixels in [0, 1] are below 1; in [0, 255] they are far above this."""
_INPUT = "input: {modality: image, size: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"


class EntrySubject:
    """A zoo entry.

    Args:
        name: its name.
        overrides: by path, what makes its model small enough to run.
        input_shape: shape of one input of the small model without the batch; that of one view where it is not given.
    """

    def __init__(
        self,
        name: str,
        overrides: Mapping[str, Any] | None = None,
        input_shape: Sequence[int] | None = None,
    ) -> None:
        self.name = name
        self.overrides = dict(overrides or {})
        self._input_shape = input_shape

    @cached_property
    def entry(self) -> ZooEntry:
        """The entry."""
        return ZOO.entry(self.name)

    @cached_property
    def recipe(self) -> Recipe:
        """Its configuration.

        Raises:
            NotChecked: its file cannot be read, which is a check of its own.
        """
        try:
            return read_recipe(self.name)
        except ConfigError as error:
            raise NotChecked(f"its file cannot be used: {brief(error)}") from None

    @cached_property
    def model(self) -> ModelSubject:
        """Its model, small where overrides say how.

        Raises:
            NotChecked: it takes too long for a check.
        """
        recipe = read_recipe(self.name, self.overrides)
        if not self.overrides and self._input_shape is None:
            self._check_size()
        shape = self._input_shape or recipe.input_spec().shape
        return ModelSubject(
            {**recipe.model.to_dict()}, shape, name=self.name, make=lambda: build_config("models", recipe.model)
        )

    def _check_size(self) -> None:
        params, macs = self.entry.params, self.entry.macs
        if params is None or macs is None:
            raise NotChecked("it states no cost, so that its model may be too large to run")
        if params > MOST_PARAMETERS or macs > MOST_MACS:
            raise NotChecked(f"{params / 1e6:.0f}M parameters and {macs / 1e9:.0f}G MACs are too many: give `narrow`")


@check("entry.file")
def file(subject: EntrySubject) -> Iterator[Problem]:
    """Its file can be read, and all that it names is there and takes the arguments."""
    assert subject.entry.config is not None
    resolved_parts(read_recipe(subject.name))
    if not subject.entry.summary:
        yield Problem("it has no summary", "summary: one line for listings", "warning")


@check("entry.input")
def input_section(subject: EntrySubject) -> Iterator[Problem]:
    """The section `input` says how a file becomes what the model takes."""
    section = subject.recipe.section("input")
    if not section:
        yield Problem("it has no section `input`", _INPUT)
        return
    for key in ("modality", "size", "mean", "std"):
        if section.get(key) is None:
            yield Problem(f"`input` has no {key}", _INPUT)
    if section.get("modality") == "video" and section.get("frames") is None:
        yield Problem("`input` has no frames", "frames: 16, stride: 2")
    spec = subject.recipe.input_spec()
    if max(*spec.mean, *spec.std) > _LARGEST_OF_PIXELS:
        yield Problem(
            f"mean {list(spec.mean)} and std {list(spec.std)} are those of pixels up to 255",
            "divide them by 255: pixels are in [0, 1] before they are normalised",
        )


@check("entry.cost")
def cost(subject: EntrySubject) -> Iterator[Problem]:
    """The cost that it states is the measured one."""
    if not subject.recipe.section("input"):
        raise NotChecked("it has no section `input`")
    try:
        resolved_parts(subject.recipe)
    except ConfigError as error:
        raise NotChecked(f"its file cannot be used: {brief(error)}") from None
    verdict = verify_entry(subject.entry)
    for problem in [] if verdict is None else verdict.problems:
        # Licences are a check of their own.
        if "licence" not in problem:
            yield Problem(f"it {problem}", f"essmc verify --write {subject.name}")


@check("entry.labels")
def labels(subject: EntrySubject) -> Iterator[Problem]:
    """Class names are found, as many as the model has classes."""
    names, counts = subject.recipe.labels(), configured_counts(subject.recipe.config)
    if not names:
        # What has no head with classes, such as a detector of shots, needs no names.
        if counts:
            yield Problem("it names no classes", "labels: a file beside the entry, with one label per line", "warning")
        return
    if counts:
        subject.recipe.checked_labels(counts)
    if any(not name.strip() for name in names):
        yield Problem("a class has no name", "write one label on each line")


@check("entry.weights")
def weights(subject: EntrySubject) -> Iterator[Problem]:
    """Weights that come in an installed package are there."""
    uri = str(subject.recipe.section("weights").get("uri") or "")
    if not uri:
        raise NotChecked("it names no weights")
    if "://" not in uri or uri.startswith("file://"):
        yield Problem(
            f"its weights are at {uri}, which is a file of this machine",
            "name an https:// or hf:// address, or a file of the package: pkg://distribution/package/weights/…",
        )
        return
    if not uri.startswith("pkg://"):
        return
    try:
        path = find_package_file(uri)
    except WeightsError as error:
        yield Problem(error.message, error.hint or "name the distribution and the path of the file inside it")
        return
    section = subject.recipe.section("weights")
    stated = str(section.get("sha256") or section.get("sha256_prefix") or "").lower()
    digest = sha256_of(Path(path))
    if not digest.startswith(stated):
        yield Problem(f"the weights {uri} have the SHA-256 {digest}, not {stated}", "write that of the file")


@check("entry.weights-pinned")
def weights_pinned(subject: EntrySubject) -> Iterator[Problem]:
    """The weights that it names stay the same: a hash of the file is stated, or a revision of the repository."""
    section = subject.recipe.section("weights")
    uri = str(section.get("uri") or "")
    if not uri:
        raise NotChecked("it names no weights")
    if not (section.get("sha256") or section.get("sha256_prefix") or _PINNED.match(uri)):
        yield Problem(
            "its weights may change: neither a hash nor a revision is stated",
            "weights: {uri: …, sha256: …}, or hf://owner/repository@revision/file",
            "warning",
        )


@check("entry.check")
def fingerprint(subject: EntrySubject) -> Iterator[Problem]:
    """With weights of an installed package the network computes what the entry states, if it states that."""
    uri = str(subject.recipe.section("weights").get("uri") or "")
    if not uri.startswith("pkg://"):
        raise NotChecked("it names no weights that come in a package")
    if not subject.entry.has_check:
        yield Problem(
            "it does not state what its network computes with its weights",
            f"essmc verify --weights {subject.name} --write",
            "warning",
        )
        return
    if any(weights.problems(subject)):
        raise NotChecked("its weights are not there (see entry.weights)")
    try:
        verdict = verify_weights(subject.entry)
    except ConfigError as error:
        raise NotChecked(f"its file cannot be used: {brief(error)}") from None
    if isinstance(verdict.error, FingerprintMismatch):
        yield Problem(verdict.reason, verdict.error.hint or f"essmc verify --weights {subject.name}")
    elif verdict.error is not None:
        yield Problem(
            f"its weights cannot be used: {brief(verdict.error)}",
            f"`essmc inspect {uri}` says what the file is; `essmc verify --weights {subject.name}` tries again",
        )


@check("entry.licence")
def licence(subject: EntrySubject) -> Iterator[Problem]:
    """The licence of its weights is stated."""
    section, stated = subject.recipe.section("weights"), subject.recipe.section("licence")
    if not section.get("uri"):
        raise NotChecked("it names no weights")
    if not (section.get("licence") or section.get("license") or stated.get("weights")):
        yield Problem("the licence of its weights is not stated", "licence: {weights: Apache-2.0}, or unknown")


STATED = (file, input_section, cost, labels, weights, weights_pinned, fingerprint, licence)
RUN = model.ALL

"""The section ``licence`` of a configuration: under what terms the code of a model and its weights may be used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from essmc_core.errors import ConfigError, Issue
from essmc_core.foundation.licences import canonical_licence, permits, permits_commercial_use
from essmc_core.foundation.names import did_you_mean
from essmc_core.zoo.placed import PlacedMapping

if TYPE_CHECKING:
    from essmc_core.config import Config

PARTS = ("code", "weights")
_FORM = "licence: {code: Apache-2.0, weights: unknown}"


@dataclass(frozen=True, slots=True)
class Licence:
    """What a configuration states, each an SPDX expression or ``unknown``; None: it says nothing.

    Attributes:
        code: licence of the code that the network is made of.
        weights: licence of the weights.
    """

    code: str | None = None
    weights: str | None = None

    def to_dict(self) -> dict[str, str | None]:
        """Returns both as plain data."""
        return asdict(self)

    def is_among(self, names: Collection[str], with_weights: bool) -> bool:
        """Returns whether code and weights may be used under one of some licences.

        Args:
            names: canonical SPDX identifiers.
            with_weights: whether there are weights; where there are none, their licence does not matter.
        """
        return self._all(lambda stated: permits(stated, lambda name: name in names), with_weights)

    def permits_commercial_use(self, with_weights: bool) -> bool:
        """Returns whether code and weights are known to permit commercial use; argument as for `is_among`."""
        return self._all(permits_commercial_use, with_weights)

    def _all(self, holds: Any, with_weights: bool) -> bool:
        parts = [self.code, self.weights] if with_weights else [self.code]
        return all(part is not None and holds(part) for part in parts)

    def missing(self, with_weights: bool) -> list[str]:
        """Returns which of the two is not stated."""
        stated = {"code": self.code, "weights": self.weights}
        return [part for part in PARTS if stated[part] is None and (with_weights or part == "code")]


def read_licence(config: Mapping[str, Any]) -> Licence:
    """Returns what a configuration with valid licences states; ``weights.licence`` counts as ``licence.weights``."""
    section = config.get("licence") or {}
    stated = {part: section.get(part) for part in PARTS}
    if stated["weights"] is None:
        stated["weights"] = _beside_uri(config)[1]
    return Licence(**{part: None if text is None else canonical_licence(text) for part, text in stated.items()})


def _beside_uri(config: Mapping[str, Any]) -> tuple[str, str | None]:
    """Returns the key and value of a licence that is stated in ``weights``."""
    weights = config.get("weights")
    if isinstance(weights, Mapping):
        for key in ("licence", "license"):
            if weights.get(key) is not None:
                return key, weights[key]
    return "licence", None


def licence_issues(config: PlacedMapping) -> list[Issue]:
    """Returns the mistakes in the licences that a configuration states."""
    section = config.get("licence")
    if section is not None and not isinstance(section, Mapping):
        return [Issue("licence", f"`licence` is a mapping, got {section!r}", config.where("licence"), f"write {_FORM}")]
    section = section or {}
    issues = []
    for part in section:
        if part not in PARTS:
            message, hint = f"`licence` has no {part!r}", did_you_mean(part, PARTS) or f"write {_FORM}"
            issues.append(Issue(f"licence.{part}", message, config.where_key("licence", part), hint))
        else:
            issues += _spelling(config, ("licence", part), section[part])
    key, beside = _beside_uri(config)
    issues += _spelling(config, ("weights", key), beside)
    stated = section.get("weights")
    if not issues and None not in (stated, beside) and canonical_licence(stated) != canonical_licence(beside):
        message = f"the weights are {stated} by `licence` and {beside} by `weights`"
        issues.append(Issue(f"weights.{key}", message, config.where("weights", key), "keep one of them"))
    return issues


def without_weights_licence(config: Config) -> Config:
    """Returns a configuration whose section ``licence`` is about the code alone, for other weights than its own."""
    stated = config.get("licence")
    if not isinstance(stated, Mapping) or "weights" not in stated:
        return config
    return config.with_overrides({"licence": {part: stated[part] for part in stated if part != "weights"}})


def check_licence(config: PlacedMapping) -> None:
    """Checks the licences that a configuration states.

    Raises:
        ConfigError: one of them is no SPDX expression, or is stated in another form; the first mistake.
    """
    for issue in licence_issues(config):
        raise ConfigError(issue.message, where=issue.where, hint=issue.hint)


def _spelling(config: PlacedMapping, path: tuple[str, str], text: object) -> list[Issue]:
    if text is None:
        return []
    dotted = ".".join(path)
    if not isinstance(text, str):
        return [Issue(dotted, f"{dotted} is an SPDX expression, got {text!r}", config.where(*path), f"write {_FORM}")]
    try:
        canonical_licence(text)
    except ConfigError as error:
        return [Issue(dotted, f"{dotted}: {error.message}", config.where(*path), error.hint)]
    return []

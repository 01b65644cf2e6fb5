"""The section ``input`` of a configuration: read as an InputSpec, with mistakes at their place in the file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from essmc_core.errors import ConfigError, Issue, SchemaError
from essmc_core.inputs.spec import InputSpec

if TYPE_CHECKING:
    from essmc_core.config import Config


def read_input(config: Config) -> InputSpec:
    """Returns the input specification of a configuration with ``input``.

    Raises:
        SchemaError: the section is invalid.
    """
    found = _read(config)
    if isinstance(found, Issue):
        raise SchemaError([found])
    return found


def input_issues(config: Config) -> list[Issue]:
    """Returns the mistakes of the section, none if there is no such section."""
    found = None if config.get("input") is None else _read(config)
    return [found] if isinstance(found, Issue) else []


def _read(config: Config) -> InputSpec | Issue:
    section = config["input"]
    if not isinstance(section, Mapping):
        hint = "input: {modality: image, size: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}"
        return Issue("input", f"`input` is a mapping, got {section!r}", config.where("input"), hint)
    try:
        return InputSpec.from_mapping(section)
    except ConfigError as error:
        named = [key for key in section if re.search(rf"\b{re.escape(key)}\b", error.message)]
        path = ("input", *named[:1])
        where = config.where_key(*path) if "nknown key" in error.message else config.where(*path)
        return Issue(".".join(path), error.message, error.where or where, error.hint)
    except (TypeError, ValueError, AttributeError) as error:
        # A value of a kind that no check expects, such as a mapping in the place of a number.
        return Issue("input", f"the input cannot be read: {error}", config.where("input"))

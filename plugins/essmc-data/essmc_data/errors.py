"""Errors of data: a file that cannot be read, and a dataset that is not where it was said to be."""

from __future__ import annotations

from essmc_core.errors import ConfigError, InputError
from essmc_core.errors import UnreadableInput as UnreadableInput


class DatasetNotFound(ConfigError, FileNotFoundError):
    """A dataset's folder or annotation file does not exist, or holds nothing that fits."""


class PipelineMistake(InputError):
    """Transforms that do not fit together, whatever the file; no dataset's ``on_error`` lets it pass."""


class ListError(DatasetNotFound):
    """A line of a list, or an entry of a JSON file, that cannot be understood."""

"""Where weights come from and how their keys are read: one parsed `pretrain:` value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from essmc_core.errors import ConfigError
from essmc_core.weights.key_maps import NAMES, check_key_map
from essmc_core.weights.options import IGNORED, LAYOUT, option_issue, weights_issues

Inflation = Literal["centre", "average"]
TimePositions = Literal["interpolate", "repeat", "average", "centre"]
KeyMap = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """One source of weights.

    Attributes:
        uri: a path, or a URI: ``file://``, ``https://``, ``pkg://distribution/path``, ``hf://owner/repo[@revision]/path``
            or any scheme that fsspec knows.
        sha256: the file's expected digest, 64 hexadecimal digits.
        sha256_prefix: the first 8 or more of these digits, if the publisher states no more, as torchvision does in file
            names; not used if ``sha256`` is given.
        sub_level: keep only the keys below this prefix, and remove the prefix (``"backbone"``).
        prefix: prefix to add to every key (``"backbone"``).
        key_map: (regular expression, replacement) pairs, applied in order to each key with `re.sub`, or the name of a
            registered key map. A key that becomes empty is dropped.
        inflate: how to inflate 2D kernels to 3D, see `essmc_core.weights.kernels`; None: do not.
        in_chans: whether the first convolution may be adapted to another number of input channels.
        positions: how position embeddings are resized in time: ``interpolate``, ``repeat`` each one, their ``average``
            or the one in the ``centre`` for all.
        position_grid: (time, height, width) of the weights' position embeddings, if their number of tokens is
            ambiguous.
        ema: True: the averaged weights, which must exist; False: the plain ones; None: the averaged ones if the file
            has both.
        min_coverage: share of the module that is enough as a start of training; None: all of it, but for
            ``allow_missing``.
        min_usage: share of the weights that is enough; None: all of them, but for ``allow_unused``.
        strict: refuse to load unless every tensor on both sides is used as it is.
        head_prefixes: prefixes below which tensors for another number of classes may be dropped; None: the default.
        allow_missing: patterns of the module's keys that the weights may lack, or have in another shape; a name
            includes all keys below it.
        allow_unused: patterns of the weights' keys that may stay unused.
        allow_nonfinite: load values that are NaN or infinite.
        fallback: another reading of the file (key_map, sub_level, prefix, ...), which is used if the weights fit better
            with it.
        key_map_name: where the key map came from, for reports.
    """

    uri: str
    sha256: str | None = None
    sha256_prefix: str | None = None
    sub_level: str | None = None
    prefix: str | None = None
    key_map: KeyMap = ()
    inflate: Inflation | None = None
    in_chans: bool = False
    positions: TimePositions = "interpolate"
    position_grid: tuple[int, int, int] | None = None
    ema: bool | None = None
    min_coverage: float | None = None
    min_usage: float | None = None
    strict: bool = False
    head_prefixes: tuple[str, ...] | None = None
    allow_missing: tuple[str, ...] = ()
    allow_unused: tuple[str, ...] = ()
    allow_nonfinite: bool = False
    fallback: Mapping[str, Any] | None = None
    key_map_name: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.name != "key_map_name":
                _raise_issue(option_issue(field.name, getattr(self, field.name)))

    @property
    def digest(self) -> str | None:
        """The expected digest or its first digits, None if neither is stated."""
        return self.sha256 or self.sha256_prefix

    @classmethod
    def parse(cls, source: str | os.PathLike[str] | Mapping[str, Any] | WeightsSource, **given: Any) -> WeightsSource:
        """Reads a path, a URI, or a mapping with the attributes of this class as keys.

        A mapping may call the URI ``path``, as EssentialMC2 does.

        Args:
            source: what to read.
            **given: attributes that take precedence over the mapping's; None and empty ones are ignored.

        Raises:
            ConfigError: unknown or missing keys, or invalid values.
        """
        if isinstance(source, WeightsSource):
            values = {field.name: getattr(source, field.name) for field in fields(source)}
        elif isinstance(source, Mapping):
            values = _from_mapping(source)
        elif isinstance(source, (str, os.PathLike)):
            values = {"uri": os.fspath(source)}
        else:
            raise ConfigError(f"The weights are {source!r}, not a path, a URI or a mapping with one.")
        values.update((key, value) for key, value in given.items() if value is not None and value != ())
        return cls(**_normalize(values))

    def readings(self) -> tuple[WeightsSource, ...]:
        """Returns the ways to read the file: as stated, then by the fallback."""
        if not self.fallback:
            return (self,)
        other = WeightsSource.parse({"uri": self.uri, **self.fallback})
        changes = {key: getattr(other, key) for key in LAYOUT if key in self.fallback}
        changes["allow_unused"] = (*self.allow_unused, *other.allow_unused)
        # The user's options take precedence over those of the entry.
        if self.ema is not None:
            changes["ema"] = self.ema
        return self, replace(self, **changes, fallback=None, key_map_name=other.key_map_name or "the entry's key map")


def _raise_issue(issue: Any) -> None:
    if issue is not None:
        raise ConfigError(issue.message, hint=issue.hint)


def _from_mapping(source: Mapping[str, Any]) -> dict[str, Any]:
    values = {str(key): value for key, value in source.items() if key not in IGNORED and value is not None}
    for key in ("sha256", "sha256_prefix"):
        if key in values:
            values[key] = str(values[key]).lower()
    for issue in weights_issues(values):
        _raise_issue(issue)
    if "path" in values:
        values["uri"] = values.pop("path")
    return values


def _normalize(values: dict[str, Any]) -> dict[str, Any]:
    normal = dict(values)
    _raise_issue(option_issue("uri", normal["uri"]))
    normal["uri"] = os.fspath(normal["uri"])
    for key in ("sha256", "sha256_prefix"):
        if normal.get(key) is not None:
            normal[key] = str(normal[key]).lower()
    key_map = normal.get("key_map") or ()
    if isinstance(key_map, str):
        normal["key_map_name"], key_map = key_map, NAMES.pairs(key_map)
    normal["key_map"] = check_key_map(key_map)
    if isinstance(normal.get("position_grid"), list):
        normal["position_grid"] = tuple(normal["position_grid"])
    for key in ("head_prefixes", "allow_missing", "allow_unused"):
        given = normal.get(key)
        if isinstance(given, (str, list)):
            normal[key] = (given,) if isinstance(given, str) else tuple(given)
    return normal

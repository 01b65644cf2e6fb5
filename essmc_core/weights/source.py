"""Where weights come from and how their keys are to be read: one `pretrain:` value, parsed."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, cast, get_args

from essmc_core.errors import ConfigError
from essmc_core.names import did_you_mean

Inflation = Literal["centre", "average"]
TimePositions = Literal["interpolate", "repeat", "average", "centre"]
KeyMap = tuple[tuple[str, str], ...]

# `map_location` is EssentialMC2's: tensors are always read on the CPU and end where the module is, so it has no effect.
# The others describe the weights to a reader and change nothing here.
_IGNORED = ("map_location", "licence", "license")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA256_PREFIX = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """One source of weights.

    Attributes:
        uri: a path, or a URI: ``file://``, ``https://``, ``pkg://distribution/path``, ``hf://owner/repo[@revision]/path``
            or any scheme that fsspec knows.
        sha256: the file's expected digest, 64 hexadecimal digits.
        sha256_prefix: the first 8 or more of these digits, where a publisher states no more, as torchvision does in its
            files' names; not used where ``sha256`` is given.
        sub_level: keep only the keys below this prefix, and drop it (``"backbone"``).
        prefix: put this in front of every key (``"backbone"``).
        key_map: (regular expression, replacement) pairs, applied in order to each key with `re.sub`.
        inflate: how to turn 2D kernels into 3D ones, see `essmc_core.weights.adapt`; None: do not.
        in_chans: whether the first convolution may be adapted to another number of input channels.
        positions: how learned positions in time are made more or fewer: ``interpolate``, ``repeat`` each one, their
            ``average`` or the one in the ``centre`` for all.
        position_grid: (time, height, width) of the weights' tables of positions, where their number alone does not
            tell.
        ema: True: the averaged weights, which must be there; False: the plain ones; None: the averaged ones where the
            file has both.
        min_coverage: share of the module below which loading is refused; None: the default.
        min_usage: like ``min_coverage``, for the share of the weights.
        strict: refuse to load unless every tensor on both sides is used as it is.
        head_prefixes: prefixes below which a tensor of the wrong shape may be dropped; None: the default.
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

    def __post_init__(self) -> None:
        if not self.uri:
            raise ConfigError("The weights' path is empty.", hint="Give a path or a URI, or leave the weights out.")
        if self.sha256 is not None and not _SHA256.fullmatch(self.sha256):
            raise ConfigError(f"sha256 {self.sha256!r} is not 64 lower-case hexadecimal digits.")
        if self.sha256_prefix is not None and not _SHA256_PREFIX.fullmatch(self.sha256_prefix):
            raise ConfigError(f"sha256_prefix {self.sha256_prefix!r} is not 8 to 64 lower-case hexadecimal digits.")
        if self.inflate not in (None, "centre", "average"):
            raise ConfigError(f"inflate is {self.inflate!r}; choose 'centre', 'average' or None.")
        if self.positions not in get_args(TimePositions):
            raise ConfigError(f"positions is {self.positions!r}; choose one of {', '.join(get_args(TimePositions))}.")
        if self.position_grid is not None and len(self.position_grid) != 3:
            raise ConfigError(f"position_grid is {list(self.position_grid)}, not time, height and width.")

    @property
    def digest(self) -> str | None:
        """The expected digest or its beginning, None where neither is stated."""
        return self.sha256 or self.sha256_prefix

    @classmethod
    def parse(cls, source: str | os.PathLike[str] | Mapping[str, Any] | WeightsSource, **given: Any) -> WeightsSource:
        """Reads a path, a URI, or a mapping with the attributes of this class as keys.

        A mapping may call the URI ``path``, as EssentialMC2 does.

        Args:
            source: what to read.
            **given: attributes that take precedence over the mapping's; None and empty ones are ignored.

        Raises:
            ConfigError: unknown or missing keys, or values that cannot be used.
        """
        if isinstance(source, WeightsSource):
            values = {field.name: getattr(source, field.name) for field in fields(source)}
        elif isinstance(source, Mapping):
            values = _from_mapping(source)
        else:
            values = {"uri": os.fspath(source)}
        values.update((key, value) for key, value in given.items() if value is not None and value != ())
        return cls(**_normalize(values))


def _from_mapping(source: Mapping[str, Any]) -> dict[str, Any]:
    values = {str(key): value for key, value in source.items() if key not in _IGNORED}
    known = [field.name for field in fields(WeightsSource)]
    if "path" in values:
        if "uri" in values:
            raise ConfigError("The weights have both 'path' and 'uri'.", hint="Keep one of them.")
        values["uri"] = values.pop("path")
    for key in values:
        if key not in known:
            hint = did_you_mean(key, [*known, "path", *_IGNORED]) or f"Known keys: {', '.join(known)}."
            raise ConfigError(f"Unknown key {key!r} in the weights' mapping.", hint=hint)
    if values.get("uri") is None:
        raise ConfigError("The weights' mapping has neither 'path' nor 'uri'.")
    return values


def _normalize(values: dict[str, Any]) -> dict[str, Any]:
    normal = dict(values)
    normal["uri"] = os.fspath(normal["uri"])
    for key in ("sha256", "sha256_prefix"):
        if normal.get(key) is not None:
            normal[key] = str(normal[key]).lower()
    normal["key_map"] = parse_key_map(normal.get("key_map") or ())
    if normal.get("position_grid") is not None:
        normal["position_grid"] = tuple(normal["position_grid"])
    if normal.get("head_prefixes") is not None:
        given = normal["head_prefixes"]
        normal["head_prefixes"] = (given,) if isinstance(given, str) else tuple(given)
    return normal


def parse_key_map(pairs: Sequence[Sequence[str]]) -> KeyMap:
    """Checks that every pair is a regular expression and a replacement that fits it.

    Raises:
        ConfigError: something else, or an expression that does not compile.
    """
    checked: list[tuple[str, str]] = []
    for position, pair in enumerate(pairs):
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise ConfigError(f"key_map[{position}] is {pair!r}, not a pair of regular expression and replacement.")
        pattern, replacement = cast("tuple[str, str]", tuple(pair))
        try:
            re.compile(pattern)
            # The empty alternative always matches, so that the replacement is expanded and its groups are looked up.
            re.sub(f"{pattern}|", replacement, "")
        except (re.error, IndexError) as error:
            raise ConfigError(f"key_map[{position}] {list(pair)!r} cannot be used: {error}.") from error
        checked.append((pattern, replacement))
    return tuple(checked)

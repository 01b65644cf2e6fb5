"""Writes a node tree as YAML: block mappings, short lists on one line, numbers and strings that read back unchanged."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from essmc_core.config.scalars import BOOL, FLOAT, INT, NULL
from essmc_core.config.tree import MappingNode, Node, ScalarNode, SequenceNode, dotted
from essmc_core.errors import ConfigError

if TYPE_CHECKING:
    import yaml

_TAG = "tag:yaml.org,2002:"


def write_yaml(root: MappingNode) -> str:
    """Returns the tree as a YAML document, in the order of its keys.

    Raises:
        ConfigError: a value that YAML cannot represent.
    """
    import yaml

    text: str = yaml.serialize(_represent(root, ()), Dumper=_dumper(), allow_unicode=True, width=110)
    return text


@cache
def _dumper() -> type[Any]:
    import yaml

    class ConfigDumper(yaml.SafeDumper):
        """Quotes strings that either YAML version reads as another type, so that other readers agree with this one."""

    for name, pattern in (("null", NULL), ("bool", BOOL), ("int", INT), ("float", FLOAT)):
        ConfigDumper.add_implicit_resolver(_TAG + name, _whole(pattern.pattern), None)
    return ConfigDumper


def _whole(pattern: str) -> Any:
    import re

    return re.compile(rf"(?:{pattern})\Z")


def _represent(node: Node, path: tuple[str | int, ...]) -> yaml.Node:
    import yaml

    if isinstance(node, MappingNode):
        pairs = [(_string(key), _represent(entry.value, (*path, key))) for key, entry in node.entries.items()]
        return yaml.MappingNode(_TAG + "map", pairs, flow_style=not pairs)
    if isinstance(node, SequenceNode):
        items = [_represent(item, (*path, index)) for index, item in enumerate(node.items)]
        flat = all(isinstance(item, yaml.ScalarNode) for item in items)
        return yaml.SequenceNode(_TAG + "seq", items, flow_style=flat)
    return _scalar(node, path)


def _scalar(node: ScalarNode, path: tuple[str | int, ...]) -> yaml.ScalarNode:
    import yaml

    value = node.value
    if isinstance(value, str):
        return _string(value)
    if value is None:
        return yaml.ScalarNode(_TAG + "null", "null")
    if isinstance(value, bool):
        return yaml.ScalarNode(_TAG + "bool", "true" if value else "false")
    if isinstance(value, int):
        return yaml.ScalarNode(_TAG + "int", int.__repr__(value))
    if isinstance(value, float):
        return yaml.ScalarNode(_TAG + "float", _float_text(value))
    raise ConfigError(
        f"{dotted(path)} holds a {type(value).__name__}, which YAML has no form for",
        where=node.where,
        hint="Replace it by the configuration it was built from.",
    )


def _string(value: str) -> yaml.ScalarNode:
    import yaml

    text = str.__str__(value)
    # In other styles PyYAML writes some of YAML's line breaks, such as U+0085, raw and reads them back as spaces.
    has_line_break = text.splitlines() not in ([], [text])
    return yaml.ScalarNode(_TAG + "str", text, style='"' if has_line_break else None)


def _float_text(value: float) -> str:
    text = float.__repr__(value)
    if text in ("inf", "-inf", "nan"):
        return text.replace("inf", ".inf").replace("nan", ".nan")
    # YAML 1.1 readers parse 1e-05 as a string, 1.0e-05 as a number.
    return text if "." in text else text.replace("e", ".0e")

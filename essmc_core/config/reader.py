"""Parses YAML text to a node tree: the safe subset of YAML used by configurations, with every position kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from essmc_core.config.scalars import MAP_TAG, SEQ_TAG, resolve_plain, resolve_tagged, short_tag
from essmc_core.config.tree import (
    BASE_KEY,
    MAX_DEPTH,
    MAX_NODES,
    Entry,
    MappingNode,
    Node,
    ScalarNode,
    SequenceNode,
    describe,
    take_delete,
)
from essmc_core.errors import ConfigError, ConfigSyntaxError
from essmc_core.location import Location

if TYPE_CHECKING:
    import yaml

_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_NO_CODE = "Configurations are data: they hold strings, numbers, booleans, nulls, lists and mappings, and run no code."


def read_yaml(text: str, source: str, *, is_file: bool = True) -> Node | None:
    """Parses one YAML document; None if it is empty.

    An alias has the position of the ``*alias``; values inside it have the position where they were written.

    Args:
        text: the document.
        source: the name that positions carry.
        is_file: whether line numbers of the text are meaningful and ``_base_`` is allowed.

    Raises:
        ConfigSyntaxError: not YAML, or YAML beyond the subset: custom tags, keys that are not strings, duplicate keys,
            several documents, aliases that contain themselves or expand without bound.
        ConfigError: ``_base_`` or ``_delete_`` is misused.
    """
    import yaml

    loader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    composer = _Composer(source, is_file)
    try:
        return composer.document(yaml.parse(text, loader))
    except yaml.reader.ReaderError as error:
        raise _unreadable(text, chr(int(error.character)), composer) from None
    except UnicodeEncodeError as error:
        raise _unreadable(text, text[error.start], composer) from None
    except yaml.MarkedYAMLError as error:
        raise _malformed(error, composer) from None


@dataclass(frozen=True, slots=True)
class _Anchored:
    node: Node
    nodes: int
    height: int


class _Composer:
    """Builds nodes from parser events, one recursive step per nesting level."""

    def __init__(self, source: str, is_file: bool) -> None:
        self.source = source
        self.is_file = is_file
        self.nodes = 0
        self.deepest = 0
        # None marks an anchor whose node is still being read.
        self.anchors: dict[str, _Anchored | None] = {}
        self.events: Iterator[yaml.Event] = iter(())

    def at(self, mark: Any) -> Location:
        return Location(self.source, mark.line + 1, mark.column + 1) if self.is_file else Location(self.source)

    def fail(self, message: str, mark: Any, hint: str = "") -> NoReturn:
        raise ConfigSyntaxError(message, where=self.at(mark), hint=hint)

    def document(self, events: Iterator[yaml.Event]) -> Node | None:
        import yaml

        self.events = events
        root: Node | None = None
        documents = 0
        for event in events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            documents += 1
            if documents > 1:
                self.fail("a second document starts here; a configuration is one document", event.start_mark)
            root = self.node(next(events), 0)
        return root

    def node(self, event: Any, depth: int) -> Node:
        import yaml

        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, depth)
        self.grow(1, depth, event)
        if event.anchor:
            return self.anchored(event, depth)
        return self.content(event, depth)

    def content(self, event: Any, depth: int) -> Node:
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            return ScalarNode(self.scalar(event), self.at(event.start_mark))
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(event, depth)
        return self.mapping(event, depth)

    def grow(self, nodes: int, depth: int, event: yaml.Event) -> None:
        self.nodes += nodes
        self.deepest = max(self.deepest, depth)
        if self.nodes > MAX_NODES:
            self.fail(f"more than {MAX_NODES} values once its aliases are expanded", event.start_mark)
        if depth > MAX_DEPTH:
            self.fail(_TOO_DEEP, event.start_mark)

    def anchored(self, event: Any, depth: int) -> Node:
        self.anchors[event.anchor] = None
        nodes_before, deepest_before = self.nodes - 1, self.deepest
        self.deepest = depth
        node = self.content(event, depth)
        self.anchors[event.anchor] = _Anchored(node, self.nodes - nodes_before, self.deepest - depth)
        self.deepest = max(self.deepest, deepest_before)
        return node

    def alias(self, event: yaml.AliasEvent, depth: int) -> Node:
        name = event.anchor
        if name not in self.anchors:
            self.fail(f"the alias *{name} has no anchor &{name} before it", event.start_mark)
        found = self.anchors[name]
        if found is None:
            self.fail(f"the alias *{name} is inside its own anchor", event.start_mark)
        node = found.node
        self.grow(found.nodes, depth + found.height, event)
        where = self.at(event.start_mark)
        if isinstance(node, MappingNode):
            return MappingNode(node.entries, where, node.replaces)
        if isinstance(node, SequenceNode):
            return SequenceNode(node.items, where)
        return ScalarNode(node.value, where)

    def scalar(self, event: yaml.ScalarEvent) -> object:
        tag = event.tag or ""
        try:
            if tag not in ("", "!"):
                return resolve_tagged(tag, event.value)
            # An explicit "!" requests a string, as quotes do.
            return event.value if event.style or tag else resolve_plain(event.value)
        except LookupError:
            self.fail(f"the tag {short_tag(tag)} is not allowed", event.start_mark, _NO_CODE)
        except ValueError as error:
            self.fail(f"not a value: {error}", event.start_mark)

    def sequence(self, event: yaml.SequenceStartEvent, depth: int) -> SequenceNode:
        import yaml

        self.check_tag(event, SEQ_TAG)
        items: list[Node] = []
        for inner in self.events:
            if isinstance(inner, yaml.SequenceEndEvent):
                break
            items.append(self.node(inner, depth + 1))
        return SequenceNode(tuple(items), self.at(event.start_mark))

    def mapping(self, event: yaml.MappingStartEvent, depth: int) -> MappingNode:
        import yaml

        self.check_tag(event, MAP_TAG)
        own: dict[str, Entry] = {}
        merged: list[MappingNode] = []
        merge_mark: Any = None
        for key_event in self.events:
            if isinstance(key_event, yaml.MappingEndEvent):
                break
            if _is_merge_key(key_event):
                if merge_mark is not None:
                    self.fail(f"<< is already used at {self.at(merge_mark)}", key_event.start_mark)
                merge_mark = key_event.start_mark
                merged = self.merge_value(self.node(next(self.events), depth + 1))
                continue
            key = self.key(key_event, own, depth)
            own[key] = Entry(self.at(key_event.start_mark), self.node(next(self.events), depth + 1))
        entries: dict[str, Entry] = {}
        for mapping in reversed(merged):
            entries |= mapping.entries
        inherited = any(mapping.replaces for mapping in merged)
        return take_delete(entries | own, self.at(event.start_mark), inherited=inherited)

    def key(self, event: Any, own: dict[str, Entry], depth: int) -> str:
        node = self.node(event, depth + 1)
        if not isinstance(node, ScalarNode):
            self.fail(f"the key is a {describe(node)}; keys are strings", event.start_mark)
        if not isinstance(node.value, str):
            written = getattr(event, "value", "")
            hint = f'Quote it: "{written}".' if written else ""
            self.fail(f"the key {written or describe(node)} is not a string", event.start_mark, hint)
        if node.value in own:
            self.fail(f"the key {node.value!r} is already set at {own[node.value].key_where}", event.start_mark)
        if node.value == BASE_KEY and (depth > 0 or not self.is_file):
            raise ConfigError(f"{BASE_KEY} is read only at the top of a file", where=self.at(event.start_mark))
        return node.value

    def merge_value(self, node: Node) -> list[MappingNode]:
        nodes = node.items if isinstance(node, SequenceNode) else (node,)
        mappings = [item for item in nodes if isinstance(item, MappingNode)]
        for item in nodes:
            if not isinstance(item, MappingNode):
                raise ConfigSyntaxError(f"<< takes a mapping or a list of them, not {describe(item)}", where=item.where)
        return mappings

    def check_tag(self, event: yaml.CollectionStartEvent, allowed: str) -> None:
        if event.tag and event.tag not in ("!", allowed):
            self.fail(f"the tag {short_tag(event.tag)} is not allowed", event.start_mark, _NO_CODE)


def _is_merge_key(event: Any) -> bool:
    return getattr(event, "value", None) == "<<" and not event.style and event.tag is None


def _malformed(error: yaml.MarkedYAMLError, composer: _Composer) -> ConfigSyntaxError:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "not YAML"
    # Since 6.0.4 PyYAML has a limit of its own, which its look-ahead reaches first.
    if "maximum nesting depth" in problem:
        problem = _TOO_DEEP
    elif error.context and error.problem:
        problem = f"{problem} ({error.context})"
    hints = {
        "cannot start any token": "YAML indents with spaces, not tabs; text that starts with @ ` or % needs quotes.",
        "mapping values are not allowed": "A value that contains ': ' needs quotes; otherwise check the indentation.",
    }
    hint = next((text for part, text in hints.items() if part in problem), "")
    return ConfigSyntaxError(problem, where=composer.at(mark) if mark else Location(composer.source), hint=hint)


def _unreadable(text: str, character: str, composer: _Composer) -> ConfigSyntaxError:
    before = text.partition(character)[0]
    line = before.count("\n") + 1
    where = Location(composer.source, line, len(before) - before.rfind("\n")) if composer.is_file else None
    return ConfigSyntaxError(
        f"the character U+{ord(character):04X} cannot be part of a YAML file",
        where=where or Location(composer.source),
        hint='Remove it, or write it as an escape in double quotes, such as "\\x07".',
    )

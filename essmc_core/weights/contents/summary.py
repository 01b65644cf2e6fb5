"""Sorts what a file holds: state dicts under their keys, the state of training, and what else stands beside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from essmc_core.weights.checkpoint_parts import Part, parts_of
from essmc_core.weights.contents.files import Contents
from essmc_core.weights.contents.pickled import Array, Opaque
from essmc_core.weights.contents.stored import StoredTensor

_DEEPEST = 40
_LONGEST_TEXT = 120
# Names that modules give to tensors that are no parameters, beside those of whole numbers.
_BUFFER_NAMES = frozenset((
    "running_mean", "running_var", "num_batches_tracked", "relative_position_index", "relative_coords_table",
    "attn_mask", "position_ids", "token_type_ids", "rel_pos_index", "inv_freq", "anchors", "anchor_grid",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file holds, sorted.

    Attributes:
        contents: the file.
        parts: its state dicts; of several the one that a load takes comes first.
        optimizer: number of tensors in the states of optimizers, and their bytes.
        beside: plain values beside them: epoch, step, versions.
        others: names of what else stands beside them.
        program: the class of a whole module that was pickled or scripted, empty if there is none.
    """

    contents: Contents
    parts: tuple[Part, ...]
    optimizer: tuple[int, int] = (0, 0)
    beside: Mapping[str, Any] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    program: str = ""


def summarise(contents: Contents) -> Summary:
    """Returns what a file holds, sorted."""
    content = contents.content
    program = ""
    if isinstance(content, Opaque):
        program = content.qualified
        content = dict(_of_module(content, "", 0))
    elif isinstance(content, Mapping):
        whole = {key: value for key, value in content.items() if isinstance(value, Opaque)}
        found = {str(key): dict(_of_module(value, "", 0)) for key, value in whole.items()}
        modules = {key: tensors for key, tensors in found.items() if tensors}
        program = next((value.qualified for key, value in whole.items() if str(key) in modules), "")
        content = {**content, **modules}
    plain = _described(content, 0, {})
    if not isinstance(plain, Mapping):
        return Summary(contents, (), others=(type(content).__name__,), program=program)
    parts = tuple(sorted(parts_of(plain, is_stored), key=lambda part: (_rank(part), -len(part.tensors))))
    led_to = {part.path[0] for part in parts if part.path}
    optimizers = list(_optimizers(plain, 0))
    beside = {str(key): value for key, value in plain.items() if _is_plain(value)}
    others = tuple(
        str(key) for key, value in plain.items()
        if key not in led_to and not is_stored(value) and not _is_plain(value)
    )  # fmt: skip
    stored = [tensor for state in optimizers for tensor in _tensors(state, 0)]
    return Summary(contents, parts, (len(stored), sum(tensor.nbytes for tensor in stored)), beside, others, program)


def is_stored(value: object) -> bool:
    """Returns whether a value describes a tensor."""
    return isinstance(value, StoredTensor)


def is_buffer(name: str, tensor: StoredTensor) -> bool:
    """Returns whether a tensor is rather a buffer than a parameter, by what the file says or by name and dtype."""
    if tensor.is_parameter is not None:
        return not tensor.is_parameter
    return tensor.is_integer or name.rpartition(".")[2] in _BUFFER_NAMES


def distinct(tensors: Mapping[str, StoredTensor]) -> list[tuple[str, StoredTensor]]:
    """Returns tensors with the first name of each: tied ones are in a file once."""
    seen: set[object] = set()
    found = []
    for name, tensor in tensors.items():
        if tensor.place is None or tensor.place not in seen:
            seen.add(tensor.place)
            found.append((name, tensor))
    return found


def _rank(part: Part) -> int:
    """Orders state dicts as a load chooses them: averaged ones first, then those nearest to the top."""
    return (0 if part.averaged else 1) * 10 + (len(part.path) or 5)


def _described(value: object, depth: int, seen: dict[int, object]) -> object:
    if isinstance(value, Array):
        return value.described
    if not isinstance(value, Mapping) or depth > _DEEPEST:
        return value
    if id(value) not in seen:
        # A mapping may contain itself.
        seen[id(value)] = {}
        seen[id(value)] = {key: _described(inner, depth + 1, seen) for key, inner in value.items()}
    return seen[id(value)]


def _of_module(value: Opaque, front: str, depth: int) -> Iterator[tuple[str, object]]:
    """Yields the tensors of a module that was pickled whole, or of a TorchScript program."""
    state = value.state
    if not isinstance(state, Mapping) or depth > _DEEPEST:
        return
    tables = [state[key] for key in ("_parameters", "_buffers", "_modules") if isinstance(state.get(key), Mapping)]
    for table in tables or [state]:
        for name, inner in table.items():
            if isinstance(inner, StoredTensor):
                yield f"{front}{name}", inner
            elif isinstance(inner, Opaque):
                yield from _of_module(inner, f"{front}{name}.", depth + 1)


def _optimizers(content: object, depth: int) -> Iterator[Mapping[str, Any]]:
    if isinstance(content, Mapping):
        if "param_groups" in content and "state" in content:
            yield content
        elif depth < 3:
            for value in content.values():
                yield from _optimizers(value, depth + 1)
    elif isinstance(content, (list, tuple)) and len(content) < 100 and depth < 3:
        for value in content:
            yield from _optimizers(value, depth + 1)


def _tensors(content: object, depth: int) -> Iterator[StoredTensor]:
    if isinstance(content, StoredTensor):
        yield content
    elif isinstance(content, Mapping) and depth < 4:
        for value in content.values():
            yield from _tensors(value, depth + 1)


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST_TEXT and value.isprintable()
    return value is None or isinstance(value, (bool, int, float))

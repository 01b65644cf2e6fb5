"""What a state dict is of: our networks whose names and shapes are its own, and the lines that load it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from essmc_core.models.defaults import REGISTRIES, ZOO
from essmc_core.weights.key_maps import NAMES
from essmc_core.weights.layouts.layout import AnyLayout, Foreign, Shapes
from essmc_core.weights.layouts.recognise import Match, recognise, unwrapped
from essmc_core.weights.state_dict import strip_wrappers
from essmc_core.zoo.zoo import ZooEntry

if TYPE_CHECKING:
    from essmc_core.config import Config
    from essmc_core.models.derivation import Fit

# What networks call the clips that they are built for.
_FRAMES, _SIDES = ("num_frames", "temporal_size"), ("image_size", "spatial_size", "input_size")


@dataclass(frozen=True, slots=True)
class Recognised:
    """A network of ours that fits a state dict.

    Attributes:
        project: whose names the state dict has.
        backbone: the backbone, as a configuration.
        entries: zoo entries of that network, the likeliest by the file's name first.
        classes: number of classes of each part of the head.
        tensors: how many tensors of the file it covers: all of them.
        key_map: name of the key map, empty if loading needs none.
        python: the line that builds the network with these weights.
        command: the line that uses it, empty where there is no entry of that network.
        untold: arguments that names and shapes do not tell, which are assumed.
    """

    project: str
    backbone: Mapping[str, Any]
    entries: tuple[str, ...]
    classes: tuple[int, ...]
    tensors: int
    key_map: str
    python: str
    command: str
    untold: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nearest:
    """A network of ours that a state dict is not, though most of its tensors are equal in name and shape.

    Attributes:
        project: whose names the state dict has.
        backbone: the backbone, as a configuration.
        tensors: how many tensors are equal in name and shape.
        missing: names that the network has and the file has not.
        unknown: names that the file has and the network has not.
        other: names that both have, with the shapes in the file and in the network.
    """

    project: str
    backbone: Mapping[str, Any]
    tensors: int
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    other: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A network that essmc does not have, of which a state dict is.

    Attributes:
        project: whose it is.
        architecture: its name.
        arguments: as the shapes tell them, by the project's own names.
        advice: what comes nearest.
    """

    project: str
    architecture: str
    arguments: Mapping[str, Any]
    advice: str


@dataclass(frozen=True, slots=True)
class Recognition:
    """The networks that a state dict is of, those that essmc does not have, or else the nearest ones."""

    networks: list[Recognised]
    nearest: list[Nearest]
    elsewhere: list[Elsewhere] = field(default_factory=list)


def recognise_file(path: str, shapes: Shapes) -> list[Recognised]:
    """Returns our networks whose names and shapes are exactly those of a file's state dict; see `look_at`."""
    return look_at(path, shapes).networks


def look_at(path: str, shapes: Shapes) -> Recognition:
    """Finds our networks whose names and shapes are exactly those of a file's state dict.

    Several are networks that names and shapes do not tell apart; none means that no known one fits as a whole. Those
    that are known as they are need no torch; where a network is of other arguments than those, it is built on the meta
    device and compared.

    Args:
        path: of the file, for the lines that load it.
        shapes: of the tensors by name.
    """
    found: dict[str, Recognised] = {}
    layouts = NAMES.layouts()
    for match in recognise(shapes, layouts):
        for one in _of_entries(path, match) if match.layout.holds == "entries" else _of_backbones(path, match):
            found.setdefault(json.dumps([one.backbone, one.key_map], sort_keys=True, default=str), one)
    if found:
        return Recognition(sorted(found.values(), key=lambda one: not one.entries), [])
    if elsewhere := list(_elsewhere(shapes, layouts)):
        return Recognition([], [], elsewhere)
    # Most files are found in tables; what is imported and built otherwise takes several times as long.
    from essmc_core.models.derivation import derive

    fits = derive(shapes, layouts)
    exact = [_derived(path, fit, len(shapes)) for fit in fits if fit.is_exact]
    near = [
        Nearest(fit.layout.project, fit.backbone, fit.tensors, fit.missing, fit.unknown, fit.other)
        for fit in fits if not fit.is_exact
    ]  # fmt: skip
    return Recognition(exact, near)


def _elsewhere(shapes: Shapes, layouts: Iterable[AnyLayout]) -> Iterator[Elsewhere]:
    foreign = [layout for layout in layouts if isinstance(layout, Foreign)]
    for _, inner in unwrapped(strip_wrappers(shapes)):
        for layout in foreign:
            for architecture, arguments in layout.networks(inner):
                yield Elsewhere(layout.project, architecture, arguments, layout.advice.get(architecture, ""))


def _derived(path: str, fit: Fit, tensors: int) -> Recognised:
    """Returns the lines that load a network whose arguments were told by shapes."""
    weights = _weights_of_fit(path, fit)
    untold = fit.layout.untold
    common = (fit.layout.project, fit.backbone)
    if not fit.classes:
        python = f"essmc_core.weights.load_pretrained(essmc_core.BACKBONES.build({dict(fit.backbone)!r}), {weights})"
        return Recognised(*common, (), (), tensors, fit.layout.key_map, python, "", untold)
    entry, overrides = _entry_with_overrides(fit)
    if not entry:
        python = f"essmc_core.build_model({fit.model!r}, weights={weights})"
        return Recognised(*common, (), fit.classes, tensors, fit.layout.key_map, python, "", untold)
    python = f"essmc_core.build_model({entry!r}, weights={weights}, overrides={overrides!r})"
    words = ["essmc", "predict", entry, "FILE", *overrides, "--checkpoint", path]
    words += ["--key-map", fit.layout.key_map] if fit.layout.key_map else []
    command = "" if fit.wrapper else shlex.join(words)
    return Recognised(*common, (entry,), fit.classes, tensors, fit.layout.key_map, python, command, untold)


def _weights_of_fit(path: str, fit: Fit) -> str:
    key_map = fit.layout.key_map
    if not fit.wrapper:
        return repr({"uri": path, "key_map": key_map}) if key_map else repr(path)
    first = [[f"^{re.escape(fit.wrapper)}", ""]]
    if not key_map:
        return repr({"uri": path, "key_map": first})
    named = f"essmc_core.REGISTRIES['key_maps'].build({key_map!r})"
    return f"{{'uri': {path!r}, 'key_map': [*{first!r}, *{named}]}}"


def _entry_with_overrides(fit: Fit) -> tuple[str, list[str]]:
    """Returns an entry that becomes the network of a fit by overrides, and these; nothing where there is none."""
    head = fit.model["head"]
    for entry in ZOO.table:
        if not _may_have(entry, fit.backbone["type"]):
            continue
        name = ZOO.table.display_name(entry)
        theirs = _model_of(name).to_dict()
        backbone = _backbone_of(name)
        if backbone.get("type") != fit.backbone["type"] or theirs["head"].get("type") != head["type"]:
            continue
        if fit.is_same_as({**backbone, **fit.backbone}):
            return name, _overrides(backbone, theirs["head"], fit)
    return "", []


def _overrides(backbone: Mapping[str, Any], head: Mapping[str, Any], fit: Fit) -> list[str]:
    changed = {key: value for key, value in fit.backbone.items() if backbone.get(key) != value}
    found = [f"model.backbone.{key}={_value(value)}" for key, value in changed.items()]
    # What the network is built for is what it is shown.
    frames, sides = ([changed[name] for name in names if name in changed] for names in (_FRAMES, _SIDES))
    found += [f"input.frames={frames[0]}"] if frames else []
    found += [f"input.size=[{sides[0]},{sides[0]}]"] if sides else []
    wanted = {**fit.model["head"], "dim": fit.width} if "dim" in head else fit.model["head"]
    found += [f"model.head.{key}={_value(value)}" for key, value in wanted.items() if head.get(key) != value]
    return found


def _value(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _of_entries(path: str, match: Match) -> list[Recognised]:
    """Returns one network for each configuration of a backbone among the entries that match."""
    by_backbone: dict[str, list[str]] = {}
    backbones: dict[str, Mapping[str, Any]] = {}
    for name in match.networks:
        if ZOO.table.find(name) is None:
            continue
        backbone = _backbone_of(name)
        key = json.dumps(backbone, sort_keys=True, default=str)
        by_backbone.setdefault(key, []).append(name)
        backbones[key] = backbone
    return [_recognised(path, match, backbones[key], names, match.layout.key_map) for key, names in by_backbone.items()]


def _of_backbones(path: str, match: Match) -> list[Recognised]:
    registered = REGISTRIES["backbones"]
    found = []
    for network in match.networks:
        name = f"{match.layout.prefix}{network}"
        if registered.find(name) is None:
            continue
        # A file without a last layer is a backbone's.
        entries = [entry for entry in _entries_of(name) if match.head and _head_of(entry) == match.head]
        found.append(_recognised(path, match, {"type": name}, entries, ""))
    return found


def _recognised(path: str, match: Match, backbone: Mapping[str, Any], entries: list[str], key_map: str) -> Recognised:
    stated = {entry: _classes_of(entry) for entry in entries}
    # The last layers of a head are those that classify.
    outputs = max([1, *map(len, stated.values())])
    classes = match.classes[-outputs:]
    words = _words(path.rpartition("/")[2])
    likeliest = sorted(entries, key=lambda name: (stated[name] != classes, -len(words & _words(name)), name))
    python, command = _lines(path, match, backbone, likeliest, key_map, classes)
    project = "essmc" if match.is_ours else match.layout.project
    return Recognised(project, backbone, tuple(likeliest), classes, match.tensors, key_map, python, command)


def _lines(
    path: str, match: Match, backbone: Mapping[str, Any], entries: list[str], key_map: str, classes: tuple[int, ...]
) -> tuple[str, str]:
    """Returns the line of Python and the command that load the file; no command where a network has no entry."""
    if not match.classes:
        return _line_of_backbone(path, match, backbone), ""
    weights = _weights_expression(path, match, key_map, entries)
    number = list(classes) if len(classes) > 1 else classes[0]
    if not entries:
        head = {"type": "ClassifierHead", "num_classes": number}
        config = {"type": "Classifier", "backbone": dict(backbone), "head": head}
        return f"essmc_core.build_model({config!r}, weights={weights})", ""
    override = f"model.head.num_classes={number}" if classes != _classes_of(entries[0]) else ""
    python = f"essmc_core.build_model({entries[0]!r}, weights={weights}"
    python += f", overrides=[{override!r}])" if override else ")"
    if match.wrapper:
        return python, ""
    words = ["essmc", "predict", entries[0], "FILE", *filter(None, [override]), "--checkpoint", path]
    return python, shlex.join([*words, "--key-map", key_map] if key_map else words)


def _line_of_backbone(path: str, match: Match, backbone: Mapping[str, Any]) -> str:
    """Returns the line that loads a file without a last layer into a backbone."""
    fronts = [match.wrapper, "backbone." if match.is_ours else ""]
    pairs = [[f"^{re.escape(front)}", ""] for front in fronts if front]
    source = {"uri": path, "key_map": pairs} if pairs else path
    return f"essmc_core.weights.load_pretrained(essmc_core.BACKBONES.build({dict(backbone)!r}), {source!r})"


def _weights_expression(path: str, match: Match, key_map: str, entries: list[str]) -> str:
    """Returns the ``weights=`` of the line of Python."""
    if not match.wrapper and (entries or match.is_ours):
        return repr({"uri": path, "key_map": key_map}) if key_map else repr(path)
    first = [[f"^{re.escape(match.wrapper)}", ""]] if match.wrapper else []
    if key_map:
        named = f"essmc_core.REGISTRIES['key_maps'].build({key_map!r})"
        return f"{{'uri': {path!r}, 'key_map': [*{first!r}, *{named}]}}"
    if match.layout.holds == "backbones" and not match.is_ours:
        stated = ZOO.entry(entries[0]).section("weights").get("key_map") if entries else None
        last = [] if match.head == "head.fc" else [[f"^{re.escape(match.head)}\\.", "head.fc."]]
        theirs = [list(pair) for pair in stated] if isinstance(stated, (list, tuple)) else None
        first += theirs or [*last, [r"^(?!head\.fc\.)", "backbone."]]
    return repr({"uri": path, "key_map": first})


def _model_of(entry: str) -> Config:
    from essmc_core.models.recipes import read_recipe

    return read_recipe(entry).model


def _classes_of(entry: str) -> tuple[int, ...]:
    head = _model_of(entry).get("head")
    stated = head.get("num_classes") if isinstance(head, Mapping) else None
    if isinstance(stated, (tuple, list)):
        return tuple(stated)
    return () if stated is None else (stated,)


def _backbone_of(entry: str) -> Mapping[str, Any]:
    backbone = _model_of(entry).to_dict()["backbone"]
    return {"type": backbone} if isinstance(backbone, str) else backbone


def _entries_of(name: str) -> list[str]:
    """Returns the zoo entries whose backbone is a component without further arguments."""
    found = []
    for entry in ZOO.table:
        if _may_have(entry, name):
            model = entry.section("model")
            if isinstance(model, Mapping) and model.get("backbone") == {"type": name}:
                found.append(ZOO.table.display_name(entry))
    return found


def _may_have(entry: ZooEntry, name: str) -> bool:
    """Returns whether an entry may name a component; parsing all of them would take longer than all else."""
    if entry.file is None:
        return entry.name.startswith(name.rpartition("/")[2])
    return name in entry.file.read_text(encoding="utf-8")


def _head_of(entry: str) -> str:
    """Returns the path of the last layer in the file of an entry, as its key map has it."""
    pairs = ZOO.entry(entry).section("weights").get("key_map") or ()
    first = next((pair[0] for pair in pairs if not isinstance(pair, str) and pair[1].startswith("head.")), None)
    return "head.fc" if first is None else first.removeprefix("^").removesuffix(r"\.").replace("\\", "")


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower()))

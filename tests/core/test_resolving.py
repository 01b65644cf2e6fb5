"""A configuration is resolved once: each name looked up once, each annotation evaluated once, all read off parts."""

from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from collections import Counter

import pytest
from torch import nn

from essmc_core import BACKBONES, MODELS, REGISTRIES, Backbone, FeatureDim, Head, Model, build_model
from essmc_core.building import resolve as resolving
from essmc_core.building.construct import construct
from essmc_core.building.part import Part
from essmc_core.config import Config
from essmc_core.errors import SchemaError
from essmc_core.models.defaults import new_registries
from essmc_core.models.recipes import read_recipe, read_training, resolve_recipe, resolved_parts
from essmc_core.registry.component import Component
from essmc_core.registry.reading import live_signature, read_signature
from essmc_core.registry.registry import Registry

NAME = "tada2d_r50_k400"
SMALL = {"type": "VideoClassifier", "backbone": "ResNetR2D3D", "neck": "GlobalAveragePooling",
         "head": {"type": "VideoClassifierHead", "num_classes": 5}}  # fmt: skip


@pytest.fixture
def looked_up(monkeypatch) -> Counter[str]:
    counts: Counter[str] = Counter()
    original = Registry.component

    def component(self, name):
        counts[f"{self.kind}/{name}"] += 1
        return original(self, name)

    monkeypatch.setattr(Registry, "component", component)
    return counts


@pytest.fixture
def evaluated(monkeypatch) -> Counter[str]:
    counts: Counter[str] = Counter()
    original = resolving.evaluate

    def evaluate(annotation, kinds):
        counts[str(annotation)] += 1
        return original(annotation, kinds)

    monkeypatch.setattr(resolving, "evaluate", evaluate)
    return counts


def test_each_name_is_looked_up_once_and_each_annotation_evaluated_once(looked_up, evaluated):
    recipe = read_recipe(NAME, ["model.head.num_classes=5", "labels=null"])
    resolved = resolve_recipe(recipe)
    named = Counter(f"{part.component.kind}/{part.component.name}" for part in resolved.parts())
    assert looked_up == named
    assert sum(evaluated.values()) == sum(len(part.signature.parameters) for part in resolved.parts())
    looked_up.clear()
    evaluated.clear()
    assert isinstance(construct(resolved.model), nn.Module)
    # Constructors may build bricks of their own by name; what was resolved is neither looked up nor evaluated again.
    assert not {key for key in looked_up if not key.startswith("bricks/")} & set(named)


def test_what_is_resolved_cannot_be_changed():
    part = resolve_recipe(read_recipe(SMALL)).model
    with pytest.raises(dataclasses.FrozenInstanceError):
        part.component = None  # type: ignore[misc]


def test_source_and_live_signatures_resolve_to_the_same_tree():
    recipe = read_recipe(NAME)

    def tree(part: Part) -> object:
        fills = [(argument.name, argument.attribute) for argument in part.from_beside]
        return part.component.qualified, part.path, str(part.where), fills, [tree(child) for child in part.children]

    static, live = (resolve_recipe(recipe, read).model for read in (read_signature, live_signature))
    assert tree(static) == tree(live)
    assert static.arguments.keys() == live.arguments.keys()
    assert [(part.dotted, part.component) for part in static.walk()] == resolved_parts(recipe)


def test_a_part_says_what_is_built_where_and_from_what(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "model:\n"
        "  type: VideoClassifier\n"
        "  head: {type: VideoClassifierHead, num_classes: 5}\n"
        "  backbone:\n"
        "    type: ResNetR2D3D\n"
        "  neck: GlobalAveragePooling\n"
    )
    part = resolve_recipe(read_recipe(path), read_signature).model
    assert list(part.arguments) == ["backbone", "neck", "head"], "backbones are constructed first, then necks"
    assert [child.dotted for child in part.children] == ["model.head", "model.backbone", "model.neck"]
    assert str(part.arguments["backbone"].where) == f"{path}:5:5"
    assert [argument.name for argument in part.arguments["head"].from_beside] == ["dim"]
    assert part.kinds["head"] == "heads" and part.has_backbone


def test_mistakes_of_model_data_and_solver_come_at_once(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(
        "model: {type: VideoClassifier, backbone: ResNetR2D3DD, head: {type: VideoClassifierHead, num_classs: 5}}\n"
        "data: {train: {dataset: {type: VideoFolder, root_dir: here}, batch_sise: 3}}\n"
        "solver: {max_epoch: 3, optimizer: {type: AdamW, lr: none}}\n"
    )
    with pytest.raises(SchemaError) as raised:
        resolve_recipe(read_training(path).recipe, read_signature, whole=True)
    found = [(issue.path, issue.where.line) for issue in raised.value.issues if issue.where is not None]
    for expected in (
        ("model.backbone", 1),
        ("model.head.num_classs", 1),
        ("data.train.batch_sise", 2),
        ("solver.max_epoch", 3),
        ("solver.optimizer.lr", 3),
    ):
        assert expected in found


def test_a_solver_is_constructed_with_the_model_it_was_resolved_without(tmp_path):
    registries = new_registries()

    @registries["solvers"].register
    class Solves:
        def __init__(self, model: Model, epochs: int = 1, work_dir: str = "."):
            self.model, self.epochs, self.work_dir = model, epochs, work_dir

    resolver = resolving.Resolver(registries, live_signature)
    part = resolver.component("solvers", {"type": "Solves", "epochs": 3, "work_dir": "a"}, supplied={"model"})
    assert not resolver.mistakes.issues
    model = nn.Identity()
    solver = construct(part, model=model, work_dir="b")
    assert (solver.model, solver.epochs, solver.work_dir) == (model, 3, "b")
    resolver.component("solvers", {"type": "Solves", "model": "x"}, supplied={"model"})
    assert [issue.message for issue in resolver.mistakes.issues] == ["Solves has no argument 'model'"]


def test_a_solver_that_does_not_take_the_model_is_refused_before_anything_is_built():
    registries = new_registries()

    @registries["solvers"].register
    class Solves:
        def __init__(self, network: Model, epochs: int = 1):
            self.network, self.epochs = network, epochs

    resolver = resolving.Resolver(registries, live_signature)
    resolver.component("solvers", {"type": "Solves", "network": nn.Identity()}, ("solver",), supplied={"model"})
    assert [(issue.path, issue.message) for issue in resolver.mistakes.issues] == [
        ("solver.model", "Solves has no argument 'model'")
    ]


def test_heads_inside_a_head_take_from_the_backbone_too():
    registries = new_registries()

    @registries["backbones"].register
    class Width(nn.Module):
        num_features = 12

    @registries["heads"].register
    class One(nn.Module):
        def __init__(self, dim: FeatureDim):
            super().__init__()
            self.dim = dim

    @registries["heads"].register
    class Several(nn.Module):
        def __init__(self, heads: list[Head]):
            super().__init__()
            self.heads = nn.ModuleList(heads)

    @registries["models"].register
    class Net(nn.Module):
        def __init__(self, backbone: Backbone, head: Head):
            super().__init__()
            self.head = head

    model = registries["models"].build(
        {"type": "Net", "head": {"type": "Several", "heads": ["One", {"type": "One"}]}, "backbone": "Width"}
    )
    assert [head.dim for head in model.head.heads] == [12, 12]


def test_parts_inside_a_backbone_take_nothing_from_it():
    registries = new_registries()

    @registries["heads"].register
    class One(nn.Module):
        def __init__(self, dim: FeatureDim):
            super().__init__()
            self.dim = dim

    @registries["backbones"].register
    class WithHead(nn.Module):
        num_features = 12

        def __init__(self, part: Head):
            super().__init__()
            self.part = part

    @registries["models"].register
    class Net(nn.Module):
        def __init__(self, backbone: Backbone, head: Head):
            super().__init__()
            self.backbone, self.head = backbone, head

    build = registries["models"].build
    with pytest.raises(SchemaError, match=r"backbone\.part: One needs the argument 'dim'"):
        build({"type": "Net", "head": "One", "backbone": {"type": "WithHead", "part": "One"}})
    model = build({"type": "Net", "head": "One", "backbone": {"type": "WithHead", "part": {"type": "One", "dim": 3}}})
    assert (model.backbone.part.dim, model.head.dim) == (3, 12)


def test_a_constructor_that_takes_pretrain_is_passed_it_even_where_a_name_fixes_it():
    registries = new_registries()

    class Loads(nn.Module):
        def __init__(self, pretrain: str | None = None):
            super().__init__()
            self.pretrain = pretrain

    registries["bricks"].table.add(Component("bricks", "Loads", "acme", Loads, bound={"pretrain": "fixed.pth"}))
    build = registries["bricks"].build
    assert build("Loads").pretrain == "fixed.pth"
    assert build({"type": "Loads", "pretrain": "absent.pth"}).pretrain == "absent.pth"
    assert build({"type": "Loads", "pretrain": None}).pretrain is None


def test_the_card_and_the_pack_list_are_read_off_the_parts():
    model = build_model(SMALL)
    assert set(model.card["packs"]) == {"essmc-video", "essmc-classifiers"}


def test_a_registry_survives_pickling_where_another_process_has_it():
    assert pickle.loads(pickle.dumps(BACKBONES)) is BACKBONES
    assert pickle.loads(pickle.dumps(REGISTRIES)) is REGISTRIES
    code = f"import pickle; print(pickle.loads({pickle.dumps(MODELS)!r}).kind)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["models"]
    assert REGISTRIES["models"] is MODELS


def test_a_private_registry_says_why_it_cannot_be_pickled():
    with pytest.raises(pickle.PicklingError, match=r"private to this process.*essmc_core\.REGISTRIES"):
        pickle.dumps(new_registries()["bricks"])
    with pytest.raises(pickle.PicklingError, match="private to this process"):
        pickle.dumps(new_registries())


def test_knobs_are_checked_against_the_resolved_model(looked_up):
    model = {**SMALL, "backbone": {"type": "ResNetR2D3D"}}
    knobs = {"rate": "model.head.dropout_rate", "wide": "model.head.widht", "deep": "model.backbone.depth"}
    config = Config.from_mapping({"model": model, "knobs": knobs})
    with pytest.raises(SchemaError) as raised:
        resolve_recipe(read_recipe(config), read_signature)
    assert [issue.path for issue in raised.value.issues] == ["knobs.wide"]
    assert "VideoClassifierHead has no argument 'widht'" in raised.value.issues[0].message
    assert set(looked_up.values()) == {1}

"""Configurations are checked as a whole against signatures, before anything is built, with file, line and column."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

import essmc_core
from essmc_core import Neck
from essmc_core.config import Config, load_config
from essmc_core.errors import EssmcError, SchemaError, UnknownComponent
from essmc_core.models.defaults import REGISTRIES
from essmc_core.models.recipes import build_config, check_config, check_training, read_training
from essmc_core.registry.reading import live_signature, read_signature
from essmc_core.signatures.live import document, read_live
from essmc_core.signatures.signature import MISSING
from essmc_core.signatures.types import evaluate, nested_kind

BROKEN = """\
model:
  type: VideoClassifier
  backbone: {type: ResNet3D_TAd, depth: 50}
  neck: 3
  head:
    type: VideoClassifierHead
    dim: "256"
    dropout: 0.5
    # num_classes is missing
  topk: [1, five]
  loss: {weight: [1.0]}
"""


def _issues(text: str, tmp_path, static: bool = True) -> list:
    path = tmp_path / "model.yaml"
    path.write_text(text)
    config = load_config(path)
    read = read_signature if static else live_signature
    with pytest.raises(SchemaError) as caught:
        check_config("models", config["model"], read, prefix="model")
    return list(caught.value.issues)


@pytest.mark.parametrize("static", [True, False], ids=["source", "live"])
def test_every_mistake_is_listed_at_once_with_its_place(tmp_path, static):
    issues = _issues(BROKEN, tmp_path, static)
    found = {(i.where.line, i.where.column, i.path): f"{i.message} ({i.hint})" for i in issues}
    assert list(found) == [
        (3, 20, "model.backbone.type"),
        (4, 9, "model.neck"),
        (7, 10, "model.head.dim"),
        (8, 5, "model.head.dropout"),
        (6, 5, "model.head"),
        (10, 13, "model.topk.1"),
        (11, 9, "model.loss"),
    ]
    messages = list(found.values())
    assert "no backbone is called 'ResNet3D_TAd'; did you mean 'ResNet3D_TAda'" in messages[0]
    assert messages[1].startswith("expected a neck (a name, or a mapping with `type`), got 3 (int)")
    assert messages[2].startswith("expected int, got '256' (str)")
    assert messages[3].startswith("VideoClassifierHead has no argument 'dropout' (did you mean 'dropout_rate'?)")
    assert messages[4].startswith("VideoClassifierHead needs the argument 'num_classes' (int")
    assert "got 'five' (str)" in messages[5]
    assert messages[6].startswith("a loss needs a `type`")


def test_message_reads_as_file_line_column(tmp_path):
    with pytest.raises(SchemaError, match=r"model\.yaml:3:20: model\.backbone\.type: no backbone"):
        raise SchemaError(_issues(BROKEN, tmp_path))


def test_a_lone_unknown_name_is_raised_as_itself_with_its_place(tmp_path):
    path = tmp_path / "neck.yaml"
    path.write_text("type: GlobalAveragePoling\n")
    with pytest.raises(UnknownComponent, match=r"neck\.yaml:1:7: no neck is called"):
        build_config("necks", load_config(path))


def test_checking_a_whole_tree_imports_no_torch(python, tmp_path):
    path = tmp_path / "model.yaml"
    path.write_text(BROKEN.replace("ResNet3D_TAd,", "ResNet3D_TAda,"))
    done = python.essmc("validate", str(path), check=False)
    assert done.returncode == 2
    assert "6 mistakes in the configuration" in done.stderr
    code = """
    import essmc_core, sys
    from essmc_core.models.recipes import resolved_parts
    from essmc_core.models.recipes import read_recipe
    print(len(resolved_parts(read_recipe("tada2d_r50_k400"))), "torch" in sys.modules)
    """
    assert python.run(code).stdout.split() == ["4", "False"]


@pytest.mark.parametrize(
    ("value", "fits"),
    [(51, True), ("51", False), (51.0, False), (True, False), (None, False), ([51], False), ({}, False)],
)
def test_int_is_neither_text_nor_float_nor_bool(value, fits):
    cfg = {"type": "ClassifierHead", "dim": 8, "num_classes": value}
    if fits:
        assert essmc_core.HEADS.build(cfg).fc.out_features == 51
    else:
        with pytest.raises(SchemaError, match="num_classes: expected int"):
            essmc_core.HEADS.build(cfg)


def test_a_whole_number_serves_as_float_and_lists_serve_as_tuples():
    head = essmc_core.HEADS.build({"type": "ClassifierHead", "dim": 8, "num_classes": 2, "dropout_rate": 0})
    assert (head.dropout.p, head.fc.out_features) == (0, 2)
    for pair in ([3, 4], (3, 4)):
        two = essmc_core.HEADS.build({"type": "VideoClassifierHeadx2", "dim": 8, "num_classes": pair})
        assert (two.linear1.out_features, two.linear2.out_features) == (3, 4)


def test_scientific_notation_is_a_number(tmp_path):
    path = tmp_path / "backbone.yaml"
    path.write_text("type: ResNetR2D3D\ndepth: 10\nbn_params: {eps: 1e-3}\n")
    backbone = build_config("backbones", load_config(path))
    eps = {module.eps for module in backbone.modules() if hasattr(module, "eps")}
    assert eps == {1e-3}


def test_built_objects_pass_through_at_any_depth():
    backbone = essmc_core.BACKBONES.build({"type": "ResNetR2D3D", "depth": 10})
    cfg = {
        "type": "VideoClassifier",
        "backbone": backbone,
        "neck": {"type": "GlobalAveragePooling", "dim": 3},
        "head": {"type": "VideoClassifierHead", "dim": 256, "num_classes": 4},
    }
    before = {key: copy.deepcopy(value) for key, value in cfg.items() if key != "backbone"}
    assert essmc_core.MODELS.build(cfg).backbone is backbone
    assert {key: value for key, value in cfg.items() if key != "backbone"} == before


def _components():
    """Returns what our packs wrote themselves, less the one function that serves many names of another library."""
    records = [record for registry in REGISTRIES for record in registry.table]
    return [record for record in records if not record.bound and str(record.target).startswith("essmc_")]


@pytest.mark.parametrize("component", _components(), ids=lambda record: f"{record.kind}/{record.qualified}")
def test_source_and_live_signature_agree(component):
    static = read_signature(component)
    target = component.load()
    live = document(read_live(target), target).without(component.bound)
    assert static.static, "the signature must be readable without importing torch"
    assert static.takes_any is False, "**kwargs would swallow misspelled arguments"
    assert [p.name for p in static.parameters] == [p.name for p in live.parameters]
    for ours, theirs in zip(static.parameters, live.parameters, strict=True):
        assert (ours.default is MISSING) == (theirs.default is MISSING), ours.name
        assert evaluate(ours.annotation, REGISTRIES) == evaluate(theirs.annotation, REGISTRIES), ours.name
        assert ours.doc, f"{component.name} documents {ours.name}"
    assert static.line > 0 and (static.file, static.line) == (live.file, live.line)


@pytest.mark.parametrize(
    ("text", "accepted", "refused"),
    [
        ("int", [1], [1.5, "1", True, None]),
        ("float", [1, 1.5], ["1.5", None]),
        ("bool", [True], [1, "yes"]),
        ("str", ["a"], [1, None]),
        ("int | None", [1, None], ["a"]),
        ("Optional[int]", [1, None], ["a"]),
        ("Union[int, str]", [1, "a"], [1.5]),
        ("tuple[int, int]", [(1, 2), [1, 2]], [(1,), (1, "a"), "12", 5]),
        ("Sequence[int]", [(1, 2, 3), [], ()], ["12", (1, "a"), {"a": 1}]),
        ("list[list[bool]]", [[[True], []]], [[True]]),
        ("Mapping[str, float]", [{"a": 1}], [{"a": "b"}, [1], "a"]),
        ("dict", [{"a": object()}], [3]),
        ("Literal['avg', 'max']", ["avg"], ["min", 1]),
        ("'int | None'", [None, 1], ["a"]),
        ("int | Sequence[int]", [1, [1, 2]], ["a", [1.5]]),
        ("torch.device", ["cpu", 1, None], []),
        ("SomethingUnknown[int]", ["a"], []),
        ("not ! python", [1], []),
    ],
)
def test_annotations_of_every_spelling(text, accepted, refused):
    from essmc_core.building.values import misfit

    for value, fits in [(v, True) for v in accepted] + [(v, False) for v in refused]:
        expected = evaluate(text, REGISTRIES)
        wrong = None if expected is Any else misfit(expected, text, value, ("x",))
        assert (wrong is None) == fits, (text, value, wrong)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("Backbone", "backbones"), ("essmc_core.Neck", "necks"), ("LrScheduler", "lr_schedulers"), ("int", None)],
)
def test_aliases_name_their_registry(text, kind):
    assert nested_kind(evaluate(text, REGISTRIES)) == kind


def test_sequences_and_mappings_of_components_are_checked_and_built():
    registry = REGISTRIES.transforms

    @registry.register("TestChain")
    class Chain:
        def __init__(self, steps: list[Neck], named: dict[str, Neck] | None = None) -> None:
            self.steps, self.named = steps, named

    steps = ["Identity", {"type": "Identity"}]
    built = registry.build({"type": "TestChain", "steps": steps, "named": {"a": "Identity"}})
    assert [type(step).__name__ for step in (*built.steps, built.named["a"])] == ["Identity"] * 3
    with pytest.raises(SchemaError, match=r"steps\.1: no neck is called 'Identty'.*\n.*named\.a: expected a neck"):
        registry.build({"type": "TestChain", "steps": ["Identity", "Identty"], "named": {"a": 3}})
    registry.table.remove_where(lambda record: record.name == "TestChain")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["type", "backbone", "head", "neck", "topk", "loss", "x"]), json_values))
def test_no_data_makes_the_check_fail_otherwise_than_with_its_own_error(tree):
    config = Config.from_mapping({**tree, "type": "Classifier"})
    before = config.to_dict()
    with contextlib.suppress(SchemaError, UnknownComponent):
        check_config("models", config, live_signature)
    assert repr(config.to_dict()) == repr(before)


TRAINING = """\
model:
  type: VideoClassifier
  backbone: {type: ResNetR2D3D, depth: 10}
  neck: GlobalAveragePooling
  head: {type: VideoClassifierHead, num_classes: 9, dropout: 0.5}
data:
  train:
    dataset:
      type: VideoFolder
      data_root_dir: 3
      mode: trian
      pipeline:
        - {type: LoadVideoFromFile, num_frames: 8, sample_type: unifrom}
        - {type: VideoToTensr}
        - {type: NormalizeVideo, mean: [0.5, 0.5, 0.5]}
    batchsize: 4
    num_workers: two
  eval:
    dataset: [{type: MovingImages}, {type: DatasetRepeater, dataset: MovingImags, num_repeats: 2}]
  val: {dataset: MovingImages}
solver:
  max_epoch: 3
  optimizer: {type: AdamW, lr: fast, momentun: 0.9}
  lr_scheduler:
    type: SequentialLR
    schedulers: [{type: ConstantLR, factr: 1}, {type: CosineAnnealingLR}]
    milestones: [2]
  hooks:
    - {type: CheckpointHok}
    - {type: LogHook, log_interval: often}
  model: {}
sovler: {}
"""
TORCH_WRITES_BARS = Version(torch.__version__) >= Version("2.10")
"""Until then, torch's annotations were `Union[float, Tensor]`."""
MISTAKES = {
    (5, 53, "model.head.dropout"): "has no argument 'dropout'",
    (10, 22, "data.train.dataset.data_root_dir"): "expected str, got 3",
    (11, 13, "data.train.dataset.mode"): "expected Literal['train', 'eval', 'test'], got 'trian'",
    (13, 65, "data.train.dataset.pipeline.0.sample_type"): "got 'unifrom'",
    (14, 18, "data.train.dataset.pipeline.1.type"): "did you mean 'VideoToTensor'",
    (15, 11, "data.train.dataset.pipeline.2"): "needs the argument 'std'",
    (16, 5, "data.train.batchsize"): "did you mean 'batch_size'",
    (17, 18, "data.train.num_workers"): "expected int, got 'two'",
    (19, 70, "data.eval.dataset.1.dataset"): "did you mean 'MovingImages'",
    (20, 3, "data.val"): "there is train and eval",
    (22, 3, "solver.max_epoch"): "did you mean 'max_epochs'",
    (23, 32, "solver.optimizer.lr"): "expected float" if TORCH_WRITES_BARS else "expected Union",
    (23, 38, "solver.optimizer.momentun"): "has no argument 'momentun'",
    (26, 37, "solver.lr_scheduler.schedulers.0.factr"): "did you mean 'factor'",
    (26, 48, "solver.lr_scheduler.schedulers.1"): "needs the argument 'T_max'",
    (29, 14, "solver.hooks.0.type"): "did you mean 'CheckpointHook'",
    (30, 37, "solver.hooks.1.log_interval"): "expected int, got 'often'",
    (31, 10, "solver.model"): "section of its own",
    (32, 1, "sovler"): "did you mean 'solver'",
}


def _training_issues(text, tmp_path, read, overrides=()):
    path = tmp_path / "training.yaml"
    path.write_text(text)
    with pytest.raises(SchemaError) as caught:
        check_training(read_training(str(path), overrides), read)
    return list(caught.value.issues)


@pytest.mark.parametrize("read", [read_signature, live_signature], ids=["source", "live"])
def test_data_and_solver_are_checked_with_the_model(tmp_path, read):
    found = {(i.where.line, i.where.column, i.path): str(i) for i in _training_issues(TRAINING, tmp_path, read)}
    assert sorted(found) == sorted(MISTAKES)
    for place, message in MISTAKES.items():
        assert message in found[place]


def test_validating_a_training_configuration_imports_no_torch(python, tmp_path):
    path = tmp_path / "training.yaml"
    path.write_text(TRAINING)
    done = python.essmc("validate", str(path), "solver.seed=no", check=False)
    assert done.returncode == 2
    assert f"{len(MISTAKES) + 1} mistakes" in done.stderr and "training.yaml:23:32: solver.optimizer.lr" in done.stderr
    assert "override 'solver.seed=no': solver.seed: expected int" in done.stderr
    code = """
    import sys
    sys.argv = ["essmc", "validate", "motion_digits", "solver.optimizer.lr=1e-3"]
    from essmc_core.cli import main
    try:
        main()
    finally:
        print([name for name in ("torch", "torchvision", "timm", "accelerate", "av") if name in sys.modules])
    """
    assert python.run(code).stdout.splitlines() == ["motion_digits is valid: 11 components", "[]"]


ZOO_FILE = """\
zoo: motion_digits
knobs: {num_classes: 4}
data: {train: {dataset: {type: MovingImages, mode: train}}}
solver: {optimizer: {backbone: {type: SGD, lr: 0.1}, "*": timm_lamb}, lr_scheduler: {"*": StepLR}}
"""


def test_a_file_that_names_a_zoo_model_is_checked_with_its_knobs_under_the_users_changes(tmp_path):
    path = tmp_path / "zoo.yaml"
    path.write_text(ZOO_FILE.replace("StepLR", "timm_plateau"))
    read = read_training(str(path), ["dropout=0.25", "solver.max_epochs=3"])
    assert (read.recipe.model["head"]["num_classes"], read.recipe.model["head"]["dropout_rate"]) == (4, 0.25)
    assert read.recipe.entry.name == "motion_digits" and read.config["solver"]["max_epochs"] == 3
    parts = dict(check_training(read, read_signature))
    assert [parts[path].name for path in ("solver.optimizer.backbone", "solver.optimizer.*")] == ["SGD", "timm_lamb"]
    for change in ("num_classes=5", "knobs.num_classes=5"):
        assert read_training(str(path), [change]).recipe.model["head"]["num_classes"] == 5
    changes = ["num_classes=many", "solver.optimizer.backbone.params=1"]
    found = {i.path: i.message for i in _training_issues(ZOO_FILE, tmp_path, read_signature, changes)}
    assert list(found) == ["model.head.num_classes", "solver.optimizer.backbone.params", "solver.lr_scheduler.*"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: {zoo: motion_digits}\n", r"1:9: a zoo model is named by a section of its own\n.*zoo: motion_digits"),
        ("zoo: motion_digits\nmodel: {type: Net}\n", "a `model` or a `zoo`, not both"),
        ("zoo: motion_digits\nknobs: [3]\n", r"2:8: `knobs` is a mapping"),
        ("zoo: [3]\n", r"1:6: `zoo` is the name"),
        ("zoo: null\n", r"1:6: `zoo` is the name"),
        ("zoo: motion_digits\npretrained: perhaps\n", r"2:13: `pretrained` is true or false"),
        ("zoo: motion_digts\n", "did you mean 'motion_digits'"),
        ("zoo: motion_digits\nknobs: {num_class: 3}\n", "did you mean 'num_classes'"),
        ("zoo: motion_digits\ndata: 4\n", "2:7: .*data: {train"),
        ("zoo: motion_digits\ndata: {train: 4}\n", "data.train is a mapping with a `dataset`"),
        ("zoo: motion_digits\ndata: {train: {}}\n", "needs the argument 'dataset'"),
        ("zoo: motion_digits\nsolver: [2]\n", "2:9: .*`solver` is a mapping"),
        ("zoo: motion_digits\nwrights: {}\n", "no section 'wrights'"),
    ],
)
def test_files_that_name_a_zoo_model_wrongly(tmp_path, text, message):
    path = tmp_path / "zoo.yaml"
    path.write_text(text)
    with pytest.raises(EssmcError, match=message):
        check_training(read_training(str(path)), read_signature)


def test_validate_notes_arguments_that_have_no_effect(python, site, tmp_path):
    plugin = """
    from essmc_core import hookimpl

    @hookimpl
    def register_components(registries):
        registries.models.register("Net", "acme.net:Net", retired={"debug": (False, "set level")})
    """
    site.add("acme", plugin, files={"net.py": "class Net:\n    def __init__(self, level: int = 0):\n        pass\n"})
    path = tmp_path / "net.yaml"
    path.write_text("model: {type: Net, debug: false}\n")
    assert python.essmc("validate", str(path)).stdout.splitlines() == [
        f"{path} is valid: 1 components",
        "note: model.debug: has no effect; leave it out",
    ]
    assert python.run("import essmc_core; essmc_core.MODELS.build({'type': 'Net', 'debug': False})").returncode == 0
    refused = python.essmc("validate", str(path), "model.debug=true", check=False)
    assert refused.returncode == 2
    assert "model.debug: Net takes debug no more, other than as False; got True (bool) (set level)" in refused.stderr

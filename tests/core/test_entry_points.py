"""The same configurations, right and wrong, through every entry point: one reading, one answer, one place named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

import essmc_core
from essmc_core import TrainModule, build_model
from essmc_core.cli.app import cli
from essmc_core.errors import EssmcError
from essmc_core.models.defaults import ZOO
from essmc_core.models.exporting import export_model
from essmc_core.models.prediction import predict
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import ZooEntry

ENTRY = """\
summary: small
model: {type: Mean, num_classes: 3}
input: {modality: image, size: 8, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}
knobs: {num_classes: model.num_classes, scale: model.scale}
labels: [a, b, c]
"""
OWN = ENTRY.replace("summary: small\n", "")
STARTING = "zoo: entry_points\nknobs: {num_classes: 3}\n"


class Mean(TrainModule):
    """Scores an image by its mean."""

    def __init__(self, num_classes: int = 3, scale: float = 1.0) -> None:
        super().__init__()
        self.num_classes, self.scale = num_classes, scale
        self.head = nn.Linear(3, num_classes)

    def forward_train(self, img: Tensor, gt_label: Tensor) -> dict[str, Any]:
        raise NotImplementedError

    def forward_test(self, img: Tensor) -> Tensor:
        return (self.scale * self.head(img.mean((2, 3)))).softmax(1)


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    path = tmp_path_factory.mktemp("zoo") / "entry_points.yaml"
    path.write_text(ENTRY)
    essmc_core.MODELS.register(Mean)
    ZOO.add(ZooEntry("entry_points", "local", EntryFile(path)))
    yield
    ZOO.table.remove_where(lambda record: record.name == "entry_points")
    essmc_core.MODELS.table.remove_where(lambda record: record.name == "Mean")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9), (10, 200, 10)).save("p.png")
    return tmp_path


def command(*arguments: str) -> None:
    error = CliRunner().invoke(cli, list(arguments)).exception
    if error is not None and not (isinstance(error, SystemExit) and error.code in (0, None)):
        raise error


def _job(path: str, changes: list[str]) -> None:
    pytest.importorskip("essmc_solvers.commands.job").read_job(path, changes)


ENTRY_POINTS: dict[str, Callable[[str, list[str]], object]] = {
    "essmc build": lambda path, changes: command("build", path, *changes),
    "essmc predict": lambda path, changes: command("predict", path, "p.png", "--random", *changes),
    "essmc export": lambda path, changes: command("export", path, "--random", "-o", "out.pt", *changes),
    "essmc validate": lambda path, changes: command("validate", path, *changes),
    "build_model": lambda path, changes: build_model(path, overrides=changes),
    "predict": lambda path, changes: predict(path, "p.png", random=True, overrides=changes),
    "export_model": lambda path, changes: export_model(path, "out.pt", random=True, overrides=changes),
    "train and eval": _job,
}
entry_points = pytest.mark.parametrize("use", ENTRY_POINTS.values(), ids=ENTRY_POINTS)

RIGHT = {
    "a model": OWN,
    "a zoo entry": STARTING,
    "a section of one's own": OWN + "x-notes: {anything: [1, 2]}\n",
    "weights it has not got": OWN + "weights: {uri: nowhere.pth}\npretrained: false\n",
    "data and a solver": OWN + "data: {}\nsolver: {type: TrainValSolver}\n",
}
# ruff: noqa: E501
WRONG = {
    "a misspelled section": (OWN + "sumary: x\n", r"m.yaml:5:1: sumary: .*no section 'sumary' \(did you mean 'summary'"),
    "one beside zoo": (STARTING + "inputs: {}\n", r"m.yaml:3:1: inputs: .*did you mean 'input'"),
    "model misspelled": (OWN.replace("model: {", "modle: {"), r"m.yaml:1:1: modle: .*did you mean 'model'"),
    "a modality": (OWN.replace("modality: image", "modality: imag"), r"m.yaml:2:19: input.modality: .*'imag'"),
    "a mean": (OWN.replace("mean: [0.5, 0.5, 0.5]", "mean: [0.5, 0.5]"), r"m.yaml:2:\d+: input.mean: "),
    "a key of input": (OWN.replace("size: 8", "size: 8, crop_pc: 1"), r"m.yaml:2:35: input.crop_pc: .*'crop_pct'"),
    "an input that is none": (OWN.replace("input: {", "x-input: {") + "input: 224\n", r"m.yaml:5:8: input: .*mapping"),
    "an input over the entry's": (STARTING + "input: {size: no}\n", r"m.yaml:3:15: input.size: "),
    "a knob that points nowhere": (
        OWN.replace("scale: model.scale", "scale: model.scal"), r"m.yaml:3:\d+: knobs.scale: .*model.scal.* nowhere.*scale"
    ),
    "a knob that is a value": (OWN.replace("scale: model.scale", "scale: 3"), r"m.yaml:3:\d+: knobs.scale: a knob is a path"),
    "an unknown knob": (STARTING.replace("num_classes", "num_class"), r"m.yaml:2:9: .*did you mean 'num_classes'"),
    "an unknown entry": (STARTING.replace("entry_points", "entry_point"), r"m.yaml:1:6: .*did you mean '.*entry_points'"),
    "labels": (OWN.replace("[a, b, c]", "[a, b]"), r"m.yaml:4:9: (labels: )?there are 2 labels, and the head has 3 classes"),
    "a file of labels": (OWN.replace("[a, b, c]", "names.txt"), r"m.yaml:4:9: .*names.txt does not exist"),
    "weights of a wrong shape": (OWN + "weights: [a.pth]\n", r"m.yaml:5:10: weights: .*is a path"),
    "an option of weights": (OWN + "weights: {uri: a, sub_levl: x}\n", r"m.yaml:5:19: weights.sub_levl: .*'sub_level'"),
    "pretrained": (OWN + "pretrained: maybe\n", r"m.yaml:5:13: `pretrained` is true or false"),
    "no model": ("summary: x\n", r"m.yaml.*has no `model` to build"),
}  # fmt: skip
OVERRIDES = {
    "haed.dropout_rate=3": r"no section 'haed'",
    "dta.train.batch_size=3": r"no section 'dta'.*\n.*did you mean 'data.train.batch_size'",
    "scal.x=1": "no section 'scal'",
    "num_clases=3": "did you mean 'num_classes'",
    "haed=null": "no argument 'haed'",
    "model.num_clases=3": "no argument 'num_clases'",
    "model.head.dropout=3": "no argument 'head'",
    "input.sizes=3": "did you mean 'size'",
    "solver.max_epoch=3": "did you mean 'max_epochs'",
    "data.trian.batch_size=3": "data have no part 'trian'",
    "cost.parms=3": "no 'cost.parms' to override",
    "weights.uri_=3": "Unknown key 'uri_'",
}


@entry_points
@pytest.mark.parametrize("text", RIGHT.values(), ids=RIGHT)
def test_what_is_right_is_right_everywhere(use: Callable[[str, list[str]], object], text: str) -> None:
    Path("m.yaml").write_text(text)
    use("m.yaml", [])
    use("m.yaml", ["scale=2.0", "x-mine.a=1"])


@entry_points
@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_wrong_everywhere(use: Callable[[str, list[str]], object], text: str, message: str) -> None:
    Path("m.yaml").write_text(text)
    with pytest.raises(EssmcError, match=message):
        use("m.yaml", [])


@entry_points
@pytest.mark.parametrize("source", [OWN, STARTING], ids=["model", "zoo"])
@pytest.mark.parametrize(("change", "message"), OVERRIDES.items(), ids=OVERRIDES)
def test_no_override_is_ignored(
    use: Callable[[str, list[str]], object], source: str, change: str, message: str
) -> None:
    pytest.importorskip("essmc_solvers")
    Path("m.yaml").write_text(source)
    with pytest.raises(EssmcError, match=message):
        use("m.yaml", [change])


@pytest.mark.parametrize("change", OVERRIDES)
def test_overrides_of_a_name_and_of_a_mapping_follow_the_same_rule(change: str) -> None:
    path, _, text = change.partition("=")
    value = None if text == "null" else int(text)
    for source in ("entry_points", {"model": {"type": "Mean"}, "input": None}, {"zoo": "entry_points"}):
        for overrides in (change, [change], {path: value}):
            if change == "num_clases=3" and isinstance(source, dict) and "model" in source:
                continue  # declares no knobs to suggest
            if isinstance(source, dict) and "model" in source and change.startswith("input"):
                continue
            with pytest.raises(EssmcError, match=OVERRIDES[change]):
                build_model(source, overrides=overrides)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [("zoo=tada2d_r50_k400", "starts from no other zoo model"), ("pretrained=maybe", "`pretrained` is true or false")],
)
def test_sections_of_files_that_start_from_an_entry_are_not_ignored_elsewhere(change: str, message: str) -> None:
    for source in ("entry_points", {"model": {"type": "Mean"}}):
        with pytest.raises(EssmcError, match=message):
            build_model(source, overrides=change)


@pytest.mark.parametrize("overrides", [3, [3], {"model.scale=2"}], ids=str)
def test_overrides_of_another_type_are_refused_by_name(overrides: Any) -> None:
    with pytest.raises(EssmcError, match="Give 'path=value', a list of such"):
        build_model("entry_points", overrides=overrides)


@pytest.mark.parametrize("use", [use for name, use in ENTRY_POINTS.items() if name not in ("essmc predict", "predict")])
def test_a_wrong_kind_of_file_is_called_what_it_is_everywhere(use: Callable[[str, list[str]], object]) -> None:
    pytest.importorskip("essmc_solvers")
    with pytest.raises(EssmcError, match=r"p.png is a picture, not a model"):
        use("p.png", [])
    Path("net.onnx").write_bytes(b"\x08\x08\x12\x07pytorch")
    with pytest.raises(EssmcError, match=r"net.onnx is an ONNX network, not the .*\n.*essmc predict net.onnx FILE"):
        use("net.onnx", [])


@pytest.mark.parametrize(
    ("inputs", "options", "message"),
    [
        (None, {}, "a NoneType is no input"),
        (3, {}, "a int is no input"),
        ("p.png", {"topk": 1.5}, "whole number of at least 1"),
        ("https://somewhere.example/p.png", {}, "looks like a URL, of which none are fetched here: download it"),
    ],
)
def test_what_predict_cannot_take_is_said(inputs: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(EssmcError, match=message):
        predict("entry_points", inputs, random=True, **options)


def test_a_network_that_is_no_model_is_refused_by_predict() -> None:
    with pytest.raises(EssmcError, match="type Linear is no model"):
        predict(nn.Linear(3, 3), "p.png")  # type: ignore[call-overload]


def test_an_override_may_be_one_string() -> None:
    for source in ("entry_points", {"zoo": "entry_points"}):
        assert build_model(source, overrides="model.scale=2.5").scale == 2.5
        assert build_model(source, overrides="scale=2.5").scale == 2.5
        assert build_model(source, overrides={"num_classes": 7}).num_classes == 7


def test_a_file_that_starts_from_an_entry_has_its_sections_under_its_own() -> None:
    Path("m.yaml").write_text("zoo: entry_points\nknobs: {num_classes: 2}\ninput: {size: 6}\nlabels: [x, y]\n")
    found = predict("m.yaml", "p.png", random=True, topk=9)
    assert {ranked.label for ranked in found.predictions} == {"x", "y"}
    assert found.input_shape == (1, 3, 6, 6), "size is the file's, mean and std the entry's"
    Path("m.yaml").write_text("zoo: entry_points\nknobs: {num_classes: 2}\n")
    found = predict("m.yaml", "p.png", random=True)
    assert {ranked.label for ranked in found.predictions} == {"0", "1"}, "the entry's names are of three classes"
    Path("m.yaml").write_text("zoo: entry_points\n")
    assert {ranked.label for ranked in predict("m.yaml", "p.png", random=True).predictions} == {"a", "b", "c"}


def test_weights_of_a_file_that_starts_from_an_entry_replace_the_entrys() -> None:
    torch.manual_seed(0)
    model = build_model("entry_points")
    torch.save(model.state_dict(), "own.pth")
    Path("m.yaml").write_text("zoo: entry_points\nweights: {uri: own.pth}\n")
    loaded = build_model("m.yaml", pretrained=True)
    assert torch.equal(loaded.head.weight, model.head.weight)


def test_json_of_validate_lists_every_mistake() -> None:
    text = OWN.replace("modality: image", "modality: imag").replace("[a, b, c]", "[a]") + "sumary: x\n"
    Path("m.yaml").write_text(text)
    found: Any = json.loads(CliRunner().invoke(cli, ["validate", "m.yaml", "--json"]).stdout)
    assert [issue["path"] for issue in found["issues"]] == ["sumary", "input.modality", "labels"]


def test_validate_refuses_weights_that_training_would_not_find() -> None:
    Path("m.yaml").write_text(OWN + "weights: {uri: nowhere.pth}\n")
    with pytest.raises(EssmcError, match=r"m.yaml:5:\d+: weights: there is no weights file nowhere.pth"):
        command("validate", "m.yaml")

"""`essmc export`: the file gives the model's numbers, or there is no file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import essmc_core
from essmc_core import TrainModule
from essmc_core.errors import ConfigError, EssmcError, MissingDependency, WeightsCorrupt
from essmc_core.models.exporting import ExportError
from essmc_core.models.formats.file_format import CARD
from essmc_core.models.formats.torchscript import extra_file

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated:FutureWarning")


class Tiny(TrainModule):
    """A linear classifier of 8 x 8 pictures, with a defect if asked for."""

    def __init__(self, defect: str = "") -> None:
        super().__init__()
        self.fc = nn.Linear(192, 3)
        self.defect = defect

    def forward_train(self, img: torch.Tensor, gt_label: Any = None) -> Any:
        raise NotImplementedError

    def forward_test(self, img: torch.Tensor, gt_label: Any = None) -> Any:
        if self.defect == "pooled":
            return img.mean((2, 3)).softmax(1)
        if self.defect == "branch on width":
            return (img if img.shape[3] == 8 else -img).mean((2, 3)).softmax(1)
        scores = self.fc(img.flatten(1))
        if self.defect == "branch" and bool(img.sum() > 0):
            scores = -scores
        if self.defect == "fixed batch":
            scores = scores.reshape(int(img.shape[0]), 3) + torch.zeros(int(img.shape[0]), 3)
        if self.defect == "two":
            return {"one": scores.softmax(1), "other": scores.sigmoid()}
        if self.defect == "nan":
            return scores / 0 * 0
        return scores.softmax(1)


@pytest.fixture(scope="module", autouse=True)
def _registered():
    essmc_core.MODELS.register("export_tiny")(Tiny)
    yield
    essmc_core.MODELS.table.remove_where(lambda component: component.name == "export_tiny")


def config(defect: str = "") -> dict[str, Any]:
    picture = {"modality": "image", "size": 8, "mean": [0.5] * 3, "std": [0.5] * 3}
    return {"model": {"type": "export_tiny", "defect": defect}, "input": picture, "labels": ["a", "b", "c"]}


def inputs(batch: int) -> torch.Tensor:
    return torch.randn(batch, 3, 8, 8)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("a.pt", "torchscript"), ("a.pt2", "pt2")])
def test_the_file_gives_the_model_s_numbers_for_any_batch(tmp_path: Path, name: str, kind: str) -> None:
    state = Tiny().state_dict()
    torch.save(state, tmp_path / "weights.pth")
    made = essmc_core.export_model(config(), tmp_path / name, checkpoint=tmp_path / "weights.pth")
    assert (made.format, made.path, made.any_batch) == (kind, tmp_path / name, True)
    assert made.bytes == (tmp_path / name).stat().st_size and made.input_shape == (3, 8, 8)
    assert made.difference <= 1e-6 and made.weights == str(tmp_path / "weights.pth")
    model = Tiny().eval()
    model.load_state_dict(state)
    loaded = torch.jit.load(made.path) if kind == "torchscript" else torch.export.load(made.path).module()
    for batch in (1, 5):
        given = inputs(batch)
        torch.testing.assert_close(loaded(given), model(given))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "weights.pth"])


def test_the_file_says_what_is_in_it(tmp_path: Path) -> None:
    cards = []
    for name in ("a.pt", "a.pt2"):
        essmc_core.export_model(config(), tmp_path / name, random=True)
        extra = {"essmc.json": ""}
        if name == "a.pt":
            torch.jit.load(tmp_path / name, _extra_files=extra)
        else:
            torch.export.load(tmp_path / name, extra_files=extra)
        cards.append(json.loads(extra["essmc.json"]))
    for card in cards:
        assert card["labels"] == ["a", "b", "c"] and card["input"]["mean"] == [0.5, 0.5, 0.5]
        assert card["card"]["config"]["model"]["type"] == "export_tiny"


def test_several_outputs_are_exported(tmp_path: Path) -> None:
    for name in ("a.pt", "a.pt2"):
        assert essmc_core.export_model(config("two"), tmp_path / name, random=True).any_batch


def test_a_trace_that_holds_its_batch_says_so(tmp_path: Path) -> None:
    assert not essmc_core.export_model(config("fixed batch"), tmp_path / "a.pt", random=True).any_batch


@pytest.mark.parametrize(
    ("defect", "name", "message"),
    [
        ("branch", "a.pt", "other numbers than the model: they differ by up to"),
        ("branch", "a.pt2", "Tiny cannot be exported so: "),
        ("nan", "a.pt", "they differ by up to nan"),
    ],
)
def test_a_file_that_would_be_wrong_leaves_the_old_one(tmp_path: Path, defect: str, name: str, message: str) -> None:
    (tmp_path / name).write_text("the old file")
    with pytest.raises(ExportError, match=message):
        essmc_core.export_model(config(defect), tmp_path / name, random=True)
    assert (tmp_path / name).read_text() == "the old file"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("dynamic", "name", "kind", "message"),
    [
        (["height"], "a.pt2", ExportError, "Tiny takes no other height: "),
        (["frames"], "a.pt2", ConfigError, "The input has no frames"),
        (["depth"], "a.pt2", ConfigError, "There is no size 'depth'"),
        (["width"], "a.pt", ConfigError, "keeps its sizes"),
    ],
)
def test_sizes_that_cannot_be_open_are_refused_by_name(tmp_path, dynamic, name, kind, message) -> None:
    with pytest.raises(kind, match=message):
        essmc_core.export_model(config(), tmp_path / name, random=True, dynamic=dynamic)
    assert list(tmp_path.iterdir()) == []


def test_open_sizes_take_others(tmp_path: Path) -> None:
    made = essmc_core.export_model(config("pooled"), tmp_path / "a.pt2", random=True, dynamic=["height", "width"])
    program = torch.export.load(made.path).module()
    given = torch.randn(3, 3, 13, 6)
    found = program(given)
    assert made.dynamic == ("height", "width")
    torch.testing.assert_close(found, given.mean((2, 3)).softmax(1))


def test_a_size_that_the_network_computes_with_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="Tiny cannot be exported with other width: "):
        essmc_core.export_model(config("branch on width"), tmp_path / "a.pt2", random=True, dynamic=["width"])


@pytest.mark.slow
def test_openvino_s_two_files_belong_together(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")
    made = essmc_core.export_model(config(), tmp_path / "a.xml", random=True)
    files = [tmp_path / "a.bin", tmp_path / "a.xml"]
    assert sorted(tmp_path.iterdir()) == files and made.bytes == sum(file.stat().st_size for file in files)
    picture = np.full((8, 8, 3), 100, np.uint8)
    for place in (made.path, tmp_path):
        assert {one.label for one in essmc_core.predict(place, picture).predictions} == {"a", "b", "c"}
    files[0].write_bytes(files[0].read_bytes()[::-1])
    with pytest.raises(WeightsCorrupt, match="the weights of another network"):
        essmc_core.predict(made.path, picture)
    files[0].unlink()
    with pytest.raises(WeightsCorrupt, match="lacks its weights"):
        essmc_core.predict(made.path, picture)


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    export = essmc_core.export_model
    with pytest.raises(ConfigError, match="no format 'tflite'"):
        export(config(), tmp_path / "a.pt", format="tflite", random=True)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="is a directory"):
        export(config(), tmp_path, random=True)
    with pytest.raises(ExportError, match="There is no directory"):
        export(config(), tmp_path / "absent" / "a.pt", random=True)
    with pytest.raises(ConfigError, match="has no `input` section"):
        export({"model": {"type": "export_tiny"}}, tmp_path / "a.pt", random=True)
    with pytest.raises(EssmcError, match="names no weights"):
        export(config(), tmp_path / "a.pt")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_onnx_gives_the_same_numbers_or_says_what_to_install(tmp_path: Path) -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependency, match="pip install onnx onnxscript onnxruntime"):
            essmc_core.export_model(config(), tmp_path / "a.onnx", random=True)
        return
    made = essmc_core.export_model(config(), tmp_path / "a.onnx", random=True)
    session = onnxruntime.InferenceSession(str(made.path))
    found = session.run(None, {session.get_inputs()[0].name: inputs(4).numpy()})[0]
    assert made.difference <= 1e-5 and found.shape == (4, 3)


def test_the_command_writes_and_refuses(python: Any) -> None:
    done = python.essmc("export", "motion_digits", "--random", "-o", "a.pt2", "--json")
    assert json.loads(done.stdout)["format"] == "pt2" and "Warning" not in done.stderr
    assert (python.cwd / "a.pt2").stat().st_size == json.loads(done.stdout)["bytes"]
    refused = python.essmc("export", "motion_digits", "--random", "-o", "absent/a.pt2", check=False)
    assert refused.returncode == 2 and refused.stderr.startswith("Error: There is no directory absent.")


@pytest.mark.parametrize("place", ["model/extra", "extra_files"])
def test_the_card_is_found_in_the_layout_of_older_torch_too(tmp_path: Path, place: str) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as archive:
        archive.writestr(f"{place}/{CARD}", "{}")
    assert extra_file(tmp_path / "model.pt2") == "{}"

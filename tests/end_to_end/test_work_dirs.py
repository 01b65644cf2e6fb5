"""A work dir of training, or a checkpoint in it, is a model wherever a model is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image
from torch import Tensor, nn

import essmc_core
from essmc_core import TrainModule
from essmc_core.cli.app import cli
from essmc_core.errors import EssmcError
from essmc_core.models.defaults import ZOO
from essmc_core.zoo.sources import EntryFile
from essmc_core.zoo.zoo import ZooEntry


class Brightness(TrainModule):
    """Tells colours by the mean of each channel."""

    def __init__(self, num_classes: int = 3, width: int = 8) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.net = nn.Sequential(nn.Linear(3, width), nn.ReLU(), nn.Linear(width, num_classes))

    def scores(self, img: Tensor) -> Tensor:
        found: Tensor = self.net(img.mean((2, 3)))
        return found

    def forward_train(self, img: Tensor, gt_label: Tensor) -> dict[str, Any]:
        return {"loss": nn.functional.cross_entropy(self.scores(img), gt_label), "batch_size": len(img)}

    def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
        found = self.scores(img).softmax(1)
        if gt_label is None:
            return found
        return {"logits": found, "batch_size": len(img), "acc@1": (found.argmax(1) == gt_label).float().mean()}


ENTRY = """
summary: colours
model: {type: Brightness, num_classes: 2}
input: {modality: image, size: 8, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], crop_pct: 1.0}
knobs: {num_classes: model.num_classes, width: model.width}
labels: [dark, light]
weights_note: none
"""
TRAINING = """
data:
  train:
    dataset: {type: ImageFolder, root_dir: pictures/train, mode: train, pipeline: &pipeline [
      {type: LoadImageFromFile}, {type: ImageToTensor}, {type: Resize, size: [8, 8]},
      {type: Normalize, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}, {type: Select, keys: [img, gt_label]}]}
    batch_size: 6
    shuffle: true
  eval: {dataset: {type: ImageFolder, root_dir: pictures/eval, pipeline: *pipeline}, batch_size: 6}
solver:
  max_epochs: 12
  device: cpu
  optimizer: {type: AdamW, lr: 0.05}
  hooks: [{type: CheckpointHook, save_best: true, keep_last: 2}]
"""
FILES = {
    "own": "model: {type: Brightness, num_classes: 3}\n"
    "input: {modality: image, size: 8, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], crop_pct: 1.0}\n",
    "zoo": "zoo: colours\nknobs: {num_classes: 3}\n",
}
COLOURS = {"blue": (0, 0, 250), "green": (0, 250, 0), "red": (250, 0, 0)}


class Commands:
    """The command line, run in this process."""

    def __call__(self, *arguments: str) -> Result:
        result = CliRunner().invoke(cli, list(arguments), prog_name="essmc", catch_exceptions=True)
        error = result.exception
        if error is not None and not isinstance(error, (EssmcError, SystemExit)):
            raise error
        return result

    def json(self, *arguments: str) -> Any:
        result = self(*arguments, "--json")
        assert result.exception is None, result.exception
        return json.loads(result.stdout)

    def refused(self, *arguments: str) -> str:
        error = self(*arguments).exception
        assert isinstance(error, EssmcError), error
        return str(error)

    def best(self, *arguments: str) -> tuple[str, float]:
        found = self.json("predict", *arguments, "rose.png")["predictions"][0]
        return found["label"], found["probability"]


@pytest.fixture
def essmc() -> Commands:
    return Commands()


@pytest.fixture(scope="module", params=["own", "zoo"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the training of a model that tells red, green and blue pictures apart."""
    pytest.importorskip("essmc_data.loading")
    folder = tmp_path_factory.mktemp("colours")
    for mode, count in (("train", 6), ("eval", 2)):
        for name, colour in COLOURS.items():
            (folder / "pictures" / mode / name).mkdir(parents=True)
            for index in range(count):
                shade = tuple(max(0, channel - 5 * index) for channel in colour)
                Image.new("RGB", (12, 10), shade).save(folder / "pictures" / mode / name / f"{index}.png")
    Image.new("RGB", (30, 20), (230, 10, 10)).save(folder / "rose.png")
    (folder / "photos.yaml").write_text(FILES[request.param] + TRAINING)
    (folder / "colours.yaml").write_text(ENTRY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        essmc_core.MODELS.register(Brightness)
        ZOO.table.remove_where(lambda record: record.name == "colours")
        ZOO.add(ZooEntry("colours", "local", EntryFile(folder / "colours.yaml")))
        result = Commands()("train", "photos.yaml")
        assert result.exception is None, result.exception
    yield folder
    ZOO.table.remove_where(lambda record: record.name == "colours")
    essmc_core.MODELS.table.remove_where(lambda record: record.name == "Brightness")


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The work dir of that training, copied with all that is beside it."""
    shutil.copytree(trained, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy" / "work_dirs" / "photos"


def test_whoever_takes_a_model_takes_a_work_dir(essmc: Commands, run: Path) -> None:
    expected = essmc.best("work_dirs/photos")
    assert expected[0] == "red"

    # Elsewhere, without the pictures and the file it was trained from.
    moved = Path("elsewhere")
    shutil.move(str(run), moved)
    shutil.rmtree("pictures/train")
    Path("photos.yaml").unlink()
    shutil.copy(moved / "best.pth", "lone.pth")
    for model in ("elsewhere", "elsewhere/best.pth", "lone.pth", str(moved.resolve())):
        assert essmc.best(model) == expected, model

    built = essmc.json("build", "elsewhere")
    assert built["weights"]["coverage"] == 1.0 and built["output"] == {"": [1, 3]}
    for model in ("elsewhere", "lone.pth"):
        assert essmc.json("eval", model)["acc@1"] == 1.0
        assert "is valid" in essmc("validate", model).stdout
        assert essmc.json("show", model)["labels"] == ["blue", "green", "red"]
    exported = essmc.json("export", "elsewhere", "--format", "torchscript")
    assert exported["input_shape"] == [3, 8, 8] and exported["weights"].endswith("best.pth")

    want = torch.load("lone.pth", weights_only=True)["state_dict"]
    for source in ("elsewhere", Path("elsewhere"), "elsewhere/best.pth", Path("lone.pth")):
        state = essmc_core.build_model(source).state_dict()
        assert state.keys() == want.keys() and all(torch.equal(state[key], want[key]) for key in want), source


def test_a_checkpoint_describes_its_model_as_files_of_save_do(essmc: Commands, run: Path) -> None:
    start = (run / "best.pth").resolve()
    changes = ["solver.hooks=[{type: CheckpointHook}, {type: EmaHook, decay: 0.5}]", "solver.max_epochs=2"]
    changes += ["pretrained=true"] if "zoo:" in Path("photos.yaml").read_text() else []
    trained = essmc("train", "photos.yaml", f"weights={start}", *changes, "--work-dir", "again")
    assert trained.exception is None, trained.exception
    shutil.move("again/epoch-00002.pth", "lone.pth")
    shutil.rmtree("again")
    shutil.rmtree("pictures")

    content = torch.load("lone.pth", weights_only=True)
    said = content["card"]
    assert str(start.parent) not in json.dumps(said) and "data" not in said["config"]
    assert said["config"]["input"]["size"] == 8 and said["config"]["labels"] == ["blue", "green", "red"]
    assert said["weights"] == {"trained": {"epochs": 2}, "start": said["weights"]["start"]}
    assert said["weights"]["start"]["uri"] == start.name and said["weights"]["start"]["coverage"] == 1.0

    loaded = essmc_core.load("lone.pth")
    averaged = content["state_dict_ema"]
    assert any(not torch.equal(averaged[key], content["state_dict"][key]) for key in averaged)
    assert all(torch.equal(value, averaged[key]) for key, value in loaded.state_dict().items())
    assert loaded.card is not None and loaded.card["weights"]["origin"] == said["weights"]  # type: ignore[index]
    assert "essmc_core.load('lone.pth') rebuilds it" in essmc("inspect", "lone.pth").stdout
    assert essmc.best("lone.pth")[0] == "red"
    again = essmc_core.load(essmc_core.save(loaded, "small.safetensors"))
    assert all(torch.equal(value, averaged[key]) for key, value in again.state_dict().items())
    assert essmc.json("inspect", "small.safetensors")["description"]["weights"] == said["weights"]


def test_a_checkpoint_of_a_changed_dtype_comes_back_in_it(run: Path) -> None:
    content = torch.load(run / "best.pth", weights_only=True)
    content["state_dict"] = {f"module.{key}": value.bfloat16() for key, value in content["state_dict"].items()}
    torch.save(content, "half.pth")
    assert {value.dtype for value in essmc_core.load("half.pth").state_dict().values()} == {torch.bfloat16}


def test_a_damaged_best_checkpoint_gives_way_to_the_last_that_is_whole(essmc: Commands, run: Path) -> None:
    newest = sorted(run.glob("epoch-*.pth"))[-1]
    stands = (run / "best.pth").resolve()
    content = stands.read_bytes()
    stands.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    with pytest.warns(UserWarning, match="hash is another"):
        found = essmc.json("predict", "work_dirs/photos", "rose.png")
    assert found["weights"].endswith(newest.name)
    assert "hash is another" in essmc.refused("predict", "work_dirs/photos/best.pth", "rose.png")
    for path in run.glob("epoch-*.pth"):
        path.write_bytes(b"")
    with pytest.warns(UserWarning, match="cut short"):
        error = essmc.refused("predict", "work_dirs/photos", "rose.png")
    assert "every checkpoint in work_dirs/photos is damaged" in error


def test_what_is_said_of_runs(essmc: Commands, run: Path) -> None:
    shown = essmc("show", "work_dirs/photos").stdout
    assert "work_dirs/photos/best.pth" in shown and "3: blue, green, red" in shown

    assert "run.yaml` trains anew" in essmc.refused("train", "work_dirs/photos")
    again = essmc("train", "work_dirs/photos/run.yaml", "solver.max_epochs=1", "--work-dir", "again")
    assert again.exception is None and essmc.best("again")[0] in COLOURS
    other = essmc.json("predict", "work_dirs/photos", "rose.png", "--checkpoint", "again")
    assert other["weights"].startswith("again/")

    torch.save(torch.load("again/epoch-00001.pth", weights_only=True)["state_dict"], "plain.pth")
    Path("empty").mkdir()
    for model, message in {
        "plain.pth": "does not say of which model",
        "./empty": "is a folder without a training in it",
        "work_dirs/photo": "no zoo model is called 'work_dirs/photo'",
        "work_dirs/photos/epoch-00099.pth": "there is no checkpoint",
    }.items():
        assert message in essmc.refused("predict", model, "rose.png"), model


def test_a_pack_that_is_gone_is_named(essmc: Commands, run: Path) -> None:
    text = (run / "run.yaml").read_text()
    (run / "run.yaml").write_text(text.replace("x-packs: {}", "x-packs: {essmc-colors: '1.0'}"))
    error = essmc.refused("predict", "work_dirs/photos", "rose.png")
    assert "was made with essmc-colors 1.0, which is not installed" in error and "pip install essmc-colors" in error

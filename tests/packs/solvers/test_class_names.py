"""Evaluation data whose classes are numbered otherwise than the model's are mapped by name, or refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from essmc_core import SOLVERS, TrainModule
from essmc_core.errors import ConfigError
from essmc_data.datasets.combining import DatasetRepeater
from essmc_devkit.testing.fixtures import Python
from essmc_solvers.data.class_names import ClassMap, KnownClasses, class_names, map_classes
from essmc_solvers.errors import DataError, LabelError

WORDS = ("ant", "bee", "cat", "dog")


class Named(Dataset[dict[str, Any]]):
    """Items of named classes; the input is the number of the name among `WORDS`, whatever its label is here."""

    def __init__(self, classes: Sequence[str] = WORDS, several: bool = False) -> None:
        self.classes = tuple(classes)
        self.several = several

    def __len__(self) -> int:
        return 2 * len(self.classes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        label = index % len(self.classes)
        name = self.classes[label]
        truth: Tensor = torch.tensor(label)
        if self.several:
            truth = torch.nn.functional.one_hot(truth, len(self.classes)).float()
        return {"img": torch.tensor([float(WORDS.index(name) if name in WORDS else 0)]), "gt_label": truth}


class Reader(TrainModule):
    """A model that is always right: it answers with its input."""

    def __init__(self, num_classes: int = len(WORDS)) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward_train(self, img: Tensor, gt_label: Tensor) -> dict[str, Any]:
        return {"loss": (self.scale * img).sum() * 0, "batch_size": len(img)}

    def forward_test(self, img: Tensor, gt_label: Tensor | None = None) -> Any:
        answer = torch.nn.functional.one_hot(img[:, 0].long(), self.num_classes).float()
        if gt_label is None:
            return answer
        truth = gt_label if gt_label.ndim == 1 else gt_label.argmax(1)
        return {"logits": answer, "batch_size": len(img), "acc@1": (answer.argmax(1) == truth).float().mean()}


def loader(dataset: Any) -> DataLoader[Any]:
    return DataLoader(dataset, batch_size=3)


def train(train_set: Any, eval_set: Any, work_dir: Path | None = None, **arguments: Any) -> Any:
    model = Reader(**arguments)
    made = SOLVERS.build({
        "type": "TrainValSolver", "model": model, "optimizer": {"type": "SGD", "lr": 0.1}, "device": "cpu",
        "work_dir": work_dir,
    })  # fmt: skip
    return made.solve({"train": loader(train_set), "eval": loader(eval_set)})["eval"]["acc@1"]


def evaluate(eval_set: Any, num_classes: int = len(WORDS), **arguments: Any) -> float:
    settings = {"type": "EvaluationSolver", "model": Reader(num_classes), "device": "cpu", **arguments}
    return float(SOLVERS.build(settings).solve({"eval": loader(eval_set)})["eval"]["acc@1"])


@pytest.mark.parametrize("classes", [WORDS, ("cat", "dog"), ("dog", "ant"), ("bee",), tuple(reversed(WORDS))])
@pytest.mark.parametrize("several", [False, True])
def test_classes_are_compared_by_name(classes: Sequence[str], several: bool) -> None:
    assert train(Named(), Named(classes, several)) == 1.0


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: Subset(data, [0, 1, 3]),
        lambda data: ConcatDataset([data, data]),
        lambda data: DatasetRepeater(data, 2),
        lambda data: Subset(ConcatDataset([data, Named(data.classes)]), range(6)),
    ],
)
def test_names_are_found_through_wrappers(wrap: Any) -> None:
    assert class_names(wrap(Named())) == WORDS
    assert train(wrap(Named()), wrap(Named(("cat", "dog")))) == 1.0


def test_an_unknown_class_is_refused_with_both_sides() -> None:
    with pytest.raises(DataError) as caught:
        train(Named(), Named(("cat", "cow", "dog")))
    assert "unknown: 'cow'; missing: 'ant', 'bee'" in str(caught.value) and "the train data" in str(caught.value)
    with pytest.raises(DataError, match="differently"):
        class_names(ConcatDataset([Named(("ant",)), Named(("bee",))]))


def test_data_without_names_count_as_before() -> None:
    numbered = Named(("ant", "bee"))
    numbered.classes = ()
    assert class_names(numbered) == ()
    plain = DataLoader([{"img": torch.tensor([1.0]), "gt_label": torch.tensor(1)}], batch_size=1)
    made = SOLVERS.build({"type": "TrainValSolver", "model": Reader(), "optimizer": {"type": "SGD", "lr": 0.1},
                          "device": "cpu"})  # fmt: skip
    assert made.solve({"train": loader(Named()), "eval": plain})["eval"]["acc@1"] == 1.0


def test_the_names_travel_in_the_checkpoint(tmp_path: Path) -> None:
    train(Named(), Named(), tmp_path)
    assert evaluate(Named(("dog", "cat")), resume_from=str(tmp_path)) == 1.0
    with pytest.raises(DataError, match="unknown: 'cow'"):
        evaluate(Named(("cow",)), resume_from=str(tmp_path))


def test_a_model_knows_what_it_was_trained_by() -> None:
    model = Reader()
    settings = {"model": model, "device": "cpu"}
    made = SOLVERS.build({"type": "TrainValSolver", "optimizer": {"type": "SGD", "lr": 0.1}, **settings})
    made.solve({"train": loader(Named())})
    found = SOLVERS.build({"type": "EvaluationSolver", **settings})
    assert found.solve({"eval": loader(Named(("dog", "bee", "ant", "cat")))})["eval"]["acc@1"] == 1.0
    assert list(model.state_dict()) == ["scale"]


def test_fewer_classes_than_the_models_need_names(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="name 2 classes, and nobody names the 4 of the model"):
        evaluate(Named(("cat", "dog")))
    assert evaluate(Named(("cat", "dog")), class_names=WORDS) == 1.0
    assert evaluate(Named()) == 1.0
    given = Named(("ant", "bee"))
    given.classes_given = True  # type: ignore[attr-defined]
    assert evaluate(given) == 1.0


def test_published_names_may_be_replaced_by_a_list_of_ones_own() -> None:
    published = KnownClasses(("crane", "crane", "cat"), "zoo", from_training=False)
    folders = Named(("n1", "n2", "n3"))
    with pytest.raises(DataError, match="unknown: 'n1', 'n2', 'n3'; missing: 'cat', 'crane'"):
        map_classes(published, folders, "eval", 3)
    folders.classes_given = True  # type: ignore[attr-defined]
    assert map_classes(published, folders, "eval", 3) is None
    with pytest.raises(DataError, match="named twice: 'crane'"):
        map_classes(published, Named(("crane",)), "eval", 3)
    found = map_classes(published, Named(("cat",)), "eval", 3)
    assert found is not None and found.renumber(torch.tensor([0])).tolist() == [2]


def test_numbers_are_changed_and_what_is_no_number_stays() -> None:
    names = ClassMap(torch.tensor([3, 0]), 5)
    assert names.renumber(torch.tensor([1, 0, -100])).tolist() == [0, 3, -100]
    assert names.renumber(torch.tensor([[0.0, 1.0], [1.0, 0.5]])).tolist() == [[1, 0, 0, 0, 0], [0.5, 0, 0, 1, 0]]
    assert names.renumber(["x"]) == ["x"]
    assert names.renumber(torch.tensor([0.5])).tolist() == [0.5]
    with pytest.raises(LabelError, match="label 2 is none of the 2 classes"):
        names.renumber(torch.tensor([2]))
    assert issubclass(DataError, ConfigError)


FOLDERS = """
model:
  type: Classifier
  backbone: {{type: torchvision/resnet18}}
  head: {{type: ClassifierHead, dim: 512, num_classes: 3}}
data:
  train: {{dataset: {{type: ImageFolder, root_dir: {root}/train, mode: train, pipeline: &made
    [LoadImageFromFile, ImageToTensor]}}, batch_size: 3}}
  eval: {{dataset: {{type: ImageFolder, root_dir: {root}/eval, pipeline: *made}}, batch_size: 2}}
solver:
  device: cpu
  optimizer: {{type: SGD, lr: 0.01}}
  extra_keys: [gt_label, meta.img_path]
  save_eval_data: true
"""


@pytest.mark.slow
def test_folders_are_mapped_by_train_and_eval(python: Python, tmp_path: Path) -> None:
    from PIL import Image

    for name in ("train/a/1", "train/b/1", "train/c/1", "eval/c/1", "eval/c/2"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (32, 32)).save(path)
    (python.cwd / "folders.yaml").write_text(FOLDERS.format(root=tmp_path))
    python.essmc("train", "folders.yaml")
    run = python.cwd / "work_dirs" / "folders"
    labels = torch.load(run / "eval_00001.pth", weights_only=True)["data"]["gt_label"]
    assert labels.tolist() == [2, 2]
    assert "loss" in json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    python.essmc("eval", "folders.yaml", "--checkpoint", str(run), "--work-dir", "found")
    found = torch.load(python.cwd / "found" / "eval_00001.pth", weights_only=True)["data"]["gt_label"]
    assert found.tolist() == [2, 2]
    (tmp_path / "eval" / "c").rename(tmp_path / "eval" / "z")
    for command in (["train", "folders.yaml", "--overwrite"], ["eval", "folders.yaml", "--checkpoint", str(run)]):
        done = python.essmc(*command, check=False)
        assert done.returncode == 2 and "unknown: 'z'; missing: 'a', 'b', 'c'" in done.stderr
        assert "Traceback" not in done.stderr
    assert list(run.glob("*.pth"))
